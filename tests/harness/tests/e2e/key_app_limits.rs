//! Limits that apps have of their own, or of the host where they say nothing.

use std::time::Duration;

use innkeeper_harness::configured::ConfiguredHost;

use crate::inns::{ask, of, until};
use crate::key_rows::{
    Guest, Row, SOON, connections_out, guest_lines, header, kept, large, ok, post, show, status, within,
};
use crate::support::upgrade;

#[test]
fn limits_of_apps_that_the_host_has() {
    show(OF_APP, "limits", true);
}

#[test]
fn limits_of_an_app() {
    show(OF_APP, "app.limits", false);
}

/// Whether a request comes to the instance of another that is not over.
fn met(host: &ConfiguredHost) -> String {
    let mut first = host.running.connect();
    let head = first.send(of("one", "/hold")).read_response_to_head();
    first.read_until("held\n");
    // An instance that computes takes nobody: now and then it does.
    let meets = (0..10).any(|_| {
        ask(host, "one", "/counter")
            .header("Instance")
            .is_some_and(|name| head.header("Instance") == Some(name))
    });
    if meets { "met".to_owned() } else { "alone".to_owned() }
}

/// Limits that the host has and an app may have.
pub const OF_APP: &[Row] = &[
    Row {
        key: "request_body_bytes_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("10"), None],
        look: |host| status(&post(host, "/never-read", 20)),
        seen: ["413", "200"],
    },
    Row {
        key: "write_stall_timeout",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("\"200ms\""), Some("\"off\"")],
        look: |host| {
            let mut client = host.running.connect();
            client.send(of("one", "/output"));
            let told = host
                .running
                .try_wait_log(|line| line.message.starts_with("write_stall_timeout"), Duration::from_secs(4));
            if told.is_ok() { "told".to_owned() } else { "silent".to_owned() }
        },
        seen: ["told", "silent"],
    },
    Row {
        key: "response_head_bytes_max",
        guest: Guest::LongHead,
        always: "",
        values: [Some("\"5KiB\""), None],
        look: |host| status(&ask(host, "one", "/")),
        seen: ["500", "200"],
    },
    Row {
        key: "response_buffer_bytes_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("\"64KiB\""), Some("\"48MiB\"")],
        look: |host| {
            let mut client = host.running.connect();
            client.send(of("one", "/try-output"));
            let line = host.running.wait_log(|line| line.message.starts_with("try-write: "));
            let bytes =
                line.message.strip_suffix(" bytes").and_then(|line| line.rsplit(' ').next()?.parse().ok());
            // What the sockets take comes on top, and is less than that.
            if bytes.is_some_and(|bytes: u64| bytes > 40 << 20) {
                "much".to_owned()
            } else {
                "little".to_owned()
            }
        },
        seen: ["little", "much"],
    },
    Row {
        key: "reject_body_not_allowed",
        guest: Guest::BodyOf204,
        always: "",
        values: [Some("true"), Some("false")],
        look: |host| status(&ask(host, "one", "/")),
        seen: ["500", "204"],
    },
    Row {
        key: "tunnel_idle_timeout",
        guest: Guest::Echo,
        always: "",
        values: [Some("\"200ms\""), Some("\"off\"")],
        look: |host| {
            let mut client = host.running.connect();
            client.send(upgrade("/").replace("inn", "one.example") + "ping").read_until("\r\n\r\nping");
            within(&mut client, SOON)
        },
        seen: ["closed", "silent"],
    },
    Row {
        key: "memory_bytes_max",
        guest: Guest::Large,
        always: "",
        values: [Some("\"8MiB\""), None],
        look: large,
        seen: ["500", "200"],
    },
    Row {
        key: "table_elements_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("1"), None],
        // The host's sizes the pool, into which the component does not fit; of
        // an app, each instance meets its own.
        look: |host| match ok(host) {
            status if status == "500" => "too large".to_owned(),
            status => status,
        },
        seen: ["too large", "200"],
    },
    Row {
        key: "requests_per_instance_max",
        guest: Guest::Pooled,
        always: "",
        values: [Some("2"), None],
        look: |host| {
            let mut client = host.running.connect();
            (0..3).map(|_| client.ask(of("one", "/counter")).text()).collect()
        },
        seen: ["121", "123"],
    },
    Row {
        key: "concurrent_requests_per_instance_max",
        guest: Guest::Meeting,
        always: "",
        values: [Some("1"), None],
        look: met,
        seen: ["alone", "met"],
    },
    Row {
        key: "cpu_time_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("\"50ms\""), Some("\"off\"")],
        look: |host| status(&ask(host, "one", "/compute?rounds=500")),
        seen: ["500", "200"],
    },
    Row {
        key: "wall_time_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("\"100ms\""), Some("\"off\"")],
        look: |host| status(&ask(host, "one", "/sleep?ms=400")),
        seen: ["500", "200"],
    },
    Row {
        key: "handles_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("1"), None],
        look: ok,
        seen: ["500", "200"],
    },
    Row {
        key: "tcp_sockets_max",
        guest: Guest::Connecting,
        always: "",
        values: [Some("3"), None],
        look: connections_out,
        seen: ["3", "16"],
    },
    Row {
        key: "tcp_sockets_per_instance_max",
        guest: Guest::Connecting,
        always: "",
        values: [Some("4"), None],
        look: connections_out,
        seen: ["4", "16"],
    },
    Row {
        key: "keyvalue_key_bytes_max",
        guest: Guest::Keeping,
        always: "",
        values: [Some("2"), None],
        look: |host| kept(host, "open; set abc x"),
        seen: ["refused", "done"],
    },
    Row {
        key: "keyvalue_value_bytes_max",
        guest: Guest::Keeping,
        always: "",
        values: [Some("\"1KiB\""), None],
        look: |host| kept(host, "open; fill k 1025"),
        seen: ["refused", "done"],
    },
    Row {
        key: "keyvalue_keys_max",
        guest: Guest::Keeping,
        always: "",
        values: [Some("1"), None],
        look: |host| kept(host, "open; set-many a=1 b=2"),
        seen: ["refused", "done"],
    },
    Row {
        key: "log_bytes_per_second",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("100"), None],
        look: guest_lines,
        seen: ["fewer", "all"],
    },
    Row {
        key: "crashes_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("1"), Some("\"off\"")],
        look: |host| {
            let mut client = host.running.connect();
            client.ask(of("one", "/trap"));
            status(&client.ask(of("one", "/ok")))
        },
        seen: ["503", "200"],
    },
    Row {
        key: "crash_backoff",
        guest: Guest::Misbehave,
        always: "crashes_max = 1\n",
        values: [Some("\"30s\""), None],
        look: retry_after_a_crash,
        seen: ["30", "1"],
    },
    Row {
        key: "crash_backoff_max",
        guest: Guest::Misbehave,
        always: "crashes_max = 1\ncrash_backoff = \"200ms\"\n",
        values: [Some("\"300ms\""), Some("\"30s\"")],
        look: |host| {
            let mut client = host.running.connect();
            client.ask(of("one", "/trap"));
            // Each probe that crashes doubles it, as far as it goes.
            for _ in 0..2 {
                until(|| (status(&client.ask(of("one", "/trap"))) == "500").then_some(()));
            }
            let lines = until(|| {
                let lines = host.running.logs().into_iter();
                let tripped: Vec<_> = lines.filter_map(|line| line.field("retry_in")).collect();
                (tripped.len() == 3).then_some(tripped)
            });
            lines.join(" ")
        },
        seen: ["200ms 300ms 300ms", "200ms 400ms 800ms"],
    },
];

fn retry_after_a_crash(host: &ConfiguredHost) -> String {
    let mut client = host.running.connect();
    client.ask(of("one", "/trap"));
    header(&client.ask(of("one", "/ok")), "retry-after")
}
