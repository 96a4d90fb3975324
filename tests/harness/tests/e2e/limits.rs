//! Every limit bites: what comes above it is told so, and what comes after is
//! served. Limits of heads and bodies are in `framing_in`, times in `timeouts`,
//! those of guests without end in `misbehave`.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use innkeeper_harness::server::Running;
use innkeeper_harness::wire::{Client, End};
use innkeeper_harness::workspace::root;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::json;

use crate::support::{
    OK, assert_admits, assert_entries, assert_ok, assert_serves, get, lasts, misbehave, promptly, scripted,
    until_served, wait_access,
};

#[test]
fn every_limit_has_a_flag_and_a_test() {
    let limits = fs::read_to_string(root().join("host/src/config/limits.rs")).expect("the limits are there");
    let help = include_str!("../../golden/help-serve.txt");
    let folder = root().join("tests/harness/tests/e2e");
    let tests: String = fs::read_dir(folder)
        .expect("the tests can be listed")
        .map(|entry| entry.expect("the tests can be listed").path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).expect("a test is text"))
        .collect();
    let fields = limits.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    let fields = fields.filter(|(field, _)| !field.contains(' '));
    let flags: Vec<_> = fields.map(|(field, _)| format!("--{}", field.replace('_', "-"))).collect();
    assert!(flags.len() > 20, "{flags:?}");
    let missing: Vec<_> = flags
        .iter()
        .filter(|flag| !help.contains(&format!("{flag} ")) && !help.contains(&format!("{flag}\n")))
        .chain(flags.iter().filter(|flag| !tests.contains(&format!("({flag:?}"))))
        .collect();
    assert!(missing.is_empty(), "without a flag or a test: {missing:?}");
}

#[test]
fn one_connection_more_than_there_may_be() {
    let server = misbehave().arg("--connections-max", "2").start();
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_ok(&mut first);
    assert_ok(&mut second);
    promptly(|| assert_eq!(server.connect().read_to_end(), (Vec::new(), End::Closed)));
    let line = server.wait_log(|line| line.message == "connection closed: too many");
    assert_eq!((line.level.as_str(), line.number("connections_max")), ("WARN", Some(2)));
    assert_ok(&mut first);
    drop(first);
    until_served(|| server.connect());
    assert_ok(&mut second);
}

#[test]
fn one_connection_more_than_a_peer_may_have() {
    let server = misbehave().arg("--connections-per-peer-max", "1").start();
    let mut first = server.connect();
    assert_ok(&mut first);
    let mut second = server.connect();
    promptly(|| {
        second.expect(
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n\r\n\
             too many connections from this address\n",
        );
        second.expect_close();
    });
    let line = server.wait_log(|line| line.message == "connection refused: too many of this peer");
    assert_eq!(line.number("connections_per_peer_max"), Some(1));
    // Another peer is not concerned.
    let other: IpAddr = "127.0.0.2".parse().expect("an address");
    let mut other = Client::connect_from(other, server.addr());
    assert_ok(&mut other);
    assert_ok(&mut first);
    drop(first);
    until_served(|| server.connect());
}

#[test]
fn connections_for_which_there_is_no_descriptor() {
    let server = misbehave().start();
    assert_serves(&server);
    let spare = 3;
    let before = limit_descriptors(&server, spare);
    let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(get("/ok"));
    }
    let line = server.wait_log(|line| line.message == "cannot accept connections");
    assert!(line.field("error").is_some_and(|error| error.contains("open files")), "{line:?}");
    // It does not try again at once, but later and later.
    for retry_in in ["10ms", "20ms", "40ms", "80ms"] {
        server.wait_log(|line| line.field("retry_in").as_deref() == Some(retry_in));
    }
    // Who has got in is served; who leaves makes room for the next.
    while !clients.is_empty() {
        clients.remove(0).expect(OK);
    }
    set_descriptors(&server, before);
    assert_serves(&server);
}

/// Lets the server open only so many descriptors more, and returns how many
/// there could be before.
pub fn limit_descriptors(server: &Running, spare: usize) -> Rlimit {
    let folder = format!("/proc/{}/fd", server.process().id());
    let open = fs::read_dir(folder).expect("the server runs");
    let open: Vec<u64> = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The limit is for numbers; those below it may have gaps.
    let last = (0..).filter(|number| !open.contains(number)).nth(spare - 1);
    set_descriptors(server, Rlimit { current: last.map(|last| last + 1), ..getrlimit(Resource::Nofile) })
}

pub fn set_descriptors(server: &Running, limit: Rlimit) -> Rlimit {
    let id = i32::try_from(server.process().id()).expect("an id is small");
    prlimit(Pid::from_raw(id), Resource::Nofile, limit).expect("a child's limits can be lowered")
}

#[test]
fn one_request_more_than_there_are_instances() {
    let server = misbehave().arg("--instances-max", "2").start();
    let mut busy: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for client in &mut busy {
        client.send(get("/set-timeout?ms=0")).read_until("\r\n\r\n");
    }
    let mut client = server.connect();
    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n\
         Date: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 35\r\n\r\n\
         503 Service Unavailable\nexchange 3\n";
    promptly(|| {
        client.send(get("/ok")).expect(head);
    });
    let line = server.wait_log(|line| line.message.starts_with("instances_max"));
    assert_eq!(line.field("app").as_deref(), Some("misbehave"));
    // An idle connection has no instance, and the same one is served later.
    busy.remove(0).reset();
    wait_access(&server, "/set-timeout?ms=0");
    assert_admits(&mut client);
}

#[test]
fn cpu_time() {
    let server = misbehave().arg("--cpu-time-max", "300ms").arg("--name", "inn").start();
    let mut client = server.connect();
    lasts(Duration::from_millis(300), || {
        let response = client.ask(get("/loop"));
        assert_eq!(response.status(), Some(500));
        assert_eq!(response.text(), "500 Internal Server Error\nexchange 1\n");
    });
    let line = server.wait_log(|line| line.message == "cpu_time_max: the guest used up its CPU time");
    assert_eq!(
        (line.level.as_str(), line.field("app").as_deref(), line.number("exchange")),
        ("ERROR", Some("inn"), Some(1))
    );
    // Waiting costs none of it.
    assert_eq!(client.ask(get("/sleep?ms=600")).text(), "slept");
}

#[test]
fn wall_time() {
    let server = misbehave().arg("--wall-time-max", "300ms").start();
    let mut client = server.connect();
    lasts(Duration::from_millis(300), || {
        assert_eq!(client.ask(get("/sleep-forever")).status(), Some(500));
    });
    lasts(Duration::from_millis(300), || {
        assert_eq!(client.ask(get("/loop")).status(), Some(500));
    });
    server.wait_log(|line| line.message.starts_with("wall_time_max") && line.number("exchange") == Some(2));
    assert_ok(&mut client);
}

#[test]
fn memory() {
    let server = misbehave().arg("--memory-bytes-max", "8MiB").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/grow")).status(), Some(500));
    server.wait_log(|line| line.level == "ERROR" && line.message.starts_with("memory_bytes_max"));
    assert_ok(&mut client);
}

#[test]
fn a_body_that_is_larger_than_the_guest() {
    let server = scripted(json!([["read-body"], ["end", "read"]])).arg("--memory-bytes-max", "8MiB").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 16777216\r\n\r\n");
    client.try_send(vec![b'a'; 16 << 20]);
    // It is told so before its memory is full, and can answer as it likes.
    assert_entries(&server, &["read-body failed: limit-exceeded"]);
    assert_eq!(client.read_response().status(), Some(500));
}

#[test]
fn handles() {
    let server = misbehave().arg("--handles-max", "50").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/handles")).status(), Some(500));
    server.wait_log(|line| line.level == "ERROR" && line.message.starts_with("handles_max"));
    assert_ok(&mut client);
}

#[test]
fn the_head_of_a_response() {
    // `X`, `: `, the value and CRLF.
    let server = scripted(json!([
        ["try", ["set-header", "X", [{"repeat": "a", "times": 96}]]],
        ["set-header", "X", [{"repeat": "a", "times": 95}]],
        ["try", ["append-header", "X", ""]],
        ["try", ["set-header", "Y", ""]],
        ["try", ["write-head", 200, null, [["Y", ""]]]],
        ["try", ["add-trailers", [["Y", [{"repeat": "a", "times": 96}]]]]],
        ["try", ["write-early-hints", ["<a>; rel=b"], [["Y", [{"repeat": "a", "times": 96}]]]]],
        ["end", "ok"],
    ]))
    .arg("--response-head-bytes-max", "100")
    .start();
    let response = server.connect().ask(get("/"));
    assert_eq!(response.header("x").map(str::len), Some(95));
    assert_eq!((response.header("y"), response.text().as_str()), (None, "ok"));
    let told =
        ["set-header", "append-header", "set-header", "write-head", "add-trailers", "write-early-hints"];
    assert_entries(&server, &told.map(|op| format!("{op} failed: limit-exceeded")));
}

#[test]
fn the_lines_of_a_response() {
    let server = scripted(json!([
        ["set-header", "X", ["1", "2"]],
        ["try", ["append-header", "X", "3"]],
        ["try", ["set-header", "Y", "3"]],
        ["end", "ok"],
    ]))
    .arg("--header-count-max", "2")
    .start();
    let response = server.connect().ask(get("/"));
    assert_eq!((response.values("x"), response.header("y")), (vec!["1", "2"], None));
}

#[test]
fn what_a_guest_buffers_without_waiting() {
    let server = misbehave().arg("--response-buffer-bytes-max", "1MiB").arg("--cpu-time-max", "off").start();
    let mut client = server.connect();
    client.send(get("/try-output"));
    let line = server.wait_log(|line| line.is_guest() && line.message.starts_with("try-write: "));
    let bytes = line.message.strip_prefix("try-write: limit-exceeded after ").expect("it was refused");
    let bytes: usize = bytes.strip_suffix(" bytes").and_then(|bytes| bytes.parse().ok()).expect("a number");
    // The buffer, and what the system's own hold.
    assert!((1 << 20..64 << 20).contains(&bytes), "{bytes} bytes");
}

#[test]
fn a_body_that_may_not_be() {
    let server = scripted(json!([["set-status", 204], ["try", ["end", "hello"]], ["end"]]))
        .flag("--reject-body-not-allowed")
        .start();
    server.connect().send(get("/")).expect(
        "HTTP/1.1 204 No Content\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n",
    );
    assert_entries(&server, &["end failed: body-not-allowed"]);
}

#[test]
fn lines_of_a_guest() {
    let server = misbehave().arg("--log-bytes-per-second", "100").arg("--name", "inn").start();
    let mut client = server.connect();
    // `line 10 of 99` and its end are 14 bytes.
    assert_eq!(client.ask(get("/log?n=99")).text(), "logged");
    wait_access(&server, "/log?n=99");
    let lines = server.guest_lines().len();
    assert!((7..50).contains(&lines), "{lines} lines");
    // When there is room again, the log says how many are missing.
    let line = loop {
        client.ask(get("/log?n=1"));
        let dropped = |line: &innkeeper_harness::logs::LogLine| {
            line.message.ends_with("lines of the guest were dropped")
        };
        if let Some(line) = server.logs().into_iter().find(dropped) {
            break line;
        }
    };
    assert_eq!((line.level.as_str(), line.field("app").as_deref()), ("WARN", Some("inn")));
}
