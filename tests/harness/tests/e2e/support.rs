//! What several modules say to the same guests, and how they wait.

use std::time::{Duration, Instant};

use innkeeper_harness::DEADLINE;
use innkeeper_harness::logs::LogLine;
use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::wire::Client;
use serde_json::{Value, json};

/// What `/ok` of the guest `misbehave` answers.
pub const OK: &str = "HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
     Content-Length: 2\r\n\r\nok";

/// What a guest that takes a connection over answers, in scripts.
pub const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n";

/// How much later than its time something may happen on a busy machine: less
/// than any timeout is by default, so that none of those is taken for it.
const LATENESS: Duration = Duration::from_secs(4);

/// How much earlier than its time something may seem to happen: the host
/// counts in milliseconds.
const EARLINESS: Duration = Duration::from_millis(5);

/// The guest that does what the target names; see `tests/guests/misbehave`.
pub fn misbehave() -> Server {
    Server::of("misbehave")
}

/// The guest that treats connections badly, or the server; see
/// `tests/guests/tunnels`.
pub fn tunnels() -> Server {
    Server::of("tunnels")
}

/// The guest that runs ops: one list for all targets, or one for each. The
/// ops are those of `tests/node-cases/README.md`.
pub fn scripted(request: Value) -> Server {
    Server::of("node-case").env("CASE_ON", &json!({ "request": request }).to_string())
}

/// The same, with ops for each export: the guest has those that are named, and
/// `request`.
pub fn scripted_on(on: Value) -> Server {
    let exports = on.as_object().expect("exports are named").keys();
    let features: Vec<_> = exports.map(String::as_str).filter(|export| *export != "request").collect();
    Server::with_features("node-case", &features).env("CASE_ON", &on.to_string())
}

/// A request without a body.
pub fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: inn\r\n\r\n")
}

/// A request for another protocol.
pub fn upgrade(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: inn\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
}

/// The host's own answer to what is no good request, `400 Bad Request` say.
pub fn refusal(status: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nDate: <DATE>\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{status}\n",
        status.len() + 1
    )
}

/// The host's own answer in the place of a guest's: it has the number of the
/// exchange, too.
pub fn refusal_of(exchange: u64, status: &str) -> String {
    let line = format!("exchange {exchange}\n");
    let length = status.len() + 1;
    refusal(status).replace(&format!("Length: {length}"), &format!("Length: {}", length + line.len())) + &line
}

/// A new connection is served by `misbehave`.
#[track_caller]
pub fn assert_serves(server: &Running) {
    assert_ok(&mut server.connect());
}

/// There is an instance for the next request, on this connection, as soon as
/// that of an exchange that is over has been given back. Until then the answer
/// is a 503.
#[track_caller]
pub fn assert_admits(client: &mut Client) {
    promptly(|| while client.ask(get("/ok")).status() == Some(503) {});
    assert_ok(client);
}

/// A guest that does this with a connection that it takes over, and answers
/// ordinary requests with `plain`.
pub fn tunnelling(ops: Value) -> Server {
    scripted_on(json!({ "request": [["end", "plain"]], "upgrade": ops }))
}

/// One that switches, echoes until the client's end, and ends too.
pub fn echoing() -> Server {
    tunnelling(json!([["tunnel-write", SWITCH], ["tunnel-echo"]]))
}

/// A tunnel of an echo, through which a word has gone.
#[track_caller]
pub fn open_tunnel(server: &Running) -> Client {
    let mut client = server.connect();
    client.send(upgrade("/") + "ping").expect(SWITCH).expect("ping");
    client
}

/// Ordinary requests are served beside tunnels.
#[track_caller]
pub fn assert_plain(server: &Running) {
    assert_eq!(server.connect().ask(get("/plain")).text(), "plain");
}

/// A tunnel is opened as soon as there is room for it; until then the answer
/// is a 503.
#[track_caller]
pub fn open_when_there_is_room(server: &Running) -> Client {
    promptly(|| {
        loop {
            let mut client = server.connect();
            if client.ask(upgrade("/")).status() == Some(101) {
                return client;
            }
        }
    })
}

/// This connection is served by `misbehave`.
#[track_caller]
pub fn assert_ok(client: &mut Client) {
    client.send(get("/ok")).expect(OK);
}

/// Waits until the exchange of this target is over.
#[track_caller]
pub fn wait_access(server: &Running, target: &str) {
    server.wait_log(|line| line.target == "access" && line.field("url").as_deref() == Some(target));
}

/// The guest of [`scripted`] logs these entries, and has logged no others.
#[track_caller]
pub fn assert_entries<T: AsRef<str>>(server: &Running, expected: &[T]) {
    let mut missing = expected.len();
    if missing > 0 {
        server.wait_log(|line| {
            missing -= usize::from(is_entry(line));
            missing == 0
        });
    }
    let expected: Vec<_> = expected.iter().map(AsRef::as_ref).collect();
    assert_eq!(entries(server), expected);
}

fn entries(server: &Running) -> Vec<String> {
    let lines = server.logs().into_iter().filter(is_entry).map(|line| line.message);
    lines.filter_map(|line| serde_json::from_str(line.strip_prefix("LOG ")?).ok()).collect()
}

fn is_entry(line: &LogLine) -> bool {
    line.is_guest() && line.message.starts_with("LOG ")
}

/// Does something that lasts for `time`: not less, and not much more.
#[track_caller]
pub fn lasts<T>(time: Duration, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    let took = begun.elapsed();
    assert!((time.saturating_sub(EARLINESS)..time + LATENESS).contains(&took), "{took:?}, not {time:?}");
    result
}

/// Does something that must not wait for any timeout that is set.
#[track_caller]
pub fn promptly<T>(work: impl FnOnce() -> T) -> T {
    lasts(Duration::ZERO, work)
}

/// Tries until one of them is served.
#[track_caller]
pub fn until_served(connect: impl Fn() -> Client) {
    let begun = Instant::now();
    loop {
        let mut client = connect();
        client.try_send(get("/ok"));
        // Without room for it, its end comes at once.
        if client.read_to("\r\n\r\nok") {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "none was served");
    }
}
