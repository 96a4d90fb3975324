//! Each timeout, on its own: it passes when it says, for what it says, and
//! neither earlier nor for anything else. The others are as they are by
//! default, which no test waits for.

use std::time::{Duration, Instant};

use innkeeper_harness::server::Running;
use serde_json::json;

use crate::support::{
    assert_ok, assert_serves, get, lasts, misbehave, promptly, refusal, refusal_of, scripted, wait_access,
};

const TIME: Duration = Duration::from_millis(300);

/// Far less than [`TIME`].
const MOMENT: Duration = Duration::from_millis(20);

fn timeout_408() -> String {
    refusal("408 Request Timeout")
}

#[track_caller]
fn wait_fault(server: &Running, name: &str) {
    server.wait_log(|line| line.message.starts_with(name));
}

#[test]
fn a_connection_that_says_nothing() {
    let server = misbehave().arg("--head-timeout", "300ms").start();
    let mut client = lasts(TIME, || {
        let mut client = server.connect();
        client.expect(timeout_408());
        client
    });
    client.expect_close();
}

#[test]
fn a_head_that_stops() {
    let server = misbehave().arg("--head-timeout", "1s").start();
    let mut client = server.connect();
    // The second head has a time of its own, from its first byte on.
    for _ in 0..3 {
        assert!(client.is_silent_for(TIME / 2));
        assert_ok(&mut client);
    }
    lasts(Duration::from_secs(1), || {
        client.send("GET / HTTP/1.1\r\nHo").expect(timeout_408());
    });
    client.expect_close();
}

#[test]
fn a_head_that_dribbles() {
    let server = misbehave().arg("--head-timeout", "300ms").start();
    let mut client = server.connect();
    lasts(TIME - MOMENT, || {
        client.send("GET / HTTP/1.1\r\nX: ");
        while client.is_silent_for(MOMENT) {
            client.send("a");
        }
        client.expect(timeout_408());
    });
}

#[test]
fn the_time_for_a_head_does_not_count_for_its_body() {
    let server =
        scripted(json!([["read-body"], ["end-with", "body"]])).arg("--head-timeout", "100ms").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\n");
    assert!(client.is_silent_for(TIME));
    assert_eq!(client.ask("hello").text(), "hello");
}

#[test]
fn a_body_that_dribbles() {
    let server = scripted(json!([["read-body"], ["end", "ok"]])).arg("--request-timeout", "300ms").start();
    let mut client = server.connect();
    lasts(TIME - MOMENT, || {
        client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 100000\r\n\r\n");
        while client.is_silent_for(MOMENT) {
            client.send("a");
        }
        client.expect(refusal_of(1, "408 Request Timeout"));
    });
    client.expect_close();
    wait_fault(&server, "request_timeout");
}

#[test]
fn a_body_that_stops_after_the_head_was_sent() {
    let server = scripted(json!([["write", "part"], ["read-body"], ["end"]]))
        .arg("--request-timeout", "300ms")
        .start();
    let mut client = server.connect();
    lasts(TIME, || {
        client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\n");
        let response = client.read_response();
        assert_eq!((response.text().as_str(), response.complete), ("part", false));
    });
}

#[test]
fn the_time_for_a_request_does_not_count_for_the_guest() {
    let server = misbehave().arg("--request-timeout", "100ms").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/sleep?ms=300")).text(), "slept");
    // Nor between two requests.
    assert!(client.is_silent_for(TIME));
    assert_ok(&mut client);
}

#[test]
fn an_idle_connection() {
    let server =
        misbehave().arg("--keep-alive-timeout", "100ms").arg("--keep-alive-timeout-buffer", "200ms").start();
    let mut client = server.connect();
    // It counts from the first response on, and not for a head under way.
    assert!(client.is_silent_for(TIME * 2));
    client.send("GET /ok HT");
    assert!(client.is_silent_for(TIME * 2));
    client.send("TP/1.1\r\nHost: inn\r\n\r\n").read_until("\r\n\r\nok");
    lasts(TIME - MOMENT, || client.expect_close());
}

#[test]
fn idle_connections_can_stay() {
    let server = misbehave().arg("--keep-alive-timeout", "off").start();
    let mut client = server.connect();
    client
        .send(get("/ok"))
        .expect("HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    assert!(client.is_silent_for(TIME));
}

#[test]
fn a_socket_on_which_nothing_moves() {
    let server = misbehave().arg("--idle-timeout", "300ms").start();
    // Before a request, inside its head, while the guest waits: no word.
    for request in ["", "GET / HT", &get("/sleep-forever")] {
        let mut client = server.connect();
        lasts(TIME - MOMENT, || client.send(request).expect_close());
    }
    wait_fault(&server, "idle timeout");
    wait_access(&server, "/sleep-forever");
    // Between two requests.
    let mut client = server.connect();
    client.send(get("/ok")).read_until("\r\n\r\nok");
    lasts(TIME - MOMENT, || client.expect_close());
    assert_serves(&server);
}

#[test]
fn a_socket_on_which_something_moves() {
    let server =
        scripted(json!([["read-body"], ["end-with", "body-length"]])).arg("--idle-timeout", "1s").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 30\r\n\r\n");
    let begun = Instant::now();
    for _ in 0..30 {
        assert!(client.is_silent_for(MOMENT * 2));
        client.send("a");
    }
    assert_eq!(client.read_response().text(), "30");
    assert!(begun.elapsed() > Duration::from_secs(1));
}

#[test]
fn a_client_that_takes_nothing() {
    let server = misbehave().arg("--write-stall-timeout", "300ms").start();
    let mut client = server.connect();
    lasts(TIME, || {
        client.send(get("/output"));
        wait_access(&server, "/output");
    });
    wait_fault(&server, "write_stall_timeout");
    let response = client.read_response();
    assert_eq!((response.status(), response.complete), (Some(200), false));
    assert_serves(&server);
}

#[test]
fn a_client_that_takes_nothing_of_what_was_ended() {
    // One piece that is larger than all buffers, and a guest that has returned.
    let server = scripted(json!([["end", [{"repeat": "0123456789abcdef", "times": 1048576}]]]))
        .arg("--write-stall-timeout", "300ms")
        .arg("--cpu-time-max", "off")
        .start();
    let mut client = server.connect();
    client.send(get("/"));
    wait_fault(&server, "write_stall_timeout");
    assert!(!client.read_response().complete);
}

#[test]
fn a_guest_that_waits_is_no_stall() {
    let server = misbehave().arg("--write-stall-timeout", "100ms").start();
    assert_eq!(server.connect().ask(get("/sleep?ms=400")).text(), "slept");
}

#[test]
fn a_time_that_the_guest_sets() {
    let server = misbehave().start();
    let mut client = server.connect();
    lasts(TIME - MOMENT, || {
        client.send(get("/set-timeout?ms=300")).read_until("\r\n\r\n");
        assert_eq!(client.read_to_end().0, b"");
    });
}

#[test]
fn a_time_that_the_guest_sets_is_no_longer_than_the_operators() {
    let server = misbehave().arg("--idle-timeout", "300ms").start();
    let mut client = server.connect();
    lasts(TIME - MOMENT, || {
        client.send(get("/set-timeout?ms=60000")).read_until("\r\n\r\n");
        assert_eq!(client.read_to_end().0, b"");
    });
}

#[test]
fn an_empty_line_does_not_begin_a_request() {
    let server =
        misbehave().arg("--keep-alive-timeout", "100ms").arg("--keep-alive-timeout-buffer", "200ms").start();
    let mut client = server.connect();
    client.send(get("/ok")).read_until("\r\n\r\nok");
    client.send("\r\n");
    // Closed as idle, and not with a 408 at the end of the time for a head.
    promptly(|| client.expect_close());
}
