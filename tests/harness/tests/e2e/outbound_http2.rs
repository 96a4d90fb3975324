//! Grants and limits hold for requests over HTTP/2 as for others, though its
//! connections are shared and have tasks of their own.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use innkeeper_harness::DEADLINE;
use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::dns::{Answer, DnsServer};
use innkeeper_harness::pulse::Pulse;
use innkeeper_harness::server::Server;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::elsewhere::{
    Elsewhere, assert_failed, assert_told, call, call_with, error_of, fetch_from, fetch_one, fetch_together,
    fetcher, wait_refusals,
};
use crate::inns::{app, start, until, with_cache};
use crate::support::lasts;

/// A server of another make, which is known to speak HTTP/2 without TLS. What
/// it answers is in the path.
struct Speaking {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    pulse: Pulse,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    ended: usize,
    authorities: Vec<String>,
    body_bytes: usize,
}

type Body = BoxBody<Bytes, Infallible>;

impl Speaking {
    #[track_caller]
    fn new() -> Self {
        Self::at("127.0.0.1:0")
    }

    #[track_caller]
    fn at(address: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (seen, pulse) = (Arc::<Mutex<Seen>>::default(), Pulse::default());
        let speaking = Speaking { address, seen: seen.clone(), pulse: pulse.clone() };
        thread::spawn(move || {
            runtime.block_on(async {
                while let Ok((tcp, _)) = listener.accept().await {
                    seen.lock().connections += 1;
                    let (seen, pulse) = (seen.clone(), pulse.clone());
                    tokio::spawn(async move {
                        let answering = seen.clone();
                        let answer = service_fn(move |request| answer(request, answering.clone()));
                        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                        // However it ends, it has ended.
                        let _ = builder.serve_connection(TokioIo::new(tcp), answer).await;
                        seen.lock().ended += 1;
                        pulse.beat();
                    });
                }
            });
        });
        speaking
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn connections(&self) -> usize {
        self.seen.lock().connections
    }

    /// A request for this path, on the connection that the agent keeps.
    fn call(&self, path: &str) -> Value {
        self.call_with(path, json!({}))
    }

    fn call_with(&self, path: &str, more: Value) -> Value {
        let mut call = call_with(&self.address.to_string(), json!({ "path": path, "protocol": "http2" }));
        let fields = call.as_object_mut().expect("it is an object");
        fields.extend(more.as_object().cloned().expect("fields"));
        call
    }

    #[track_caller]
    fn wait_ended(&self, count: usize) {
        let ended = self.pulse.wait_for(DEADLINE, || (self.seen.lock().ended >= count).then_some(()));
        assert!(ended.is_some(), "waited for connections to end");
    }
}

async fn answer(request: Request<Incoming>, seen: Arc<Mutex<Seen>>) -> Result<Response<Body>, hyper::Error> {
    seen.lock().authorities.push(request.uri().authority().map(ToString::to_string).unwrap_or_default());
    let path = request.uri().path().to_owned();
    let whole = |text: String| Full::new(Bytes::from(text)).boxed();
    // One that never ends, of pieces that come one after the other.
    let endless = |piece: String, more: bool| {
        let first = stream::iter([Ok(Frame::data(Bytes::from(piece.clone())))]);
        let rest = stream::repeat(Bytes::from(piece)).map(|piece| Ok(Frame::data(piece)));
        match more {
            true => BodyExt::boxed(StreamBody::new(first.chain(rest))),
            false => BodyExt::boxed(StreamBody::new(first.chain(stream::pending()))),
        }
    };
    let body = match path.as_str() {
        "/never" => pending().await,
        "/stops" => endless("part".to_owned(), false),
        "/endless" => endless("a".repeat(16 << 10), true),
        "/long" => whole("a".repeat(200 << 10)),
        "/upload" => {
            let body = request.into_body().collect().await?.to_bytes();
            seen.lock().body_bytes += body.len();
            whole("taken".to_owned())
        }
        _ => whole("reached".to_owned()),
    };
    let mut response = Response::builder();
    if path == "/large-head" {
        response = response.header("x", "a".repeat(2_000));
    }
    if path == "/many-lines" {
        response = (0..8).fold(response, |response, number| response.header(format!("x{number}"), "1"));
    }
    Ok(response.body(body).expect("it is a response"))
}

/// A guest that may ask this server, with a limit.
fn limited(elsewhere: &Speaking, flag: (&str, &str)) -> Server {
    fetcher(&[elsewhere.origin()]).arg(flag.0, flag.1)
}

#[test]
fn a_shared_connection_does_not_outlive_its_grant() {
    let elsewhere = Speaking::new();
    let port = elsewhere.address.port();
    let fetching = |entries: &[&str]| {
        let entries: Vec<_> = entries.iter().map(|entry| entry.replace("PORT", &port.to_string())).collect();
        app("one", "fetch", &format!("outbound = {}\n", Value::from(entries)))
    };
    let any = "http://*:PORT";
    let host = start(&fetching(&[any, "127.0.0.1"]));
    let ask = || {
        let call = elsewhere.call_with("/", json!({ "authority": format!("localhost:{port}") }));
        fetch_from(&host.running, "one.example", "/", &[call]).remove(0)
    };
    let change = |entries: &[&str]| {
        host.rewrite(&with_cache(&fetching(entries)));
        assert!(ConfiguredHost::is_in_effect(&host.reload()));
    };
    assert_told(&ask(), "reached");
    assert_eq!((&ask()["reused"], elsewhere.connections()), (&json!(true), 1));
    let asked = elsewhere.seen.lock().authorities.len();
    change(&[any]);
    let told = format!("the operator does not allow the address of http://localhost:{port}");
    assert_failed(&ask(), "denied", &told);
    change(&["http://*:1", "127.0.0.1"]);
    let told = format!("the operator does not allow requests to http://localhost:{port}");
    assert_failed(&ask(), "denied", &told);
    wait_refusals(&host.running, 2);
    assert_eq!(elsewhere.seen.lock().authorities.len(), asked);
    change(&[any, "127.0.0.1"]);
    assert_told(&ask(), "reached");
}

#[test]
fn a_shared_connection_that_is_not_allowed_any_more_gives_way_to_one_that_is() {
    // On all addresses of this machine.
    let elsewhere = Speaking::at("0.0.0.0:0");
    let port = elsewhere.address.port();
    let dns = DnsServer::start().expect("a free port");
    dns.set("a.example", [Answer::of(0, &["127.0.0.2"]), Answer::of(0, &["127.0.0.3"])]);
    let configured = |address: &str| {
        let entries = json!([format!("http://a.example:{port}"), address]);
        let app = app("one", "fetch", &format!("outbound = {entries}\n"));
        format!("[outbound]\nnameservers = [\"{}\"]\n{app}", dns.address())
    };
    let host = start(&configured("127.0.0.2"));
    let ask = || {
        let call = elsewhere.call_with("/", json!({ "authority": format!("a.example:{port}") }));
        fetch_from(&host.running, "one.example", "/", &[call]).remove(0)
    };
    assert_eq!(ask()["peer"], format!("127.0.0.2:{port}"));
    host.rewrite(&with_cache(&configured("127.0.0.3")));
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    assert_eq!(ask()["peer"], format!("127.0.0.3:{port}"));
    elsewhere.wait_ended(1);
    assert_eq!((&ask()["reused"], elsewhere.connections()), (&json!(true), 2));
}

#[test]
fn one_connection_is_one_however_many_use_it() {
    let elsewhere = Speaking::new();
    let server = limited(&elsewhere, ("--outbound-connections-max", "1")).start();
    assert_told(&fetch_one(&server, elsewhere.call("/")), "reached");
    let told = fetch_together(&server, &vec![elsewhere.call("/"); 20]);
    told.iter().for_each(|told| assert_told(told, "reached"));
    assert_eq!(elsewhere.connections(), 1);
    // One of its own is one more.
    let mut alone = vec![elsewhere.call_with("/stops", json!({ "timeout": 300 }))];
    alone.push(elsewhere.call_with("/", json!({ "agent": "none" })));
    let told = fetch_together(&server, &alone);
    assert_failed(&told[1], "limit-exceeded", "outbound_connections_max");
}

#[test]
fn a_shared_connection_that_is_idle_makes_room_for_another() {
    let (one, other) = (Speaking::new(), Speaking::new());
    let plain = Elsewhere::telling("plain");
    let server = fetcher(&[one.origin(), other.origin(), plain.origin()])
        .arg("--outbound-connections-max", "1")
        .start();
    for agent in ["global", "kept", "new"] {
        for mut call in [one.call("/"), other.call("/"), call(&plain.authority())] {
            call["agent"] = json!(agent);
            // An exchange that is over may still be about to close what it had.
            until(|| (error_of(&fetch_one(&server, call.clone())) == "answered").then_some(()));
        }
    }
    // One that is in use does not. The host is another: nothing is kept yet.
    let server = fetcher(&[one.origin(), plain.origin()]).arg("--outbound-connections-max", "1").start();
    let told = fetch_together(
        &server,
        &[one.call_with("/stops", json!({ "timeout": 300 })), call(&plain.authority())],
    );
    assert_failed(&told[1], "limit-exceeded", "outbound_connections_max");
}

#[test]
fn what_a_response_may_hold() {
    let elsewhere = Speaking::new();
    for (flag, path, at, limit) in [
        (("--outbound-head-bytes-max", "1KiB"), "/large-head", "response", "outbound_head_bytes_max"),
        (("--outbound-header-count-max", "5"), "/many-lines", "response", "outbound_header_count_max"),
        (
            ("--outbound-response-body-bytes-max", "100KiB"),
            "/long",
            "response",
            "outbound_response_body_bytes_max",
        ),
        (
            ("--outbound-response-body-bytes-max", "100KiB"),
            "/endless",
            "body",
            "outbound_response_body_bytes_max",
        ),
    ] {
        let server = limited(&elsewhere, flag).start();
        let told = fetch_one(&server, elsewhere.call(path));
        assert_failed(&told, "limit-exceeded", limit);
        assert_eq!(told["at"], at, "{path}: {told}");
        // The connection is not to blame.
        assert_told(&fetch_one(&server, elsewhere.call("/")), "reached");
    }
}

#[test]
fn what_a_request_may_hold() {
    let elsewhere = Speaking::new();
    let upload = |fields: Value| {
        let mut call = elsewhere.call_with("/upload", fields);
        call["method"] = json!("POST");
        call
    };
    let server = limited(&elsewhere, ("--outbound-request-body-bytes-max", "100KiB")).start();
    let told = fetch_one(&server, upload(json!({ "write": 200 << 10 })));
    assert_failed(&told, "limit-exceeded", "outbound_request_body_bytes_max");
    let server = limited(&elsewhere, ("--outbound-buffer-bytes-max", "64KiB")).start();
    let told = fetch_one(&server, upload(json!({ "try_write": 1 << 20 })));
    assert_failed(&told, "limit-exceeded", "outbound_buffer_bytes_max");
    // What was begun of them came to no server as a whole.
    assert_eq!(elsewhere.seen.lock().body_bytes, 0);
    assert_told(&fetch_one(&server, upload(json!({ "write": 4 << 20 }))), "taken");
    assert_eq!(elsewhere.seen.lock().body_bytes, 4 << 20);
}

#[test]
fn times() {
    let elsewhere = Speaking::new();
    for (flag, path, text) in
        [("--outbound-response-timeout", "/never", "response"), ("--outbound-idle-timeout", "/stops", "idle")]
    {
        let server = limited(&elsewhere, (flag, "300ms")).start();
        lasts(Duration::from_millis(300), || {
            assert_failed(&fetch_one(&server, elsewhere.call(path)), "timeout", text);
        });
    }
    // A connection that no request uses any more is closed.
    let elsewhere = Speaking::new();
    let server = limited(&elsewhere, ("--outbound-free-socket-timeout", "300ms")).start();
    assert_told(&fetch_one(&server, elsewhere.call("/")), "reached");
    elsewhere.wait_ended(1);
    assert_told(&fetch_one(&server, elsewhere.call("/")), "reached");
    assert_eq!(elsewhere.connections(), 2);
}

#[test]
fn a_server_that_does_not_answer_the_preface() {
    let server = fetcher(&["http://127.0.0.1:*"]).arg("--outbound-response-timeout", "300ms").start();
    let silent = crate::outbound_limits::stuck(b"");
    let call = call_with(&silent, json!({ "protocol": "http2" }));
    lasts(Duration::from_millis(300), || {
        assert_failed(&fetch_one(&server, call), "timeout", "response");
    });
    let other = crate::outbound_limits::stuck(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    let told = fetch_one(&server, call_with(&other, json!({ "protocol": "http2" })));
    // Which of them depends on who speaks first.
    assert!(["connect", "connection-reset"].contains(&error_of(&told)), "{told}");
}

#[test]
fn the_guests_own_host_is_the_authority_and_changes_no_destination() {
    let elsewhere = Speaking::new();
    let server = fetcher(&[elsewhere.origin()]).start();
    for host in ["internal.example", "169.254.169.254"] {
        let call = elsewhere.call_with("/", json!({ "headers": [["Host", host]] }));
        assert_told(&fetch_one(&server, call), "reached");
        assert_eq!(elsewhere.seen.lock().authorities.last().map(String::as_str), Some(host));
    }
    for host in ["user@internal.example", "a b", "a/b", "a\tb"] {
        let call = elsewhere.call_with("/", json!({ "headers": [["Host", host]] }));
        let told = fetch_one(&server, call);
        assert_eq!(error_of(&told), "invalid-header-value", "{host}: {told}");
    }
    for name in [":authority", ":path", ":method"] {
        let call = elsewhere.call_with("/", json!({ "headers": [[name, "/smuggled"]] }));
        assert_eq!(error_of(&fetch_one(&server, call)), "invalid-header-name");
    }
}
