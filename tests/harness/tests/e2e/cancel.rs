//! Who goes away takes only what is their own with them.

use innkeeper_harness::wire::End;
use serde_json::json;

use crate::support::{
    assert_admits, assert_ok, assert_serves, get, misbehave, promptly, scripted, wait_access,
};

#[test]
fn a_reset_ends_a_guest_that_waits() {
    let server = misbehave().arg("--instances-max", "1").start();
    for target in ["/set-timeout?ms=0", "/sleep-forever"] {
        let mut client = server.connect();
        client.send(get(target));
        if target == "/set-timeout?ms=0" {
            // The guest runs already; the other one may not have begun.
            client.read_until("\r\n\r\n");
        }
        client.reset();
        promptly(|| wait_access(&server, target));
        assert_admits(&mut server.connect());
    }
}

#[test]
fn a_reset_ends_a_guest_that_computes() {
    let server = misbehave().arg("--instances-max", "1").arg("--cpu-time-max", "off").start();
    let mut client = server.connect();
    client.send(get("/loop-after-head")).read_until("\r\n\r\n");
    client.reset();
    promptly(|| wait_access(&server, "/loop-after-head"));
    assert_admits(&mut server.connect());
}

#[test]
fn a_reset_ends_a_guest_that_waits_for_the_body() {
    let server = scripted(json!([["flush-headers"], ["read-body"], ["log", "read"], ["end"]]))
        .arg("--instances-max", "1")
        .start();
    let mut client = server.connect();
    client.send("POST /a HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nhe").read_until("\r\n\r\n");
    client.reset();
    promptly(|| wait_access(&server, "/a"));
    let mut client = server.connect();
    promptly(|| while client.ask(get("/b")).status() == Some(503) {});
    server.wait_guest_line("LOG \"read\"");
    let read = |lines: &[String]| lines.iter().filter(|line| *line == "LOG \"read\"").count();
    assert_eq!(read(&server.guest_lines()), 1);
}

#[test]
fn a_trap_leaves_other_connections_alone() {
    let server = scripted(json!({
        "/held": [["write", "before"], ["read-body"], ["write", "after"], ["end"]],
        "/trap": [["trap"]],
        "/trap-late": [["write", "part"], ["flush-headers"], ["trap"]],
    }))
    .start();
    let mut held: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for client in &mut held {
        client
            .send("POST /held HTTP/1.1\r\nHost: inn\r\nContent-Length: 1\r\n\r\n")
            .read_until("6\r\nbefore\r\n");
    }
    for _ in 0..4 {
        let mut client = server.connect();
        assert_eq!(client.ask(get("/trap")).status(), Some(500));
        assert!(!client.ask(get("/trap-late")).complete);
        client.read_to_end();
    }
    for client in &mut held {
        client.send("x").expect("5\r\nafter\r\n0\r\n\r\n");
    }
}

#[test]
fn a_response_that_is_given_up_ends_only_its_own_connection() {
    let server = misbehave().start();
    let mut idle = server.connect();
    assert_ok(&mut idle);
    let mut client = server.connect();
    let response = client.ask(get("/err-after-head"));
    assert!(!response.complete);
    // No last chunk, and no 500 behind the beginning of a 200.
    assert_eq!(client.read_to_end(), (Vec::new(), End::Closed));
    assert_ok(&mut idle);
}

#[test]
fn endless_loops_leave_the_others_answered() {
    let server = misbehave().arg("--cpu-time-max", "off").start();
    let mut loops: Vec<_> = (0..16).map(|_| server.connect()).collect();
    for client in &mut loops {
        client.send(get("/loop-after-head")).read_until("\r\n\r\n");
    }
    for _ in 0..10 {
        promptly(|| assert_serves(&server));
    }
    for client in loops {
        client.reset();
    }
}
