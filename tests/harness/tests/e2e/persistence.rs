//! One connection, several exchanges: who ends it, what becomes of a body that
//! nobody read, and what a FIN means.

use std::time::Duration;

use innkeeper_harness::wire::Client;
use serde_json::json;

use crate::support::{
    OK, assert_admits, assert_entries, assert_ok, assert_serves, get, lasts, misbehave, promptly, scripted,
    until_served, wait_access,
};

/// An answer that says that it is the last one.
const LAST: &str =
    "HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: close\r\nContent-Length: 8\r\n\r\nnot read";

fn upload(client: &mut Client, length: usize) -> &mut Client {
    client.send(format!("POST /never-read HTTP/1.1\r\nHost: inn\r\nContent-Length: {length}\r\n\r\n"))
}

#[test]
fn pipelined_requests_run_one_after_another() {
    let server = scripted(json!({
        "/slow": [["log", "slow begins"], ["sleep-ms", 50], ["log", "slow ends"], ["end", "slow"]],
        "/fast": [["log", "fast begins"], ["log", "fast ends"], ["end", "fast"]],
    }))
    .start();
    let mut client = server.connect();
    client.send([get("/slow"), get("/fast"), get("/slow"), get("/fast")].concat());
    for expected in ["slow", "fast", "slow", "fast"] {
        assert_eq!(client.read_response().text(), expected);
    }
    let once = ["slow begins", "slow ends", "fast begins", "fast ends"];
    assert_entries(&server, &[once, once].concat());
}

#[test]
fn a_client_that_says_close_is_answered_once() {
    let server = scripted(json!([["log", "ran"], ["end", "ok"]])).start();
    for version in ["1.1\r\nConnection: close", "1.1\r\nconnection: x, CLOSE", "1.0"] {
        let mut client = server.connect();
        client.send(format!("GET / HTTP/{version}\r\nHost: inn\r\n\r\n{}", get("/more")));
        let response = client.read_response();
        assert_eq!((response.text().as_str(), response.header("connection")), ("ok", Some("close")));
        client.expect_close();
    }
    assert_entries(&server, &["ran"; 3]);
}

#[test]
fn a_guest_that_says_close_is_obeyed() {
    let server = scripted(json!({
        "/header": [["log", "ran"], ["set-header", "Connection", "close"], ["end", "ok"]],
        "/property": [["log", "ran"], ["keep-alive", false], ["end", "ok"]],
    }))
    .start();
    for target in ["/header", "/property"] {
        let mut client = server.connect();
        client.send([get(target), get(target)].concat());
        let response = client.read_response();
        assert_eq!((response.text().as_str(), response.header("connection")), ("ok", Some("close")));
        client.expect_close();
    }
    assert_entries(&server, &["ran"; 2]);
}

#[test]
fn the_last_request_of_a_connection() {
    let server = misbehave().arg("--requests-per-connection-max", "3").start();
    let mut client = server.connect();
    let again = OK.replace("timeout=5", "timeout=5, max=3");
    let last = OK.replace("Connection: keep-alive\r\nKeep-Alive: timeout=5", "Connection: close");
    client.send(get("/ok").repeat(4)).expect(&again).expect(&again).expect(&last);
    client.expect_close();
}

#[test]
fn a_small_body_that_nobody_read_is_read_on() {
    let server = misbehave().start();
    let mut client = server.connect();
    for length in [1, 100 * 1024, 256 * 1024] {
        upload(&mut client, length);
        assert_eq!(client.read_response().text(), "not read");
        // The answer came before the body; the connection waits for that.
        client.send(vec![b'G'; length]);
        assert_ok(&mut client);
    }
    let chunk = [&b"8000\r\n"[..], &[b'G'; 0x8000], b"\r\n"].concat();
    client.send("POST /never-read HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.read_response().text(), "not read");
    client.send(chunk.repeat(7)).send("0\r\nX: y\r\n\r\n");
    assert_ok(&mut client);
}

#[test]
fn the_operator_bounds_what_is_read_on() {
    let server = misbehave().arg("--unread-body-bytes-max", "10").start();
    let mut client = server.connect();
    upload(&mut client, 10).send("0123456789");
    assert_eq!(client.read_response().text(), "not read");
    upload(&mut client, 11).expect(LAST);
    client.expect_close();
}

#[test]
fn an_uploader_that_sends_on_can_read_its_answer() {
    let server = misbehave().start();
    let mut client = server.connect();
    let length = 12 << 20;
    // More than all buffers between us hold: the server takes it, or this
    // waits for ever.
    upload(&mut client, length).send(vec![b'a'; length]).expect(LAST);
    client.expect_close();
}

#[test]
fn an_uploader_of_chunks_can_read_its_answer() {
    let server = misbehave().start();
    let mut client = server.connect();
    let chunk = [&b"10000\r\n"[..], &[b'a'; 0x10000], b"\r\n"].concat();
    client.send("POST /never-read HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(chunk.repeat(128));
    assert_eq!(client.read_response().text(), "not read");
    client.expect_close();
}

#[test]
fn an_uploader_without_end_is_left_behind() {
    let server = misbehave().arg("--linger-bytes-max", "1MiB").arg("--connections-max", "1").start();
    let mut client = server.connect();
    upload(&mut client, 1 << 30).expect(LAST);
    promptly(|| while client.try_send(vec![b'a'; 1 << 20]) {});
}

#[test]
fn a_client_that_does_not_close_is_left_behind() {
    let time = Duration::from_millis(300);
    let server = misbehave().arg("--linger-timeout", "300ms").arg("--connections-max", "1").start();
    let mut client = server.connect();
    upload(&mut client, 1 << 30);
    lasts(time, || {
        client.expect(LAST);
        client.expect_close();
        // There is room for another once the server has closed too.
        until_served(|| server.connect());
    });
}

#[test]
fn a_body_that_does_not_come_ends_the_wait_for_it() {
    let server = misbehave().arg("--linger-timeout", "300ms").start();
    let mut client = server.connect();
    lasts(Duration::from_millis(300), || {
        upload(&mut client, 1000);
        assert_eq!(client.read_response().text(), "not read");
        client.expect_close();
    });
}

#[test]
fn a_guest_can_ask_for_a_grace_of_its_own() {
    let server = misbehave().arg("--connections-max", "1").start();
    let mut client = server.connect();
    client.send(get("/destroy-soon?ms=300"));
    lasts(Duration::from_millis(300), || {
        assert_eq!(client.read_response().text(), "the last answer");
        client.expect_close();
        until_served(|| server.connect());
    });
}

#[test]
fn a_client_that_has_sent_a_fin_is_answered() {
    let server = misbehave().start();
    let mut client = server.connect();
    client.send(get("/sleep?ms=100")).half_close();
    assert_eq!(client.read_response().text(), "slept");
    client.expect_close();
    let mut client = server.connect();
    client.send(get("/ok").repeat(3)).half_close();
    client.expect(OK).expect(OK).expect(OK);
    client.expect_close();
}

#[test]
fn without_half_open_a_fin_ends_the_guest() {
    let server = misbehave()
        .arg("--half-open", "false")
        .arg("--instances-max", "1")
        .arg("--cpu-time-max", "off")
        .start();
    let mut client = server.connect();
    client.send(get("/set-timeout?ms=0")).read_until("\r\n\r\n");
    client.half_close();
    promptly(|| wait_access(&server, "/set-timeout?ms=0"));
    client.read_to_end();
    assert_admits(&mut server.connect());
    // While it computes, too.
    let mut client = server.connect();
    client.send(get("/loop-after-head")).read_until("\r\n\r\n");
    client.half_close();
    promptly(|| wait_access(&server, "/loop-after-head"));
    assert_admits(&mut server.connect());
}

#[test]
fn without_half_open_a_fin_behind_unread_bytes_ends_the_guest_too() {
    let server = misbehave().arg("--half-open", "false").start();
    for (target, more) in [
        ("/sleep-forever?body", "Content-Length: 5\r\n\r\nhello"),
        ("/sleep-forever?part", "Content-Length: 5\r\n\r\nhell"),
        ("/sleep-forever?more", "\r\nGET /ok HTTP/1.1\r\nHost: inn\r\n\r\n"),
    ] {
        let mut client = server.connect();
        client.send(format!("POST {target} HTTP/1.1\r\nHost: inn\r\nExpect: 100-continue\r\n"));
        client.send(more).read_until("HTTP/1.1 100 Continue\r\n\r\n");
        client.half_close();
        promptly(|| wait_access(&server, target));
    }
    assert_serves(&server);
}

#[test]
fn a_fin_inside_a_request() {
    let server = scripted(json!([["read-body"], ["end", "ok"]])).start();
    for request in ["GET / HT", "POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nhell"] {
        let mut client = server.connect();
        client.send(request).half_close();
        client.expect(crate::support::refusal("400 Bad Request"));
        client.expect_close();
    }
    let mut client = server.connect();
    client.half_close();
    client.expect_close();
}

#[test]
fn bytes_that_come_late_do_not_take_the_answer_away() {
    let server = scripted(json!([
        ["set-header", "Connection", "close"],
        ["end", [{ "repeat": "a", "times": 1_000_000 }]],
    ]))
    .start();
    let mut client = server.connect();
    client.send(get("/"));
    // The system has all of the answer, and the client has read none of it.
    wait_access(&server, "/");
    client.send(get("/late"));
    assert_eq!(client.read_response().text().len(), 1_000_000);
    client.expect_close();
}
