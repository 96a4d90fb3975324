//! Limits and quotas written in a file act: for each key two values, and what
//! is seen at the wire, in the log or by the administration with each of them.
//! `config_keys` sees to it that no key is left out.

use std::net::TcpListener;
use std::time::Duration;

use innkeeper_harness::DEADLINE;
use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::message::Message;
use innkeeper_harness::wire::Client;
use serde_json::json;

use crate::inns::{ask, hold, holding, of, script, until, with_cache};
use crate::support::upgrade;

/// A key with two values.
pub struct Row {
    /// Its name in its table.
    pub key: &'static str,
    /// The guest of the app `one`.
    guest: Guest,
    /// The lines of the table that are the same with both.
    always: &'static str,
    /// The value, as it is written; none leaves the key out.
    values: [Option<&'static str>; 2],
    /// What to look at.
    look: fn(&ConfiguredHost) -> String,
    /// What is seen with each value.
    seen: [&'static str; 2],
}

/// What the app `one` is, and what else stands in its table.
#[derive(Clone, Copy)]
enum Guest {
    Misbehave,
    Pooled,
    /// It holds exchanges until their body comes.
    Holding,
    /// It answers with 16 MiB at once.
    Large,
    /// It answers with a header of 10 kB.
    LongHead,
    /// It gives a 204 a body.
    BodyOf204,
    /// It echoes what comes in a tunnel.
    Echo,
    /// It may connect to a listener of the test.
    Connecting,
}

impl Guest {
    /// The beginning of the app's table.
    fn app(self, address: &str) -> String {
        let (guest, lines) = match self {
            Guest::Misbehave => ("misbehave", String::new()),
            Guest::Pooled => ("misbehave", "instances = \"pooled\"\n".to_owned()),
            Guest::Holding => ("node-case", holding()),
            Guest::Large => {
                ("node-case", script(json!([["end", { "repeat": "a".repeat(1024), "times": 16 * 1024 }]])))
            }
            Guest::LongHead => (
                "node-case",
                script(json!([["set-header", "X", { "repeat": "a", "times": 10_000 }], ["end", "long"]])),
            ),
            Guest::BodyOf204 => ("node-case", script(json!([["set-status", 204], ["end", "x"]]))),
            Guest::Echo => {
                let switch = crate::support::SWITCH;
                let on = json!({ "request": [], "upgrade": [["tunnel-write", switch], ["tunnel-echo"]] });
                ("node-case+upgrade", format!("env = {{ CASE_ON = {} }}\n", json!(on.to_string())))
            }
            Guest::Connecting => ("tunnels", format!("allow = [\"tcp={address}\"]\n")),
        };
        crate::inns::app("one", guest, &lines)
    }
}

/// The lines of a table with one of a row's values.
fn lines(row: &Row, value: Option<&str>) -> String {
    let line = value.map(|value| format!("{} = {value}\n", row.key));
    format!("{}{}", row.always, line.unwrap_or_default())
}

/// Shows every row in a table of the file; `before` says whether it stands
/// before the app or ends it.
#[track_caller]
fn show(rows: &[Row], table: &str, before: bool) {
    for row in rows {
        for (value, seen) in row.values.iter().zip(row.seen) {
            // It accepts what it never answers: the guest wants no more.
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("a bound socket has an address").to_string();
            let (app, lines) = (row.guest.app(&address), lines(row, *value));
            let toml = match before {
                true => format!("[{table}]\n{lines}{app}"),
                false => format!("{app}[{table}]\n{lines}"),
            };
            let found = match ConfiguredHost::start(&with_cache(&toml)) {
                Ok(host) => (row.look)(&host),
                Err(_) => "does not start".to_owned(),
            };
            assert_eq!(found, seen, "[{table}] {} = {value:?}", row.key);
        }
    }
}

fn status(response: &Message) -> String {
    response.status().unwrap_or_default().to_string()
}

fn header(response: &Message, name: &str) -> String {
    response.header(name).unwrap_or("none").to_owned()
}

/// The status, or `closed`: what follows of the answer is not read.
fn status_on(client: &mut Client) -> String {
    if !client.read_to("\r\n") {
        return "closed".to_owned();
    }
    "answered".to_owned()
}

/// What a connection does within this time: `silent`, `closed` or `talks`.
fn within(client: &mut Client, time: Duration) -> String {
    if client.is_silent_for(time) {
        return "silent".to_owned();
    }
    if client.read_to(" ") { "talks".to_owned() } else { "closed".to_owned() }
}

const SOON: Duration = Duration::from_millis(800);

fn ok(host: &ConfiguredHost) -> String {
    status(&ask(host, "one", "/ok"))
}

/// Many connections in use, and what one more is told.
fn one_more_connection(host: &ConfiguredHost, open: usize) -> String {
    let mut clients: Vec<_> = (0..open).map(|_| host.running.connect()).collect();
    for client in &mut clients {
        client.ask(of("one", "/ok"));
    }
    let mut more = host.running.connect();
    more.try_send(of("one", "/ok"));
    status_on(&mut more)
}

fn post(host: &ConfiguredHost, target: &str, length: usize) -> Message {
    let head = format!("POST {target} HTTP/1.1\r\nHost: one.example\r\nContent-Length: {length}\r\n\r\n");
    host.running.connect().ask(head + &"a".repeat(length))
}

/// The head of the answer of [`Guest::Large`], read and no more.
fn large(host: &ConfiguredHost) -> String {
    let mut client = host.running.connect();
    client.send(of("one", "/"));
    let head = client.read_until("\r\n");
    String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned()
}

fn connections_out(host: &ConfiguredHost) -> String {
    // The address is in the configuration.
    let text = std::fs::read_to_string(host.config()).expect("the configuration is there");
    let address = text.split_once("tcp=").and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
    ask(host, "one", &format!("/tcp-many?{address}")).text()
}

fn guest_lines(host: &ConfiguredHost) -> String {
    ask(host, "one", "/log?n=200");
    host.running.wait_log(|line| line.target == "access");
    let lines = host.running.guest_lines().iter().filter(|line| line.starts_with("line ")).count();
    if lines == 200 { "all".to_owned() } else { "fewer".to_owned() }
}

fn retry_after_a_crash(host: &ConfiguredHost) -> String {
    let mut client = host.running.connect();
    client.ask(of("one", "/trap"));
    header(&client.ask(of("one", "/ok")), "retry-after")
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
            status_on(&mut client)
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
            let told = host.running.try_wait_log(
                |line| line.message.starts_with("write_stall_timeout"),
                Duration::from_millis(1_500),
            );
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
        look: ok,
        seen: ["does not start", "200"],
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
            ask(host, "one", "/trap");
            // Each probe that crashes doubles it, as far as it goes.
            for _ in 0..2 {
                until(|| (status(&ask(host, "one", "/trap")) == "500").then_some(()));
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
        key: "log_bytes_per_second",
        guest: Guest::Misbehave,
        always: "",
        values: [Some("100"), None],
        look: guest_lines,
        seen: ["fewer", "all"],
    },
];

/// Whether the tenant of an endless loop is told to wait within a second.
fn told_beside_a_loop(host: &ConfiguredHost) -> String {
    let mut busy = host.running.connect();
    busy.send(of("one", "/loop-after-head")).read_until("\r\n\r\n");
    let begun = std::time::Instant::now();
    loop {
        let told = ok(host);
        assert!(begun.elapsed() < DEADLINE, "no answer comes");
        if told != "200" || begun.elapsed() > Duration::from_secs(1) {
            return told;
        }
    }
}

#[test]
fn limits_of_the_host() {
    show(OF_HOST, "limits", true);
}

#[test]
fn limits_of_apps_that_the_host_has() {
    show(OF_APP, "limits", true);
}

#[test]
fn limits_of_an_app() {
    show(OF_APP, "app.limits", false);
}

#[test]
fn quotas_of_a_tenant() {
    show(OF_TENANT, "tenant.one", true);
}

#[test]
fn quotas_of_tenants_that_say_nothing() {
    show(OF_TENANT, "defaults.quotas", true);
}
