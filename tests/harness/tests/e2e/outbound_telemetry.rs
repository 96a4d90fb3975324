//! What others and the operator are told of the requests of guests: the trace
//! that they belong to, and numbers by app.

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::message::Message;
use serde_json::{Value, json};

use crate::elsewhere::{Elsewhere, assert_told, call, call_with, error_of, fetch_from, fetch_on};
use crate::inns::{app, start, until};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn fetching(name: &str, more: &str) -> String {
    app(name, "fetch", &format!("outbound = [\"http://127.0.0.1:*\"]\n{more}"))
}

/// What a server is sent for a request of a client with these header lines,
/// whose guest sends on these fields.
#[track_caller]
fn sent(host: &ConfiguredHost, lines: &str, fields: Value) -> Message {
    let elsewhere = Elsewhere::telling("reached");
    let mut client = host.running.connect();
    let calls = [call_with(&elsewhere.authority(), fields)];
    assert_told(&fetch_on(&mut client, "one.example", "/", lines, &calls)[0], "reached");
    elsewhere.requests().remove(0)
}

/// The parts of a `traceparent`.
#[track_caller]
fn parts(request: &Message) -> [String; 4] {
    let [traceparent] = request.values("traceparent")[..] else { panic!("{:?}", request.headers) };
    let parts: Vec<_> = traceparent.split('-').map(str::to_owned).collect();
    parts.try_into().unwrap_or_else(|parts| panic!("{parts:?}"))
}

#[test]
fn a_request_belongs_to_the_trace_of_its_cause() {
    let collector = Elsewhere::telling("");
    let telemetry = format!("[telemetry]\notlp_endpoint = {:?}\n", collector.origin());
    let host = start(&(telemetry + &fetching("one", "")));
    let lines = format!("Traceparent: 00-{TRACE}-{SPAN}-01\r\nTracestate: a=1,b=2\r\n");
    let request = sent(&host, &lines, json!({}));
    let [version, trace, span, flags] = parts(&request);
    assert_eq!((version.as_str(), trace.as_str(), flags.as_str()), ("00", TRACE, "01"));
    assert!(span.len() == 16 && span != SPAN, "its parent is the host's span: {span}");
    assert_eq!(request.values("tracestate"), ["a=1,b=2"]);
    // All requests of one exchange have the same parent.
    let elsewhere = Elsewhere::telling("reached");
    let calls = vec![call(&elsewhere.authority()); 2];
    fetch_on(&mut host.running.connect(), "one.example", "/?together", &lines, &calls);
    let both: Vec<_> = elsewhere.requests().iter().map(parts).collect();
    assert!(both[0] == both[1] && both[0][1] == TRACE && both[0][2] != span, "{both:?}");
    // Without a client's trace the host begins one.
    let begun = parts(&sent(&host, "", json!({})));
    assert!(begun[1].len() == 32 && begun[1] != TRACE, "{begun:?}");
    // A host that tells nobody hands the client's on, and begins none.
    let host = start(&fetching("one", ""));
    let request = sent(&host, &lines, json!({}));
    assert_eq!(request.values("traceparent"), [format!("00-{TRACE}-{SPAN}-01")]);
    assert_eq!(request.values("tracestate"), ["a=1,b=2"]);
    assert!(sent(&host, "", json!({})).values("traceparent").is_empty());
}

#[test]
fn what_the_guest_says_of_the_trace_goes_out_as_it_is() {
    let host = start(&fetching("one", ""));
    let lines = format!("Traceparent: 00-{TRACE}-{SPAN}-01\r\nTracestate: a=1\r\n");
    let own = format!("00-{}-{}-00", "1".repeat(32), "2".repeat(16));
    for name in ["traceparent", "TraceParent"] {
        let request = sent(&host, &lines, json!({ "headers": [[name, own], ["Tracestate", "own=1"]] }));
        assert_eq!(request.values("traceparent"), [own.as_str()]);
        assert_eq!(request.values("tracestate"), ["own=1"]);
    }
}

/// The samples of the metrics about requests to others, without their values of
/// 0.
#[track_caller]
fn samples(host: &ConfiguredHost, token: &str) -> Vec<String> {
    let text = host.try_api(token, "GET", "/metrics", b"").expect("the metrics are there").text();
    let lines =
        text.lines().filter(|line| line.starts_with("innkeeper_outbound_") && !line.ends_with(" 0.0"));
    lines.map(str::to_owned).collect()
}

#[test]
fn requests_are_counted_by_app_and_by_what_came_of_them() {
    let host = start(&(fetching("one", "") + &fetching("two", "") + &app("three", "misbehave", "")));
    let elsewhere = Elsewhere::telling("reached");
    assert!(samples(&host, &host.token).is_empty());
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound socket has an address").to_string()
    };
    let calls = [
        call(&elsewhere.authority()),
        call(&elsewhere.authority()),
        call("10.0.0.1"),
        call(&gone),
        call("a@b"),
    ];
    let told = fetch_from(&host.running, "one.example", "/", &calls);
    let errors: Vec<_> = told.iter().map(error_of).collect();
    assert_eq!(errors, ["answered", "answered", "denied", "connect", "invalid-arg"]);
    let of = |name: &str, more: &str, value: f64| {
        format!("innkeeper_outbound_{name}{{tenant=\"one\",app=\"one\"{more}}} {value:?}")
    };
    let mut expected = vec![
        of("requests_total", ",outcome=\"answered\"", 2.0),
        of("requests_total", ",outcome=\"refused\"", 1.0),
        of("requests_total", ",outcome=\"failed\"", 1.0),
        of("connections", "", 1.0),
        of("connects_total", "", 1.0),
    ];
    expected.sort();
    let sorted = |token: &str| {
        let mut found = samples(&host, token);
        found.sort();
        found
    };
    assert_eq!(sorted(&host.token), expected);
    // A tenant sees its own.
    for (tenant, seen) in [("one", expected), ("two", Vec::new())] {
        let (_, made) = host.api("POST", "/v1/tokens", json!({ "tenant": tenant }).to_string());
        assert_eq!(sorted(made["token"].as_str().unwrap_or_default()), seen, "{tenant}");
    }
    // Connections of the tenant are counted with the others that it has.
    let view = until(|| Some(crate::inns::tenant(&host, "one")));
    assert_eq!(view["outbound_connections"]["used"], 1);
}
