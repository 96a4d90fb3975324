//! Limits of requests to others that apps have of their own, or of the host
//! where they say nothing; what each does at its edge is in `outbound_limits`.
//! And who is asked for addresses.

use std::thread;
use std::time::Duration;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::dns::{Answer, DnsServer, RecordType};
use serde_json::{Value, json};

use crate::elsewhere::{Elsewhere, answer, call, call_with, error_of, fetch_from};
use crate::inns::{app, start};
use crate::key_rows::{Guest, Row, SOON, show};
use crate::outbound_limits::{Full, stuck};

#[test]
fn limits_of_requests_that_the_host_has() {
    show(OF_OUTBOUND, "limits", true);
}

#[test]
fn limits_of_requests_of_an_app() {
    show(OF_OUTBOUND, "app.limits", false);
}

#[test]
fn names_are_asked_of_the_servers_that_are_named() {
    let elsewhere = Elsewhere::telling("reached");
    let port = elsewhere.port();
    let servers = [(); 2].map(|()| DnsServer::start().expect("a free port"));
    servers[0].set("a.example", [Answer::of(60, &["127.0.0.1"])]);
    servers[1].set("a.example", [Answer::NoSuchName(60)]);
    let one = app("one", "fetch", &format!("outbound = [\"http://*.example:{port}\", \"127.0.0.1\"]\n"));
    for (dns, seen) in servers.iter().zip(["answered", "dns"]) {
        let host = start(&format!("[outbound]\nnameservers = [\"{}\"]\n{one}", dns.address()));
        for name in ["a.example", "A.EXAMPLE."] {
            assert_eq!(errors(&host, "/", &[call(&format!("{name}:{port}"))]), seen);
        }
        // It is asked once for each family, and what it says is kept.
        let asked = [RecordType::A, RecordType::AAAA].map(|kind| dns.asked("a.example", kind));
        assert_eq!(asked, [1, 1]);
        assert_eq!(dns.names_asked(), ["a.example"], "nothing is added to a name");
    }
}

/// Limits that the host has and an app may have.
pub const OF_OUTBOUND: &[Row] = &[
    Row {
        key: "outbound_connections_max",
        guest: Guest::Fetching,
        always: "",
        values: [Some("1"), None],
        look: |host| {
            // The first is still there when the second comes.
            let elsewhere = Elsewhere::answering(|_| {
                thread::sleep(Duration::from_millis(500));
                Some(answer("reached"))
            });
            let alone = call_with(&elsewhere.authority(), json!({ "agent": "none" }));
            errors(host, "/?together", &[alone.clone(), alone])
        },
        seen: ["answered limit-exceeded", "answered answered"],
    },
    Row {
        key: "outbound_requests_max",
        guest: Guest::Fetching,
        always: "",
        values: [Some("1"), None],
        look: |host| {
            let elsewhere = Elsewhere::telling("reached");
            errors(host, "/", &[call(&elsewhere.authority()), call(&elsewhere.authority())])
        },
        seen: ["answered limit-exceeded", "answered answered"],
    },
    Row {
        key: "outbound_agents_max",
        guest: Guest::Fetching,
        always: "",
        values: [Some("1"), None],
        look: |host| {
            let elsewhere = Elsewhere::telling("reached");
            let with = |agent: &str| call_with(&elsewhere.authority(), json!({ "agent": agent }));
            errors(host, "/", &[with("a"), with("b")])
        },
        seen: ["answered limit-exceeded", "answered answered"],
    },
    Row {
        key: "outbound_connect_timeout",
        guest: Guest::Fetching,
        always: "",
        values: [Some("\"200ms\""), Some("\"off\"")],
        look: |host| whose_timeout(host, &Full::new().authority()),
        seen: ["connect", "request"],
    },
    Row {
        key: "outbound_response_timeout",
        guest: Guest::Fetching,
        always: "",
        values: [Some("\"200ms\""), Some("\"off\"")],
        look: |host| whose_timeout(host, &Elsewhere::silent().authority()),
        seen: ["response", "request"],
    },
    Row {
        key: "outbound_idle_timeout",
        guest: Guest::Fetching,
        always: "",
        values: [Some("\"200ms\""), Some("\"off\"")],
        look: |host| whose_timeout(host, &stuck(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")),
        seen: ["idle", "request"],
    },
    Row {
        key: "outbound_free_socket_timeout",
        guest: Guest::Fetching,
        always: "",
        values: [Some("\"200ms\""), None],
        look: |host| {
            let elsewhere = Elsewhere::telling("reached");
            one(host, call(&elsewhere.authority()));
            let closed = elsewhere.ends_within(1, SOON);
            if closed { "closed".to_owned() } else { "kept".to_owned() }
        },
        seen: ["closed", "kept"],
    },
    Row {
        key: "outbound_head_bytes_max",
        guest: Guest::Fetching,
        always: "",
        values: [Some("\"1KiB\""), None],
        look: |host| {
            let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(2_000));
            of_answer(host, head.into_bytes())
        },
        seen: ["limit-exceeded", "answered"],
    },
    Row {
        key: "outbound_header_count_max",
        guest: Guest::Fetching,
        always: "",
        values: [Some("5"), None],
        look: |host| {
            let head = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: 1\r\n".repeat(8));
            of_answer(host, head.into_bytes())
        },
        seen: ["limit-exceeded", "answered"],
    },
    Row {
        key: "outbound_request_body_bytes_max",
        guest: Guest::Fetching,
        always: "",
        values: [Some("10"), None],
        look: |host| {
            let elsewhere = Elsewhere::telling("reached");
            let fields = json!({ "method": "POST", "body": "a".repeat(20) });
            error_of(&one(host, call_with(&elsewhere.authority(), fields))).to_owned()
        },
        seen: ["limit-exceeded", "answered"],
    },
    Row {
        key: "outbound_response_body_bytes_max",
        guest: Guest::Fetching,
        always: "",
        values: [Some("10"), None],
        look: |host| of_answer(host, answer(&"a".repeat(20))),
        seen: ["limit-exceeded", "answered"],
    },
    Row {
        key: "outbound_buffer_bytes_max",
        guest: Guest::Fetching,
        always: "",
        values: [Some("\"64KiB\""), None],
        look: |host| {
            let elsewhere = Elsewhere::telling("reached");
            let fields = json!({ "method": "POST", "try_write": 256 << 10 });
            error_of(&one(host, call_with(&elsewhere.authority(), fields))).to_owned()
        },
        seen: ["limit-exceeded", "answered"],
    },
];

fn one(host: &ConfiguredHost, call: Value) -> Value {
    fetch_from(&host.running, "one.example", "/", &[call]).remove(0)
}

/// What came of requests, one after the other.
fn errors(host: &ConfiguredHost, target: &str, calls: &[Value]) -> String {
    let told = fetch_from(&host.running, "one.example", target, calls);
    told.iter().map(error_of).collect::<Vec<_>>().join(" ")
}

/// What comes of an answer.
fn of_answer(host: &ConfiguredHost, answer: Vec<u8>) -> String {
    let elsewhere = Elsewhere::answering(move |_| Some(answer.clone()));
    error_of(&one(host, call(&elsewhere.authority()))).to_owned()
}

/// Which time is over first, the operator's or the guest's.
fn whose_timeout(host: &ConfiguredHost, authority: &str) -> String {
    const OF_GUEST: Duration = Duration::from_millis(1_500);
    let told = one(host, call_with(authority, json!({ "timeout": OF_GUEST.as_millis() as u64 })));
    told["text"].as_str().unwrap_or_default().to_owned()
}
