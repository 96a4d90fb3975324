//! Requests to other servers end with the exchange that they were made for,
//! whatever ends it; until then they go on, whatever their guest waits for.

use innkeeper_harness::DEADLINE;
use innkeeper_harness::upstream::Upstream;
use rustix::process::Signal;

use crate::requests::{answer, begin, ok, outbound, plain_get};
use crate::support::promptly;

const ASK: &str = "a = GET http://{up}/a; a end; a response; a body";

#[test]
fn a_client_that_goes_away_takes_the_requests_with_it() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    // Before the answer, in the middle of it, and in a queue.
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"] {
        let script = begin(&server, &upstream, ASK);
        let mut connection = upstream.accept();
        connection.expect(plain_get(&upstream, "/a")).send(bytes);
        script.reset();
        promptly(|| connection.read_to_end());
    }
    let agent = "g = agent name=shop sockets=1; ";
    let script = format!("{agent}a = GET http://{{up}}/a via=g; a end; a response; a body");
    let mut first = begin(&server, &upstream, &script);
    let mut connection = upstream.accept();
    connection.expect(plain_get(&upstream, "/a"));
    let script = format!("{agent}b = GET http://{{up}}/b via=g; b end; tell waiting; own; b response");
    let mut second = begin(&server, &upstream, &script);
    second.wait_for("tell waiting");
    second.reset();
    let script = format!("{agent}c = GET http://{{up}}/c via=g; c end; tell waiting; own; c response");
    let mut third = begin(&server, &upstream, &script);
    third.go_on_after("tell waiting");
    let mut over = 0;
    server.wait_log(|line| {
        over += usize::from(line.target == "access");
        over == 3
    });
    connection.send(ok("first"));
    answer(&mut connection, &upstream, "/c", "");
    assert!(first.told().ends_with("a body first\n"));
    assert!(third.told().contains("c response 1.1 200 OK\n"));
}

#[test]
fn a_guest_that_is_stopped_takes_its_requests_with_it() {
    let upstream = Upstream::start();
    let stopped = [
        (outbound().arg("--cpu-time-max", "50ms"), "first a; compute"),
        (outbound().arg("--wall-time-max", "500ms"), "a response"),
        (outbound().arg("--wall-time-max", "500ms"), "sleep 60000"),
    ];
    for (server, waits) in stopped {
        let server = server.start();
        let mut script = begin(&server, &upstream, &format!("a = POST http://{{up}}/; a write x; {waits}"));
        let mut connection = upstream.accept();
        connection.read_until("x");
        if waits.contains("compute") {
            connection.send("HTTP/1.1 103 Early Hints\r\n\r\n");
        }
        // Who computes is the last to get a processor, and may take long to
        // use up its time.
        connection.read_to_end();
        script.is_cut();
    }
}

#[test]
fn what_is_under_way_when_the_handler_returns_is_dropped() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let mut script = begin(&server, &upstream, "a = GET http://{up}/a; a end; tell begun; own");
    let mut connection = upstream.accept();
    connection.expect(plain_get(&upstream, "/a"));
    // It returns now, and has not waited for the answer.
    script.go_on_after("tell begun").tells("tell begun\nown x");
    promptly(|| connection.read_to_end());
    // A request that was never waited for never went out.
    begin(&server, &upstream, "a = GET http://{up}/a; a end; tell over").tells("tell over");
    assert!(!upstream.is_called());
}

#[test]
fn a_drain_lets_requests_come_to_their_end() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let mut script = begin(&server, &upstream, ASK);
    let mut connection = upstream.accept();
    connection.expect(plain_get(&upstream, "/a"));
    server.signal(Signal::TERM);
    server.wait_log(|line| line.target == "drain" && line.message.starts_with("draining"));
    connection.send(ok("finished"));
    assert!(script.told().ends_with("a body finished\n"));
    assert_eq!(server.wait_exit(DEADLINE).status.code(), Some(0));
    connection.read_to_end();
}

#[test]
fn the_end_of_a_drain_ends_requests_and_free_connections() {
    let (server, upstream) = (outbound().arg("--drain-timeout", "300ms").start(), Upstream::start());
    let mut script = begin(&server, &upstream, ASK);
    let mut free = upstream.accept();
    answer(&mut free, &upstream, "/a", "");
    script.told();
    let _script = begin(&server, &upstream, "b = GET http://{up}/b none; b end; b response");
    let mut busy = upstream.accept();
    busy.read_request();
    promptly(|| {
        server.signal(Signal::TERM);
        busy.read_to_end();
        free.expect_close();
        assert_eq!(server.wait_exit(DEADLINE).status.code(), Some(0));
    });
}

#[test]
fn requests_go_on_while_the_guest_waits_for_its_own_body() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = GET http://{up}/a; a end; b = PUT http://{up}/b; b try-pattern 900000; b end; tell begun; own; \
                  a response; a body; b response; b body";
    let mut script = begin(&server, &upstream, script);
    let (mut one, mut other) = (upstream.accept(), upstream.accept());
    let (first, second) = (one.read_request(), other.read_request());
    // Nine hundred thousand bytes are more than any system takes at once.
    assert_eq!(first.body.len() + second.body.len(), 900_000);
    one.send(ok("here"));
    other.send(ok("here"));
    script.go_on_after("tell begun").tells(
        "b try-pattern true
         tell begun
         own x
         a response 1.1 200 OK
         a > Content-Length: 4
         a body here
         b response 1.1 200 OK
         b > Content-Length: 4
         b body here",
    );
}

#[test]
fn requests_go_on_while_the_guest_waits_for_another_one() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = GET http://{up}/a; a end; b = PUT http://{up}/b; b try-pattern 900000; b end; \
                  a response; a body; b response";
    let mut script = begin(&server, &upstream, script);
    let (mut one, mut other) = (upstream.accept(), upstream.accept());
    let (first, _) = (one.read_request(), other.read_request());
    if first.body.is_empty() {
        // The head first, and the body only when the other one was read whole.
        one.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").send("hi");
        other.send(ok(""));
    } else {
        other.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").send("hi");
        one.send(ok(""));
    }
    assert!(script.told().ends_with("a body hi\nb response 1.1 200 OK\nb > Content-Length: 0\n"));
}

#[test]
fn requests_go_on_while_the_guest_sleeps() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let mut script = begin(&server, &upstream, "a = GET http://{up}/a; a end; sleep 500; a response; a body");
    let mut connection = upstream.accept();
    answer(&mut connection, &upstream, "/a", "hi");
    assert!(script.told().ends_with("a body hi\n"));
}

#[test]
fn the_first_of_several_is_told() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = GET http://{up}/a; a end; b = GET http://{up}/b; b end; first a b; b response; b body; \
                  first a; a response; a body";
    let mut script = begin(&server, &upstream, script);
    let (mut one, mut other) = (upstream.accept(), upstream.accept());
    let line = one.read_request().line;
    other.read_request();
    let (a, b) = if line.contains("/a") { (&mut one, &mut other) } else { (&mut other, &mut one) };
    b.send(ok("b"));
    script.wait_for("b body b");
    a.send(ok("a"));
    let told = script.told();
    assert!(told.starts_with("first b\n") && told.ends_with("a body a\n"), "{told}");
}
