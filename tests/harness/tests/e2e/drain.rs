//! The end of a server, on SIGTERM and SIGINT: what is idle closes, what is in
//! flight is finished or cut, and the log counts both.

use std::net::TcpStream;
use std::time::Duration;

use innkeeper_harness::DEADLINE;
use innkeeper_harness::server::{Exit, Running};
use innkeeper_harness::wire::{Client, open};
use rustix::process::Signal;
use serde_json::json;

use crate::support::{assert_ok, get, lasts, misbehave, promptly, refusal_of, scripted};

/// Begins an exchange that lasts until its body comes.
fn hold(server: &Running) -> Client {
    let mut client = server.connect();
    client.send("POST /hold HTTP/1.1\r\nHost: inn\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client
}

fn echo() -> innkeeper_harness::server::Server {
    scripted(json!([["read-body"], ["end-with", "body"]]))
}

const LAST: &str = "HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";

#[track_caller]
fn terminate(server: &Running, signal: Signal) {
    server.signal(signal);
    server.wait_log(|line| line.target == "drain" && line.message.starts_with("draining"));
}

/// The counts of the last line.
#[track_caller]
fn assert_report(exit: &Exit, finished: u64, cut: u64) {
    assert_eq!(exit.status.code(), Some(0));
    let line = exit.logs.last().expect("there is a log");
    assert_eq!(line.message, format!("stopped: {finished} exchanges finished, {cut} cut"));
    assert_eq!((line.number("finished"), line.number("cut")), (Some(finished), Some(cut)));
}

#[test]
fn idle_and_unused_connections_close_at_once() {
    let server = misbehave().start();
    let (mut idle, mut unused) = (server.connect(), server.connect());
    assert_ok(&mut idle);
    promptly(|| {
        server.signal(Signal::TERM);
        idle.expect_close();
        unused.expect_close();
        let exit = server.wait_exit(DEADLINE);
        // The one that was answered just before may count as finished.
        assert_eq!(
            (exit.status.code(), exit.logs.last().and_then(|line| line.number("cut"))),
            (Some(0), Some(0))
        );
    });
}

#[test]
fn an_idle_connection_may_make_one_more_request() {
    // The time for it is short: a busy machine may miss it.
    let answered = (0..5).any(|_| {
        let server = misbehave().start();
        let mut idle = server.connect();
        assert_ok(&mut idle);
        terminate(&server, Signal::TERM);
        idle.try_send(get("/ok")) && idle.read_to("Connection: close\r\nContent-Length: 2\r\n\r\nok")
    });
    assert!(answered, "none was answered");
}

#[test]
fn what_is_in_flight_is_finished() {
    let server = echo().start();
    let mut held: Vec<_> = (0..3).map(|_| hold(&server)).collect();
    terminate(&server, Signal::TERM);
    for client in &mut held {
        // What is pipelined behind it is not taken any more.
        client.send("hello").send(get("/more")).expect(LAST);
        client.expect_close();
    }
    // What they sent in vain is read until they close, too.
    drop(held);
    promptly(|| assert_report(&server.wait_exit(DEADLINE), 3, 0));
}

#[test]
fn a_head_under_way_is_answered() {
    let server = echo().start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n");
    // By the time that these have been told so, it has been read.
    for _ in 0..5 {
        assert_eq!(server.connect().ask("no request\r\n").status(), Some(400));
    }
    terminate(&server, Signal::TERM);
    client.send("\r\nhello").expect(LAST);
    client.expect_close();
    assert_report(&server.wait_exit(DEADLINE), 1, 0);
}

#[test]
fn no_connection_is_taken_any_more() {
    let server = echo().start();
    let mut held = hold(&server);
    terminate(&server, Signal::TERM);
    // One that comes just before the listener closes is dropped with it.
    while let Ok(stream) = open(server.addr()) {
        drop_unanswered(stream);
    }
    held.send("hello").expect(LAST);
    assert_report(&server.wait_exit(DEADLINE), 1, 0);
}

#[track_caller]
fn drop_unanswered(mut stream: TcpStream) {
    use std::io::Read as _;
    stream.set_read_timeout(Some(DEADLINE)).expect("the time is not zero");
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    assert_eq!(received, b"");
}

#[test]
fn a_deadline_cuts() {
    let server = misbehave().arg("--drain-timeout", "300ms").start();
    let mut clients: Vec<_> = ["/set-timeout?ms=0", "/loop-after-head"]
        .map(|target| {
            let mut client = server.connect();
            client.send(get(target)).read_until("\r\n\r\n");
            client
        })
        .into();
    let exit = lasts(Duration::from_millis(300), || {
        server.signal(Signal::TERM);
        for client in &mut clients {
            assert_eq!(client.read_to_end().0, b"");
        }
        server.wait_exit(DEADLINE)
    });
    assert_report(&exit, 0, 2);
}

#[test]
fn a_second_signal_cuts() {
    let server = echo().start();
    let (mut finished, mut cut) = (hold(&server), hold(&server));
    terminate(&server, Signal::INT);
    finished.send("hello").expect(LAST);
    finished.expect_close();
    promptly(|| {
        server.signal(Signal::TERM);
        assert_eq!(cut.read_to_end().0, b"");
        assert_report(&server.wait_exit(DEADLINE), 1, 1);
    });
}

#[test]
fn timeouts_go_on() {
    let server = echo().arg("--request-timeout", "300ms").start();
    let mut held = hold(&server);
    terminate(&server, Signal::TERM);
    held.expect(refusal_of(1, "408 Request Timeout"));
    held.expect_close();
    drop(held);
    promptly(|| server.wait_exit(DEADLINE));
}

#[test]
fn a_client_that_lingers_does_not_hold_up_a_second_signal() {
    let server = misbehave().start();
    let mut client = server.connect();
    client.send("POST /never-read HTTP/1.1\r\nHost: inn\r\nContent-Length: 1000000\r\n\r\n");
    assert_eq!(client.read_response().text(), "not read");
    terminate(&server, Signal::TERM);
    server.signal(Signal::TERM);
    promptly(|| server.wait_exit(DEADLINE));
}

#[test]
fn for_a_delay_all_goes_on_as_before() {
    let server = echo().arg("--drain-delay", "500ms").start();
    let mut held = hold(&server);
    lasts(Duration::from_millis(500), || {
        server.signal(Signal::TERM);
        server.wait_log(|line| line.target == "drain" && line.message.starts_with("not ready"));
        let mut client = server.connect();
        assert_eq!(client.ask(get("/")).header("connection"), Some("keep-alive"));
        client.expect_close();
    });
    held.send("hello").expect(LAST);
    drop(held);
    // Only what ends in the drain itself counts.
    promptly(|| assert_report(&server.wait_exit(DEADLINE), 1, 0));
}
