//! Limits of the host that stand in a file; those that an app may have, too,
//! are in `key_app_limits`.

use innkeeper_harness::configured::ConfiguredHost;

use crate::inns::{ask, hold, of};
use crate::key_rows::{Guest, Row, SOON, answered_on, header, ok, post, show, status, within};

#[test]
fn limits_of_the_host() {
    show(OF_HOST, "limits", true);
}

/// Limits that are a host's only.
pub const OF_HOST: &[Row] = &[
    Row {
        key: "connections_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("2"), None],
        look: |host| one_more_connection(host, 2),
        seen: ["closed", "answered"],
    },
    Row {
        key: "connections_per_peer_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("1"), None],
        look: |host| {
            let mut first = host.running.connect();
            first.ask(of("one", "/ok"));
            // Told without being asked.
            within(&mut host.running.connect(), SOON)
        },
        seen: ["talks", "silent"],
    },
    Row {
        key: "head_bytes_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("\"1KiB\""), None],
        look: |host| {
            let long = format!("\r\nX: {}\r\n\r\n", "a".repeat(2_000));
            status(&host.running.connect().ask(of("one", "/ok").replace("\r\n\r\n", &long)))
        },
        seen: ["431", "200"],
    },
    Row {
        key: "header_count_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("5"), None],
        look: |host| {
            let many = format!("\r\n{}\r\n", "X: 1\r\n".repeat(8));
            status(&host.running.connect().ask(of("one", "/ok").replace("\r\n\r\n", &many)))
        },
        seen: ["431", "200"],
    },
    Row {
        key: "head_timeout",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("\"200ms\""), None],
        look: |host| within(host.running.connect().send("GET /ok HTTP/1.1\r\n"), SOON),
        seen: ["talks", "silent"],
    },
    Row {
        key: "request_timeout",
        guest: Guest::Holding,
        always: "",
        values: [Some("\"200ms\""), None],
        look: |host| within(&mut hold(host, "one"), SOON),
        seen: ["talks", "silent"],
    },
    Row {
        key: "keep_alive_timeout",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("\"7s\""), None],
        look: |host| header(&ask(host, "one", "/ok"), "keep-alive"),
        seen: ["timeout=7", "timeout=5"],
    },
    Row {
        key: "keep_alive_timeout_buffer",
        guest: Guest::Misbehave,
        always: "keep_alive_timeout = \"100ms\"\n",
        values: [Some("\"0s\""), Some("\"10s\"")],
        look: |host| {
            let mut client = host.running.connect();
            client.ask(of("one", "/ok"));
            within(&mut client, SOON)
        },
        seen: ["closed", "silent"],
    },
    Row {
        key: "idle_timeout",
        guest: Guest::Misbehave,
        always: "keep_alive_timeout = \"100ms\"\n",
        values: [Some("\"300ms\""), Some("\"off\"")],
        look: |host| within(host.running.connect().send(of("one", "/sleep-forever")), SOON),
        seen: ["closed", "silent"],
    },
    Row {
        key: "requests_per_connection_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("1"), Some("\"off\"")],
        look: |host| header(&ask(host, "one", "/ok"), "connection"),
        seen: ["close", "keep-alive"],
    },
    Row {
        key: "unread_body_bytes_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("10"), None],
        look: |host| header(&post(host, "/never-read", 100), "connection"),
        seen: ["close", "keep-alive"],
    },
    Row {
        key: "half_open",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("false"), Some("true")],
        look: |host| {
            let mut client = host.running.connect();
            client.send(of("one", "/sleep?ms=200")).half_close();
            answered_on(&mut client)
        },
        seen: ["closed", "answered"],
    },
    Row {
        key: "instances_max",
        guest: Guest::Misbehave,
        always: "tunnels_max = 1\n",
        values: [Some("1"), Some("3")],
        look: |host| {
            let mut busy = host.running.connect();
            busy.send(of("one", "/loop-after-head")).read_until("\r\n\r\n");
            // Half of them are the tenant's, and it has one; then it waits.
            ok(host) + &host.api("GET", "/v1/host", "").1["exchanges"]["max"].to_string()
        },
        seen: ["5031", "2003"],
    },
];

/// Many connections in use, and what one more is told.
fn one_more_connection(host: &ConfiguredHost, open: usize) -> String {
    let mut clients: Vec<_> = (0..open).map(|_| host.running.connect()).collect();
    for client in &mut clients {
        client.ask(of("one", "/ok"));
    }
    let mut more = host.running.connect();
    more.try_send(of("one", "/ok"));
    answered_on(&mut more)
}
