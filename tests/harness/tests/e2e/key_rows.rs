//! How it is shown that a key of a table acts: two values, and what is seen at
//! the wire, in the log or by the administration with each of them. The rows
//! are in `key_limits`, `key_app_limits`, `key_outbound` and `key_quotas`;
//! `config_keys` sees to it that no key is left out.

use std::net::TcpListener;
use std::time::Duration;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::message::Message;
use innkeeper_harness::wire::Client;
use serde_json::json;

use crate::inns::{app, ask, holding, of, script, with_cache};
use crate::keyvalue::play;
use crate::support::SWITCH;

/// A key with two values.
pub struct Row {
    /// Its name in its table.
    pub key: &'static str,
    /// The guest of the app `one`.
    pub guest: Guest,
    /// The lines of the table that are the same with both.
    pub always: &'static str,
    /// The value, as it is written; none leaves the key out.
    pub values: [Option<&'static str>; 2],
    /// What to look at.
    pub look: fn(&ConfiguredHost) -> String,
    /// What is seen with each value.
    pub seen: [&'static str; 2],
}

/// What the app `one` is, and what else stands in its table.
#[derive(Clone, Copy)]
pub enum Guest {
    /// It does what the target names.
    Misbehave,
    /// The same, in instances that serve several requests.
    Pooled,
    /// Its requests meet in one instance.
    Meeting,
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
    /// It may send requests to this machine.
    Fetching,
    /// It keeps keys and values as a script says.
    Keeping,
}

impl Guest {
    /// The app's table, which may go on; it may connect to `address`.
    fn table(self, address: &str) -> String {
        let (guest, lines) = match self {
            Guest::Misbehave => ("misbehave", String::new()),
            Guest::Pooled => ("misbehave", "instances = \"pooled\"\n".to_owned()),
            Guest::Meeting => ("wasi-p3", "instances = \"pooled\"\n".to_owned()),
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
                let on = json!({ "request": [], "upgrade": [["tunnel-write", SWITCH], ["tunnel-echo"]] });
                ("node-case+upgrade", format!("env = {{ CASE_ON = {} }}\n", json!(on.to_string())))
            }
            Guest::Connecting => ("tunnels", format!("allow = [\"tcp={address}\"]\n")),
            Guest::Keeping => ("kv", "keyvalue = [\"default\"]\n".to_owned()),
            Guest::Fetching => ("fetch", "outbound = [\"http://127.0.0.1:*\"]\n".to_owned()),
        };
        app("one", guest, &lines)
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
pub fn show(rows: &[Row], table: &str, before: bool) {
    for row in rows {
        for (value, seen) in row.values.iter().zip(row.seen) {
            // It accepts what it never answers: the guest wants no more.
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("a bound socket has an address").to_string();
            let (app, lines) = (row.guest.table(&address), lines(row, *value));
            let toml = match before {
                true => format!("[{table}]\n{lines}{app}"),
                false => format!("{app}[{table}]\n{lines}"),
            };
            let found = match ConfiguredHost::start(&with_cache(&toml)) {
                Ok(host) => (row.look)(&host),
                Err(error) => {
                    let told = format!("{error:#}");
                    // The pool that a host's limits size has words of its own.
                    let because =
                        told.contains(&format!("{}: ", row.key)) || told.contains("pooling allocator");
                    assert!(because, "[{table}] {} = {value:?}: {told}", row.key);
                    "too large".to_owned()
                }
            };
            assert_eq!(found, seen, "[{table}] {} = {value:?}", row.key);
        }
    }
}

/// The status of an answer.
pub fn status(response: &Message) -> String {
    response.status().unwrap_or_default().to_string()
}

/// A header of an answer, or `none`.
pub fn header(response: &Message, name: &str) -> String {
    response.header(name).unwrap_or("none").to_owned()
}

/// Whether there is an answer, or the connection is `closed` without one.
pub fn answered_on(client: &mut Client) -> String {
    if client.read_to("\r\n") { "answered".to_owned() } else { "closed".to_owned() }
}

/// What a connection does within this time: `silent`, `closed` or `talks`.
pub fn within(client: &mut Client, time: Duration) -> String {
    if client.is_silent_for(time) {
        return "silent".to_owned();
    }
    if client.read_to(" ") { "talks".to_owned() } else { "closed".to_owned() }
}

/// Longer than what is short in these rows, and shorter than what is not.
pub const SOON: Duration = Duration::from_millis(1_500);

/// What `/ok` of the app is told.
pub fn ok(host: &ConfiguredHost) -> String {
    status(&ask(host, "one", "/ok"))
}

/// What is answered to a body of this length.
pub fn post(host: &ConfiguredHost, target: &str, length: usize) -> Message {
    let head = format!("POST {target} HTTP/1.1\r\nHost: one.example\r\nContent-Length: {length}\r\n\r\n");
    host.running.connect().ask(head + &"a".repeat(length))
}

/// The status of the answer of [`Guest::Large`]; no more of it is read.
pub fn large(host: &ConfiguredHost) -> String {
    let mut client = host.running.connect();
    client.send(of("one", "/"));
    let head = client.read_until("\r\n");
    String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// How many connections a guest can open at once.
pub fn connections_out(host: &ConfiguredHost) -> String {
    // The address is in the configuration.
    let text = std::fs::read_to_string(host.config()).expect("the configuration is there");
    let address = text.split_once("tcp=").and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default();
    ask(host, "one", &format!("/tcp-many?{address}")).text()
}

/// What comes of the last call of a script for [`Guest::Keeping`]: `done`, or
/// that it is `refused`.
pub fn kept(host: &ConfiguredHost, script: &str) -> String {
    let lines = play(&mut host.running.connect(), "one", script);
    if lines.last().is_some_and(|line| line == "done") { "done".to_owned() } else { "refused".to_owned() }
}

/// Whether all of the lines of a guest come to the log.
pub fn guest_lines(host: &ConfiguredHost) -> String {
    ask(host, "one", "/log?n=200");
    host.running.wait_log(|line| line.target == "access");
    let lines = host.running.guest_lines().iter().filter(|line| line.starts_with("line ")).count();
    if lines == 200 { "all".to_owned() } else { "fewer".to_owned() }
}
