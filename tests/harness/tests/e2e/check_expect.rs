//! `check-continue-handler` and `check-expectation-handler`: what they answer
//! in the place of `handler`, and what becomes of the connection. Without them
//! it is as in `expect`.

use innkeeper_harness::server::Server;
use serde_json::{Value, json};

use crate::support::{assert_entries, get, refusal_of, scripted_on};

const POST: &str = "POST /post HTTP/1.1\r\nHost: inn\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

const GO_ON: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn checking(ops: Value) -> Server {
    let request = json!([["log", "request ", "url"], ["read-body"], ["end-with", "url"]]);
    scripted_on(json!({ "request": request, "check-continue": ops }))
}

fn kept(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn the_guest_says_when_the_body_may_come() {
    let server =
        checking(json!([["log", "asked"], ["write-continue"], ["read-body"], ["end-with", "body"]])).start();
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(POST).expect(GO_ON);
        client.send("hello").expect(kept("hello"));
    }
    // Without an expectation it is not asked.
    client.send("POST /plain HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nhello").expect(kept("/plain"));
    client.send(get("/get")).expect(kept("/get"));
    assert_entries(&server, &["asked", "asked", "request /plain", "request /get"]);
}

#[test]
fn an_answer_without_100_is_the_last_one() {
    let server = checking(json!([["set-status", 413], ["end", "big"]])).start();
    let answer =
        "HTTP/1.1 413 Payload Too Large\r\nDate: <DATE>\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig";
    let mut client = server.connect();
    client.send(POST).expect(answer);
    client.expect_close();
    // Nor is a body that comes all the same, or what follows it, a request.
    let mut client = server.connect();
    client.send(POST.to_owned() + "hello" + &get("/smuggled")).expect(answer);
    client.expect_close();
    let mut client = server.connect();
    client.send(POST.to_owned() + &get("/smuggled")).expect(answer);
    client.expect_close();
    assert_entries::<&str>(&server, &[]);
}

#[test]
fn a_body_that_comes_unasked_can_be_read() {
    // As curl does it, after a second of waiting.
    let server = checking(json!([["read-body"], ["end-with", "body"]])).start();
    let mut client = server.connect();
    client.send(POST).send("hello");
    client.expect("HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
    client.expect_close();
}

#[test]
fn a_guest_that_asks_for_the_body_and_leaves_it() {
    let server = checking(json!([["write-continue"], ["end", "enough"]])).start();
    let mut client = server.connect();
    client.send(POST).expect(GO_ON).expect(kept("enough"));
    client.send("hello").send(get("/next")).expect(kept("/next"));
}

#[test]
fn a_guest_that_traps_is_answered_for() {
    let server = checking(json!([["trap"]])).start();
    let mut client = server.connect();
    let response = client.ask(POST);
    assert_eq!((response.interim.len(), response.status()), (0, Some(500)));
    assert_eq!(response.header("connection"), Some("close"));
    client.expect_close();
}

#[test]
fn without_an_instance_the_connection_closes() {
    // A body may follow, or the next request: nobody can tell.
    let server =
        checking(json!([["write-continue"], ["read-body"], ["end"]])).arg("--instances-max", "1").start();
    let mut busy = server.connect();
    busy.send(POST).expect(GO_ON);
    let mut client = server.connect();
    let response = client.ask(POST);
    assert_eq!((response.interim.len(), response.status()), (0, Some(503)));
    assert_eq!(response.header("connection"), Some("close"));
    client.expect_close();
}

#[test]
fn one_100_too_late_is_an_error() {
    let server = checking(json!([["write", "part"], ["try", ["write-continue"]], ["end"]])).start();
    let mut client = server.connect();
    let response = client.ask(POST);
    assert_eq!((response.interim.len(), response.text().as_str()), (0, "part"));
    client.expect_close();
    assert_entries(&server, &["write-continue failed: headers-sent"]);
}

#[test]
fn http_1_0_has_no_expectations() {
    let server = checking(json!([["log", "asked"], ["end", "checked"]])).start();
    let mut client = server.connect();
    let response = client.ask(POST.replace("1.1", "1.0") + "hello");
    assert_eq!((response.interim.len(), response.text().as_str()), (0, "/post"));
    assert_entries(&server, &["request /post"]);
}

#[test]
fn a_body_that_would_be_too_large_never_reaches_the_guest() {
    let server = checking(json!([["log", "asked"]])).arg("--request-body-bytes-max", "4").start();
    let mut client = server.connect();
    client.send(POST);
    let response = client.read_response();
    assert_eq!((response.interim.len(), response.status()), (0, Some(413)));
    client.expect_close();
    assert_entries::<&str>(&server, &[]);
}

#[test]
fn another_expectation_is_the_guests_to_meet() {
    let server = scripted_on(json!({
        "request": [["end", "request"]],
        "check-continue": [["end", "continue"]],
        "check-expectation": [["log", "", "header:expect"], ["read-body"], ["end-with", "body"]],
    }))
    .start();
    let mut client = server.connect();
    // It is not told to go on unless the guest does so, and the connection is
    // as good as before.
    for _ in 0..2 {
        client.send(POST.replace("100-continue", "meow")).send("hello").expect(kept("hello"));
    }
    client.send(get("/")).expect(kept("request"));
    assert_entries(&server, &["meow", "meow"]);
    assert_eq!(client.ask(POST).text(), "continue");
}

#[test]
fn a_check_of_one_kind_is_no_check_of_the_other() {
    let server = checking(json!([["end", "continue"]])).start();
    server.connect().send(POST.replace("100-continue", "meow")).send("hello").expect(
        refusal_of(1, "417 Expectation Failed")
            .replace("Connection: close", "Connection: keep-alive\r\nKeep-Alive: timeout=5"),
    );
    let server = scripted_on(json!({
        "request": [["read-body"], ["end-with", "body"]],
        "check-expectation": [["end", "expectation"]],
    }))
    .start();
    server.connect().send(POST).expect(GO_ON).send("hello").expect(kept("hello"));
}
