use std::net::SocketAddr;

use opentelemetry::trace::TraceId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::telemetry::ended::example;
use crate::telemetry::trace::TraceContext;

const DEADLINE: Duration = Duration::from_secs(30);

fn config(endpoint: &str) -> TraceConfig {
    TraceConfig { endpoint: endpoint.to_owned(), service: "our-service".to_owned(), sample_ratio: 1.0 }
}

fn trace(sampled: bool) -> Trace {
    let context = TraceContext { trace_id: TraceId::from(5_u128), span_id: SpanId::from(6_u64), sampled };
    Trace { context, parent: Some(SpanId::from(7_u64)), state: None, hides_state: false }
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key.as_str() == key)?;
    Some(attribute.value.to_string())
}

/// Takes one request and answers it.
async fn take_batch(listener: &TcpListener) -> Vec<u8> {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    loop {
        socket.read_buf(&mut request).await.unwrap();
        let Some(head) = request.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if request.len() >= head + 4 + length.parse::<usize>().unwrap() {
            break;
        }
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    socket.write_all(answer).await.unwrap();
    request
}

#[tokio::test]
async fn a_collector_is_sent_the_span() {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let traces = Traces::start(&config(&format!("http://{}/", listener.local_addr().unwrap()))).unwrap();
    traces.record(&trace(false), &EndedExchange { url: "/not-sampled", ..example() });
    traces.record(&trace(true), &EndedExchange { url: "/sampled", ..example() });
    let request = timeout(DEADLINE, take_batch(&listener)).await.expect("a batch comes");
    assert!(request.starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
    let has = |text: &str| request.windows(text.len()).any(|window| window == text.as_bytes());
    for text in ["our-service", "innkeeper.guest.cpu_ms", "acme", "/sampled", "shop.example"] {
        assert!(has(text), "{text}");
    }
    assert!(!has("/not-sampled"));
}

#[test]
fn a_span_has_what_the_conventions_name() {
    let scope = InstrumentationScope::builder("x").build();
    let ended = EndedExchange { method: "BREW", status: 503, ..example() };
    let span = span(&trace(true), &ended, scope.clone());
    assert_eq!((span.name.as_ref(), span.parent_span_id), ("HTTP", SpanId::from(7_u64)));
    assert_eq!(span.end_time.duration_since(span.start_time).unwrap(), ended.duration);
    assert!(matches!(span.status, Status::Error { .. }));
    for (key, value) in [
        ("http.request.method", "_OTHER"),
        ("http.request.method_original", "BREW"),
        ("url.path", "/a"),
        ("url.query", "b=c"),
        ("http.response.status_code", "503"),
        ("error.type", "503"),
        ("server.address", "shop.example"),
        ("server.port", "80"),
        ("client.address", "127.0.0.1"),
        ("innkeeper.tenant", "acme"),
        ("innkeeper.app", "shop"),
        ("innkeeper.version", "0123456789ab"),
        ("innkeeper.guest.cpu_ms", "0.07"),
        ("innkeeper.exchange", "10"),
        ("innkeeper.request_id", &ended.request_id().to_string()),
    ] {
        assert_eq!(attribute(&span, key).as_deref(), Some(value), "{key}");
    }
    let good = super::span(&trace(true), &example(), scope);
    assert_eq!((good.status, good.name.as_ref()), (Status::Unset, "GET"));
    assert!(good.attributes.iter().all(|attribute| attribute.key.as_str() != "error.type"));
}

#[test]
fn a_span_is_bounded_whatever_the_client_sent() {
    let url = format!("/{}", "x".repeat(10_000));
    let scope = InstrumentationScope::builder("x").build();
    let span = span(&trace(true), &EndedExchange { url: &url, ..example() }, scope);
    assert_eq!(attribute(&span, "url.path").map(|path| path.len()), Some(ATTRIBUTE_BYTES_MAX));
}

#[test]
fn targets_and_hosts_have_parts() {
    assert_eq!(path_and_query("/a?b?c#d"), (Some("/a"), Some("b?c")));
    assert_eq!(path_and_query("http://x/a"), (Some("/a"), None));
    assert_eq!(path_and_query("http://x"), (Some("/"), None));
    assert_eq!(path_and_query("x:80"), (None, None));
    assert_eq!(path_and_query("*"), (None, None));
    assert_eq!(path_and_query("/a?to=http://x/y"), (Some("/a"), Some("to=http://x/y")));
    assert_eq!(name_and_port("x:80"), ("x", Some(80)));
    assert_eq!(name_and_port("[::1]:80"), ("[::1]", Some(80)));
    assert_eq!(name_and_port("[::1]"), ("[::1]", None));
    assert_eq!(name_and_port("x"), ("x", None));
}

#[test]
fn an_endpoint_is_an_http_address() {
    assert_eq!(endpoint("http://127.0.0.1:4318").unwrap(), "http://127.0.0.1:4318/v1/traces");
    assert_eq!(endpoint("http://x/otlp/").unwrap(), "http://x/otlp/v1/traces");
    for (bad, why) in [("https://x", "TLS"), ("127.0.0.1:4318", "no URL"), ("ftp://x", "scheme ftp")] {
        let error = Traces::start(&config(bad)).err().unwrap();
        assert!(error.to_string().contains(why), "{error:#}");
    }
}

#[test]
fn a_collector_that_is_down_is_told_of_once_a_minute() {
    let (mut told, now) = (None, Instant::now());
    assert!(is_due(&mut told, now));
    assert!(!is_due(&mut told, now + TELL_EVERY / 2));
    assert!(is_due(&mut told, now + TELL_EVERY));
}
