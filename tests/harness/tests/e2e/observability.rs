//! What the host tells of its exchanges: ids, access lines in files, traces,
//! metrics, and whether it is ready.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::message;
use innkeeper_harness::{DEADLINE, bytes};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::inns::{app, ask, assert_served, hold, holding, of, release, script, start, until};
use crate::support::promptly;

/// The access line of an exchange with this target.
#[track_caller]
fn access_line(host: &ConfiguredHost, url: &str) -> innkeeper_harness::logs::LogLine {
    host.running.wait_log(|line| line.target == "access" && line.field("url").as_deref() == Some(url))
}

/// A guest that logs `seen` and answers with this header of its request.
fn telling(header: &str) -> String {
    script(json!([["log", "seen"], ["end-with", format!("header:{header}")]]))
}

#[test]
fn one_id_in_the_response_the_request_and_both_logs() {
    let host = start(&app("one", "node-case", &telling("x-request-id")));
    let mut client = host.running.connect();
    let mut ids = Vec::new();
    for turn in 1..=2 {
        let url = format!("/{turn}");
        // What the client says of itself is not taken for it.
        let request = of("one", &url).replace("\r\n\r\n", "\r\nX-Request-Id: forged\r\n\r\n");
        let response = client.ask(request);
        let id = response.header("x-request-id").expect("the response has an id").to_owned();
        assert_eq!(response.text(), id, "the guest sees the same");
        let access = access_line(&host, &url);
        assert_eq!(access.field("request_id").as_deref(), Some(id.as_str()));
        let exchange = access.number("exchange").expect("the line has a number");
        assert_eq!(id.rsplit('-').next().and_then(|hex| u64::from_str_radix(hex, 16).ok()), Some(exchange));
        host.running.wait_log(|line| line.is_guest() && line.number("exchange") == Some(exchange));
        ids.push(id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 2);
    // The host's own answers have one, too.
    let response = client.ask(of("nobody", "/lost"));
    assert_eq!(response.status(), Some(404));
    let id = response.header("x-request-id").map(str::to_owned);
    assert_eq!(access_line(&host, "/lost").field("request_id"), id);
}

#[test]
fn a_guests_lines_can_be_asked_for_with_their_exchange() {
    let host = start(&(app("one", "node-case", &telling("host")) + &app("other", "misbehave", "")));
    ask(&host, "one", "/first");
    ask(&host, "other", "/log?n=3");
    let exchange = access_line(&host, "/first").number("exchange");
    let lines = until(|| {
        let (status, lines) = host.api("GET", "/v1/apps/one/logs", "");
        assert_eq!(status, 200, "{lines}");
        lines.as_array().filter(|lines| !lines.is_empty()).cloned()
    });
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&line["text"], &line["stream"]), (&json!("LOG \"seen\""), &json!("stdout")));
    assert_eq!(line["exchange"].as_u64(), exchange);
}

/// The lines of a file, once there are so many.
#[track_caller]
fn lines(path: &Path, count: usize) -> Vec<String> {
    until(|| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count && text.ends_with('\n')).then_some(lines)
    })
}

#[test]
fn access_lines_in_a_file_in_the_combined_form_and_a_rename_before_sighup() {
    let log = "[log]\naccess = \"combined\"\naccess_file = \"access.log\"\n";
    let toml = log.to_owned() + &app("one", "misbehave", "");
    let host = start(&toml);
    let path = host.directory.path().join("access.log");
    let mut client = host.running.connect();
    client.ask(
        "GET /ok?\"x\" HTTP/1.1\r\nHost: one.example\r\nUser-Agent: a \"b\"\r\nReferer: http://c/\r\n\r\n",
    );
    client.ask(of("one", "/no-such"));
    let first = lines(&path, 2);
    let (before, request) = first[0].split_once(" [").expect("a time stands in brackets");
    assert_eq!(before, "127.0.0.1 - -");
    let (time, request) = request.split_once("] ").expect("a time stands in brackets");
    assert!(time.ends_with(" +0000") && time.matches(':').count() == 3, "{time}");
    assert_eq!(request, r#""GET /ok?\"x\" HTTP/1.1" 200 2 "http://c/" "a \"b\"""#);
    assert!(first[1].ends_with(r#""GET /no-such HTTP/1.1" 404 21 "-" "-""#), "{}", first[1]);
    // What was moved away stays as it is; what comes is in a new file.
    let moved = host.directory.path().join("access.log.1");
    fs::rename(&path, &moved).expect("it can be renamed");
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    client.ask(of("one", "/ok?after"));
    assert!(lines(&path, 1)[0].contains("GET /ok?after "), "{:?}", lines(&path, 1));
    assert_eq!(lines(&moved, 2), first);
    // The other log has none of them.
    assert!(host.running.logs().iter().all(|line| line.target != "access"));
}

#[test]
fn access_lines_in_a_file_as_json() {
    let log = "[log]\naccess = \"json\"\naccess_file = \"access.jsonl\"\n";
    let host = start(&(log.to_owned() + &app("one", "misbehave", "")));
    let response = ask(&host, "one", "/ok");
    host.running.connect().ask("nonsense\r\n\r\n");
    let lines = lines(&host.directory.path().join("access.jsonl"), 2);
    let mut lines: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    // An answer is there before its line: that of the second may come first.
    lines.sort_by_key(|line| line["status"].as_u64());
    let line = &lines[0];
    assert_eq!(
        (&line["tenant"], &line["app"], &line["method"], &line["url"], &line["status"], &line["bytes"]),
        (&json!("one"), &json!("one"), &json!("GET"), &json!("/ok"), &json!(200), &json!(2))
    );
    assert_eq!(line["request_id"].as_str(), response.header("x-request-id"));
    assert_eq!(lines[1]["status"], 400);
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// A collector: its address, and the heads and bodies of what is sent there.
fn collector() -> (SocketAddr, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let (sender, receiver) = mpsc::channel();
    // It ends with the host, whose connection ends.
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let sender = sender.clone();
            thread::spawn(move || collect(stream, &sender));
        }
    });
    (address, receiver)
}

fn collect(mut stream: TcpStream, sender: &mpsc::Sender<(String, Vec<u8>)>) {
    let (mut received, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        received.extend_from_slice(&buffer[..len]);
        while let Ok(Some((message, len))) = message::request(&received) {
            if !message.complete {
                break;
            }
            let bytes: Vec<_> = received.drain(..len).collect();
            let head = bytes::find(&bytes, b"\r\n\r\n").unwrap_or_default();
            let _ =
                sender.send((String::from_utf8_lossy(&bytes[..head]).into_owned(), bytes[head..].to_vec()));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    }
}

fn from_hex(digits: &str) -> Vec<u8> {
    let digit = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..digits.len()).step_by(2).filter_map(digit).collect()
}

#[test]
fn a_clients_trace_goes_on_in_the_guest_and_reaches_the_collector() {
    let (address, spans) = collector();
    let telemetry =
        format!("[telemetry]\notlp_endpoint = \"http://{address}\"\nservice_name = \"the-inn\"\n");
    let host = start(&(telemetry + &app("one", "node-case", &telling("traceparent"))));
    let request =
        of("one", "/traced").replace("\r\n\r\n", &format!("\r\nTraceparent: 00-{TRACE}-{SPAN}-01\r\n\r\n"));
    let seen = host.running.connect().ask(request).text();
    // The same trace, and the host's span in it.
    let parts: Vec<_> = seen.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { panic!("{seen} is no traceparent") };
    assert_eq!((version, trace, flags), ("00", TRACE, "01"));
    assert!(span.len() == 16 && span != SPAN, "{seen}");
    let (head, body) = spans.recv_timeout(DEADLINE).expect("the span is sent");
    assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
    for part in
        [&from_hex(TRACE), &from_hex(SPAN), &from_hex(span), b"the-inn", b"/traced", b"one"] as [&[u8]; 6]
    {
        assert!(bytes::find(&body, part).is_some(), "{} is missing", part.escape_ascii());
    }
    // Without one, the host begins it.
    let begun = ask(&host, "one", "/untraced").text();
    assert!(begun.ends_with("-01") && !begun.contains(TRACE), "{begun}");
}

#[test]
fn traces_that_are_not_sampled_are_handed_on_and_not_sent() {
    let (address, spans) = collector();
    let telemetry = format!("[telemetry]\notlp_endpoint = \"http://{address}\"\ntrace_sample_ratio = 0.0\n");
    let host = start(&(telemetry + &app("one", "node-case", &telling("traceparent"))));
    assert!(ask(&host, "one", "/begun").text().ends_with("-00"));
    let with = |flags: &str| {
        of("one", "/given")
            .replace("\r\n\r\n", &format!("\r\nTraceparent: 00-{TRACE}-{SPAN}-{flags}\r\n\r\n"))
    };
    assert!(host.running.connect().ask(with("00")).text().ends_with("-00"));
    // The client decides of its own trace. It is the only one that is sent,
    // though the others came before it.
    assert!(host.running.connect().ask(with("01")).text().ends_with("-01"));
    let (_, body) = spans.recv_timeout(DEADLINE).expect("the span is sent");
    assert_eq!(bytes::count(&body, b"/given"), bytes::count(&body, &from_hex(TRACE)));
    assert_eq!(bytes::count(&body, b"/begun"), 0);
}

/// The status of an address of the administration that needs no token.
#[track_caller]
fn status_of(host: &ConfiguredHost, path: &str) -> u16 {
    host.api_as("", "GET", path, "").0
}

#[test]
fn a_host_is_not_ready_from_the_first_word_to_stop_on_and_serves_for_the_delay() {
    let apps = app("one", "misbehave", "") + &app("held", "node-case", &holding());
    let host = start(&format!("[limits]\ndrain_delay = \"2s\"\n{apps}"));
    assert_eq!((status_of(&host, "/livez"), status_of(&host, "/readyz")), (200, 200));
    let mut held = hold(&host, "held");
    let mut idle = host.running.connect();
    assert_eq!(idle.ask(of("one", "/ok")).text(), "ok");
    host.running.signal(Signal::TERM);
    host.running.wait_log(|line| line.target == "drain" && line.message.starts_with("not ready"));
    assert_eq!((status_of(&host, "/livez"), status_of(&host, "/readyz")), (200, 503));
    // Old connections and new ones are served as before.
    assert_eq!(idle.ask(of("one", "/ok")).header("connection"), Some("keep-alive"));
    assert_served(&host, "one");
    // Then it drains: what is idle is closed, what is in flight goes on.
    idle.expect_close();
    assert_eq!((status_of(&host, "/livez"), status_of(&host, "/readyz")), (200, 503));
    release(&mut held);
    let (_, exit) = host.stop();
    assert_eq!(exit.status.code(), Some(0));
}

#[test]
fn a_second_word_to_stop_ends_the_delay_and_what_is_in_flight() {
    let host = start(&format!("[limits]\ndrain_delay = \"60s\"\n{}", app("held", "node-case", &holding())));
    let mut held = hold(&host, "held");
    host.running.signal(Signal::TERM);
    host.running.wait_log(|line| line.target == "drain" && line.message.starts_with("not ready"));
    promptly(|| {
        let (_, exit) = host.stop();
        assert_eq!(exit.status.code(), Some(0), "{:?}", exit.logs.last());
        assert!(exit.logs.iter().any(|line| line.message == "stopped: 0 exchanges finished, 1 cut"));
        held.read_to_end();
    });
}

#[test]
fn a_drain_that_the_operator_asks_for() {
    let host = start(&app("one", "misbehave", ""));
    assert_eq!(host.api("POST", "/v1/drain", "").0, 202);
    promptly(|| assert_eq!(host.running.wait_exit(DEADLINE).status.code(), Some(0)));
}

/// The names of families, and all lines, of the metrics as this token sees them.
#[track_caller]
fn metrics(host: &ConfiguredHost, token: &str) -> (Vec<String>, String) {
    let (status, text) = host.api_as(token, "GET", "/metrics", "");
    assert_eq!(status, 200, "{text}");
    let text = text.as_str().expect("metrics are text").to_owned();
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    (families.map(str::to_owned).collect(), text)
}

#[test]
fn metrics_have_their_families_and_a_tenant_sees_its_own() {
    let host = start(&(app("one", "misbehave", "") + &app("other", "misbehave", "")));
    for target in ["/ok", "/no-such", "/trap"] {
        ask(&host, "one", target);
    }
    ask(&host, "other", "/ok");
    ask(&host, "nobody", "/");
    access_line(&host, "/");
    let (families, text) = until(|| {
        let (families, text) = metrics(&host, &host.token);
        text.contains("innkeeper_refusals").then_some((families, text))
    });
    for family in [
        "innkeeper_requests",
        "innkeeper_requests_failed",
        "innkeeper_request_duration_seconds",
        "innkeeper_guest_cpu_seconds",
        "innkeeper_request_bytes",
        "innkeeper_response_bytes",
        "innkeeper_guest_crashes",
        "innkeeper_refusals",
        "innkeeper_in_flight",
        "innkeeper_ready",
        "innkeeper_connections",
        "innkeeper_exchanges",
        "innkeeper_queued",
        "innkeeper_tunnels",
        "innkeeper_idle_instances",
        "innkeeper_demoted_running",
        "innkeeper_demoted_waiting",
        "innkeeper_tenant_exchanges",
        "innkeeper_tenant_queued",
        "innkeeper_tenant_connections",
        "innkeeper_tenant_memory_bytes",
        "innkeeper_tenant_outbound_connections",
        "innkeeper_tenant_cpu_seconds",
        "innkeeper_tripped",
    ] {
        assert!(families.iter().any(|name| name == family), "{family} is missing in {families:?}");
    }
    assert!(text.ends_with("# EOF\n"));
    let value = |name: &str, labels: &[&str]| {
        let mut lines = text.lines().filter(|line| {
            line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
        });
        let line = lines.next().unwrap_or_else(|| panic!("no {name} {labels:?} in\n{text}"));
        line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok())
    };
    for (status, count) in [("2xx", 1.0), ("4xx", 1.0), ("5xx", 1.0)] {
        let status = format!("status=\"{status}\"");
        assert_eq!(value("innkeeper_requests_total", &["app=\"one\"", &status]), Some(count), "{status}");
    }
    assert_eq!(value("innkeeper_guest_crashes_total", &["app=\"one\""]), Some(1.0));
    assert_eq!(value("innkeeper_request_duration_seconds_count", &["app=\"one\""]), Some(3.0));
    assert_eq!(value("innkeeper_refusals_total", &["reason=\"no-route\""]), Some(1.0));
    // No label is what a client made up.
    assert!(!text.contains("nobody"), "{text}");
    let (status, made) = host.api("POST", "/v1/tokens", r#"{ "tenant": "one" }"#);
    assert_eq!(status, 201, "{made}");
    let token = made["token"].as_str().expect("a token is text");
    let (_, own) = metrics(&host, token);
    assert!(own.contains("app=\"one\""), "{own}");
    let foreign: Vec<_> =
        own.lines().filter(|line| !line.starts_with('#') && !line.contains("tenant=\"one\"")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert_eq!(host.api_as("", "GET", "/metrics", "").0, 401);
}
