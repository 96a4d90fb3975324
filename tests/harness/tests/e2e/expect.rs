//! `Expect: 100-continue` and other expectations (RFC 9110 10.1.1).

use serde_json::json;

use crate::support::{assert_entries, get, misbehave, refusal_of, scripted};

const POST: &str = "POST / HTTP/1.1\r\nHost: inn\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[test]
fn the_client_is_told_to_go_on_before_it_sends_the_body() {
    let server = scripted(json!([["read-body"], ["end-with", "body"]])).start();
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(POST).expect("HTTP/1.1 100 Continue\r\n\r\n");
        client.send("hello").expect(
            "HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
             Content-Length: 5\r\n\r\nhello",
        );
    }
}

#[test]
fn the_client_is_told_so_whatever_the_guest_does() {
    let server = misbehave().start();
    let mut client = server.connect();
    client.send(POST.replace(" / ", " /sleep-forever ")).expect("HTTP/1.1 100 Continue\r\n\r\n");
}

#[test]
fn a_guest_that_traps_after_it_is_answered_for() {
    let server = misbehave().start();
    let mut client = server.connect();
    let response = client.ask(POST.replace(" / ", " /trap "));
    assert_eq!((response.interim.len(), response.status()), (1, Some(500)));
}

#[test]
fn a_client_that_is_not_told_to_go_on_is_not_waited_for() {
    // Whether it sends the body now or another request, nobody can tell.
    let server = misbehave().arg("--instances-max", "1").start();
    let mut busy = server.connect();
    busy.send(get("/set-timeout?ms=0")).read_until("\r\n\r\n");
    let mut client = server.connect();
    let response = client.ask(POST);
    assert_eq!(response.status(), Some(503));
    if response.interim.is_empty() {
        assert_eq!(response.header("connection"), Some("close"));
        client.expect_close();
    }
}

#[test]
fn another_expectation_cannot_be_met() {
    let server = scripted(json!([["log", "ran"], ["end", "ok"]])).start();
    let mut client = server.connect();
    let bodies = ["", "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"];
    for (exchange, body) in (1..).zip(bodies) {
        let end = if body.is_empty() { "\r\n" } else { "" };
        let request = format!("POST / HTTP/1.1\r\nHost: inn\r\nExpect: the-unexpected\r\n{body}{end}");
        client.send(request).expect(
            refusal_of(exchange, "417 Expectation Failed")
                .replace("Connection: close", "Connection: keep-alive\r\nKeep-Alive: timeout=5"),
        );
    }
    assert_eq!(client.ask(get("/")).text(), "ok");
    assert_entries(&server, &["ran"]);
    assert_eq!(client.ask(POST.replace("100-continue", "100-continue, more")).interim.len(), 1);
}

#[test]
fn a_body_that_would_be_too_large_is_not_asked_for() {
    let server = scripted(json!([["end", "ok"]])).arg("--request-body-bytes-max", "4").start();
    let mut client = server.connect();
    client.send(POST).expect(refusal_of(1, "413 Payload Too Large"));
    client.expect_close();
}
