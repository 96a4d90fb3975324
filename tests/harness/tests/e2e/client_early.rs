//! Servers that answer before the request is there: refusals of a body that is
//! still on its way, and `Expect: 100-continue`.

use innkeeper_harness::upstream::Upstream;

use crate::requests::{answer, begin, ok, outbound, plain_get};

const TOO_LARGE: &str = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo much";

#[test]
fn a_refusal_is_heard_of_a_server_that_closes() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = POST http://{up}/; a write-pattern 100000000; a end; a response; a body";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.read_until("\r\n\r\n");
    connection.send(TOO_LARGE);
    // With much of the body unread, that is a reset.
    connection.close();
    script.tells(
        "a write-pattern failed: connection-reset: the peer went away
         a response 1.1 413 Content Too Large
         a > Content-Length: 8
         a body too much",
    );
    assert!(!upstream.is_called(), "nobody tries again after an answer");
}

#[test]
fn a_refusal_is_heard_while_the_guest_would_still_write() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    // It stops writing as soon as there is an answer, and drops the request.
    let script = "a = POST http://{up}/; a write-pattern 1000; first a; a response; a body; a drop; own";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.read_until("\r\n\r\n");
    connection.send(TOO_LARGE);
    // A connection with half a request on it is of no use to another.
    connection.read_to_end();
    script.go_on_after("a body too much").tells(
        "first a
         a response 1.1 413 Content Too Large
         a > Content-Length: 8
         a body too much
         own x",
    );
}

#[test]
fn a_request_goes_on_after_an_early_answer() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = POST http://{up}/a; a write he; a response; a body; tell answered; a write llo; a end; own; \
                  b = GET http://{up}/b; b end; b response; b body; b reused";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.read_until("2\r\nhe\r\n");
    connection.send(ok("early"));
    connection.expect("3\r\nllo\r\n0\r\n\r\n");
    script.go_on_after("tell answered");
    // It is whole now, and the connection serves the next one.
    answer(&mut connection, &upstream, "/b", "late");
    script.tells(
        "a response 1.1 200 OK
         a > Content-Length: 5
         a body early
         tell answered
         own x
         b response 1.1 200 OK
         b > Content-Length: 4
         b body late
         b reused true",
    );
}

#[test]
fn a_body_waits_for_its_100() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = PUT http://{up}/ +Expect:100-continue +Content-Length:5; a flush; a continue; a end hello; \
                  a response; a continue";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    let head = format!(
        "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\nHost: {}\r\nConnection: keep-alive\r\n\r\n",
        upstream.authority()
    );
    connection.expect(head);
    connection
        .send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        .expect("hello")
        .send(ok(""));
    script.tells(
        "a continue true
         a response 1.1 200 OK
         a > Content-Length: 0
         a continue true",
    );
}

#[test]
fn a_body_that_is_not_wanted_is_not_sent() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = PUT http://{up}/ +Expect:100-continue +Content-Length:5; a flush; a continue; a response; \
                  a body; a drop; b = GET http://{up}/b; b end; b response; b reused";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
    // The server still waits for five bytes on it: it is of no further use.
    connection.read_to_end();
    upstream.accept().expect(plain_get(&upstream, "/b")).send(ok(""));
    script.tells(
        "a continue false
         a response 1.1 417 Expectation Failed
         a > Content-Length: 2
         a body no
         b response 1.1 200 OK
         b > Content-Length: 0
         b reused false",
    );
}

#[test]
fn a_body_may_be_sent_without_its_100() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = PUT http://{up}/ +Expect:100-continue; a end hello; a response; a continue";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.read_until("hello");
    connection.send(ok(""));
    script.tells(
        "a response 1.1 200 OK
         a > Content-Length: 0
         a continue false",
    );
}

#[test]
fn a_request_that_its_guest_ends_is_over_at_once() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script =
        "a = POST http://{up}/; a write x; tell begun; own; a destroy; a response; a write y; a end; own";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.read_until("x");
    script.go_on_after("tell begun");
    connection.read_to_end();
    script.go_on_after("a end failed: aborted: the request was destroyed");
    script.tells(
        "tell begun
         own x
         a response failed: aborted: the request was destroyed
         a write failed: aborted: the request was destroyed
         a end failed: aborted: the request was destroyed
         own x",
    );
}
