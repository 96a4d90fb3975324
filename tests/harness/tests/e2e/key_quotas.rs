//! Quotas of tenants, or of those that say nothing of theirs.

use std::time::{Duration, Instant};

use innkeeper_harness::DEADLINE;
use innkeeper_harness::configured::ConfiguredHost;

use crate::inns::{hold, of};
use crate::key_rows::{Guest, Row, SOON, connections_out, guest_lines, kept, large, ok, show, within};

#[test]
fn quotas_of_a_tenant() {
    show(OF_TENANT, "tenant.one", true);
}

#[test]
fn quotas_of_tenants_that_say_nothing() {
    show(OF_TENANT, "defaults.quotas", true);
}

/// Quotas of a tenant.
pub const OF_TENANT: &[Row] = &[
    Row {
        key: "exchanges_max",
        guest: Guest::Holding,
        always: "queue_max = 0\n",
        values: [Some("1"), None],
        look: |host| {
            let _held = hold(host, "one");
            ok(host)
        },
        seen: ["503", "200"],
    },
    Row {
        key: "queue_max",
        guest: Guest::Holding,
        always: "exchanges_max = 1\nqueue_wait_max = \"30s\"\n",
        values: [Some("0"), None],
        look: |host| {
            let _held = hold(host, "one");
            within(host.running.connect().send(of("one", "/")), SOON)
        },
        seen: ["talks", "silent"],
    },
    Row {
        key: "queue_wait_max",
        guest: Guest::Holding,
        always: "exchanges_max = 1\n",
        values: [Some("\"100ms\""), Some("\"30s\"")],
        look: |host| {
            let _held = hold(host, "one");
            within(host.running.connect().send(of("one", "/")), SOON)
        },
        seen: ["talks", "silent"],
    },
    Row {
        key: "memory_bytes_max",
        guest: Guest::Large,
        always: "",
        values: [Some("\"8MiB\""), None],
        look: large,
        seen: ["503", "200"],
    },
    Row {
        key: "cpu_per_second",
        guest: Guest::Misbehave,
        always: "queue_wait_max = \"10ms\"\n",
        // The burst needs it, and is used up long before it is earned.
        values: [Some("\"1ms\"\ncpu_burst = \"1ms\""), Some("\"off\"")],
        look: told_beside_a_loop,
        seen: ["503", "200"],
    },
    Row {
        key: "cpu_burst",
        guest: Guest::Misbehave,
        always: "queue_wait_max = \"10ms\"\ncpu_per_second = \"1ms\"\n",
        values: [Some("\"1ms\""), Some("\"60s\"")],
        look: told_beside_a_loop,
        seen: ["503", "200"],
    },
    Row {
        key: "connections_max",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("1"), None],
        look: |host| {
            let mut first = host.running.connect();
            first.ask(of("one", "/ok"));
            ok(host)
        },
        seen: ["503", "200"],
    },
    Row {
        key: "outbound_connections_max",
        guest: Guest::Connecting,
        always: "",
        values: [Some("3"), None],
        look: connections_out,
        seen: ["3", "16"],
    },
    Row {
        key: "keyvalue_bytes_max",
        guest: Guest::Keeping,
        always: "",
        values: [Some("\"1KiB\""), None],
        look: |host| kept(host, "open; fill k 1024"),
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
];

/// Whether the tenant of an endless loop is told to wait within some seconds.
fn told_beside_a_loop(host: &ConfiguredHost) -> String {
    let mut busy = host.running.connect();
    busy.send(of("one", "/loop-after-head")).read_until("\r\n\r\n");
    let begun = Instant::now();
    loop {
        let told = ok(host);
        assert!(begun.elapsed() < DEADLINE, "no answer comes");
        if told != "200" || begun.elapsed() > Duration::from_secs(3) {
            return told;
        }
    }
}
