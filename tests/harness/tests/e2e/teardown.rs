//! A guest that ends its connection, in every phase of an exchange; and what
//! becomes of a response that nobody reads.

use std::time::Duration;

use innkeeper_harness::server::Server;
use innkeeper_harness::wire::{Client, End};
use serde_json::json;

use crate::support::{assert_entries, get, lasts, misbehave, promptly, scripted, tunnels, wait_access};

const TIME: Duration = Duration::from_millis(300);

/// Far less than [`TIME`].
const MOMENT: Duration = Duration::from_millis(20);

/// More than all buffers hold.
const LENGTH: usize = 32 << 20;

#[test]
fn before_the_head_nothing_is_sent() {
    let server = scripted(json!([["set-header", "X", "y"], ["destroy"]])).start();
    let mut client = server.connect();
    client.send(get("/")).expect_close();
    wait_access(&server, "/");
    // What the guest had set and not sent is gone with it.
    let server = scripted(json!([["write", "part"], ["destroy"]])).start();
    let (received, end) = server.connect().send(get("/")).read_to_end();
    assert!(!received.ends_with(b"0\r\n\r\n"), "{received:?}");
    assert_eq!(end, End::Closed);
}

#[test]
fn no_call_succeeds_any_more() {
    let server = scripted(json!([["destroy"], ["try", ["write", "x"]], ["try", ["end", "x"]]])).start();
    server.connect().send(get("/")).expect_close();
    wait_access(&server, "/");
    let lines = server.guest_lines();
    // It may be ended at any time.
    let expected = ["LOG \"write failed: destroyed\"", "LOG \"end failed: destroyed\""];
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert!(expected.starts_with(&lines), "{lines:?}");
}

#[test]
fn in_the_body_the_client_sees_that_it_is_not_whole() {
    let server =
        scripted(json!([["write", "part"], ["flush-headers"], ["sleep-ms", 100], ["destroy"]])).start();
    let mut client = server.connect();
    client.send(get("/"));
    let response = client.read_response();
    assert_eq!((response.text().as_str(), response.complete), ("part", false));
    assert_eq!(client.read_to_end(), (Vec::new(), End::Closed));
}

#[test]
fn bytes_that_were_not_read_make_it_a_reset() {
    let server = scripted(json!([["sleep-ms", 100], ["destroy"]])).start();
    let mut client = server.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: {LENGTH}\r\n\r\n"));
    client.try_send(vec![b'a'; 1 << 20]);
    assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
}

#[test]
fn what_is_pipelined_behind_it_is_not_served() {
    let server =
        scripted(json!({ "/": [["destroy"]], "/second": [["log", "second"], ["end", "x"]] })).start();
    let (received, _) = server.connect().send(get("/") + &get("/second")).read_to_end();
    assert_eq!(received, b"");
    assert_entries::<&str>(&server, &[]);
}

fn endless(server: Server) -> Server {
    server.arg("--cpu-time-max", "off").arg("--write-stall-timeout", "300ms")
}

/// Asks, and reads nothing of the answer.
fn ask_and_wait(server: &innkeeper_harness::server::Running) -> Client {
    let mut client = server.connect();
    client.send(get("/"));
    client
}

#[test]
fn a_write_that_nobody_reads_times_out() {
    let ops = json!([["try", ["write", [{ "repeat": "a", "times": LENGTH }]]], ["try", ["write", "more"]]]);
    let server = endless(scripted(ops)).start();
    let mut client = lasts(TIME - MOMENT, || {
        let client = ask_and_wait(&server);
        assert_entries(&server, &["write failed: timeout", "write failed: timeout"]);
        client
    });
    assert!(!client.read_response().complete);
}

#[test]
fn the_end_of_a_response_that_nobody_reads_is_told() {
    let server = endless(tunnels()).start();
    let mut client = server.connect();
    lasts(TIME - MOMENT, || {
        client.send(get("/finish-stall"));
        server.wait_guest_line("finished: timeout");
    });
    assert_eq!(server.guest_lines(), ["write: timeout", "end: timeout", "finished: timeout"]);
    assert!(!client.read_response().complete);
    server.wait_log(|line| line.level == "INFO" && line.message.starts_with("write_stall_timeout"));
    // A client that reads hears all of it.
    let mut client = server.connect();
    assert_eq!(client.ask(get("/finish-stall?bytes=1000000")).body.len(), 1_000_000);
    server.wait_guest_line("finished: ok");
}

#[test]
fn the_end_of_a_response_whose_client_goes_is_not_told_as_a_success() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(get("/finish-stall")).read_until("aaaa");
    client.reset();
    promptly(|| wait_access(&server, "/finish-stall"));
    // A guest whose client has reset is ended; it hears of it at most.
    let lines = server.guest_lines();
    assert!(lines.iter().all(|line| line.ends_with("connection-reset")), "{lines:?}");
}

#[test]
fn a_connection_that_is_to_close_soon_waits_for_the_client_as_long_as_it_is_told() {
    let server = misbehave().start();
    let mut client = server.connect();
    let begun = std::time::Instant::now();
    assert_eq!(client.ask(get("/destroy-soon?ms=300")).text(), "the last answer");
    client.expect_close();
    // It takes what the client sends, until the time is over.
    while client.try_send("x") {
        assert!(begun.elapsed() < innkeeper_harness::DEADLINE, "it takes bytes for ever");
    }
    assert!(begun.elapsed() >= TIME - MOMENT);
}

#[test]
fn a_destroyed_connection_takes_no_other_with_it() {
    let server = scripted(json!({ "/destroy": [["destroy"]], "*": [["end", "ok"]] })).start();
    let mut other = server.connect();
    assert_eq!(other.ask(get("/")).text(), "ok");
    server.connect().send(get("/destroy")).expect_close();
    assert_eq!(other.ask(get("/")).text(), "ok");
}
