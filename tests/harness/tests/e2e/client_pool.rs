//! Connections to other servers that are kept: who uses which again, how long
//! they stay, and what becomes of one that is not what it seems.

use std::time::Duration;

use innkeeper_harness::upstream::{Connection, Upstream};

use crate::requests::{answer, begin, get_with, ok, outbound, plain_get, run};
use crate::support::{lasts, promptly};

const A: &str = "a = GET http://{up}/a; a end; a response; a body; a reused";
const B: &str = "b = GET http://{up}/b; b end; b response; b body; b reused";

/// What the guest tells of a plain answer.
fn told(name: &str, body: &str, reused: bool) -> String {
    let told = format!(
        "{name} response 1.1 200 OK\n{name} > Content-Length: {}\n{name} body {body}\n{name} reused {reused}\n",
        body.len()
    );
    told.replace(" \n", "\n")
}

#[test]
fn the_next_instance_finds_the_connection_of_the_one_before() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let upstream = upstream.answering(|_| ok("hi").into_bytes());
    assert_eq!(run(&server, &upstream, A), told("a", "hi", false));
    for _ in 0..5 {
        assert_eq!(run(&server, &upstream, A), told("a", "hi", true));
    }
    assert_eq!(upstream.counts(), [6]);
}

#[test]
fn without_an_agent_each_request_has_a_connection_of_its_own() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for _ in 0..2 {
        let mut script =
            begin(&server, &upstream, "a = GET http://{up}/ none; a end; a response; a body; a reused");
        let mut connection = upstream.accept();
        connection.expect(get_with(&upstream, "/", "close")).send(ok("hi"));
        assert_eq!(script.told(), told("a", "hi", false));
        connection.expect_close();
    }
}

#[test]
fn a_connection_that_either_side_ends_is_not_kept() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let answers = [
        ("", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"),
        ("", "HTTP/1.1 200 OK\r\nConnection: keep-alive, CLOSE\r\nContent-Length: 2\r\n\r\nhi"),
        ("", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        // A second answer to one question is nobody's.
        ("", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nho"),
        // It says that this is the last of its seconds.
        ("", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nhi"),
        ("", "HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=0\r\nContent-Length: 2\r\n\r\nhi"),
        ("+Connection:close", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    ];
    for (option, bytes) in answers {
        let mut script =
            begin(&server, &upstream, &format!("a = GET http://{{up}}/ {option}; a end; a response; a body"));
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(bytes);
        assert!(script.told().ends_with("a body hi\n"), "{bytes}");
        connection.read_to_end();
    }
}

#[test]
fn http_1_0_keeps_a_connection_that_it_says_it_keeps() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let upstream = upstream
        .answering(|_| b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n".to_vec());
    run(&server, &upstream, A);
    assert!(run(&server, &upstream, A).ends_with("a reused true\n"));
}

#[test]
fn a_connection_that_the_server_has_closed_is_not_used() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for last in ["", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", "garbage"] {
        let mut script =
            begin(&server, &upstream, "a = GET http://{up}/ ; a end; a response; a body; a reused");
        let mut connection = upstream.accept();
        connection.expect(plain_get(&upstream, "/")).send(ok("hi"));
        assert_eq!(script.told(), told("a", "hi", false));
        connection.send(last);
        if last.is_empty() {
            connection.close();
        } else {
            // What nobody has asked for ends it from this side.
            connection.read_to_end();
        }
    }
}

/// A connection that has served once and is free.
fn kept(server: &innkeeper_harness::server::Running, upstream: &Upstream) -> Connection {
    let mut script = begin(server, upstream, A);
    let mut connection = upstream.accept();
    answer(&mut connection, upstream, "/a", "hi");
    assert_eq!(script.told(), told("a", "hi", false));
    connection
}

#[test]
fn a_request_that_met_the_close_of_its_connection_is_sent_once_more() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let requests = [
        ("b = GET http://{up}/b; b end", "GET /b", ""),
        ("b = HEAD http://{up}/b; b end", "HEAD /b", ""),
        ("b = PUT http://{up}/b; b end hello", "PUT /b", "hello"),
        ("b = DELETE http://{up}/b; b write he; b write llo; b end", "DELETE /b", "hello"),
    ];
    for (request, line, body) in requests {
        let mut first = kept(&server, &upstream);
        let mut script = begin(&server, &upstream, &format!("{request}; b response; b reused"));
        let sent = first.read_request();
        first.close();
        let mut second = upstream.accept();
        let again = second.read_request();
        assert_eq!((again.line.as_str(), again.text().as_str()), (&*format!("{line} HTTP/1.1"), body));
        assert_eq!((sent.headers, sent.body), (again.headers, again.body), "{request}");
        second.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        let told = script.told();
        assert!(told.starts_with("b response 1.1 204") && told.ends_with("b reused false\n"), "{told}");
    }
}

#[test]
fn a_request_is_sent_once_more_only_once() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let mut first = kept(&server, &upstream);
    let mut script = begin(&server, &upstream, B);
    first.read_request();
    first.close();
    let mut second = upstream.accept();
    second.read_request();
    second.close();
    assert!(script.told().starts_with("b response failed: connection-reset: "));
    assert!(!upstream.is_called());
}

#[test]
fn a_request_that_may_have_been_carried_out_is_not_repeated() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    // What twice would be two of; and one whose answer had begun.
    let requests = [
        ("b = POST http://{up}/b; b end hello", ""),
        ("b = PATCH http://{up}/b; b end hello", ""),
        ("b = GET http://{up}/b; b end", "HTTP/1.1 200"),
        ("b = GET http://{up}/b; b end", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ];
    for (request, answer) in requests {
        let mut connection = kept(&server, &upstream);
        let mut script = begin(&server, &upstream, &format!("{request}; b response"));
        connection.read_request();
        connection.send(answer);
        connection.close();
        script.tells("b response failed: connection-reset: the peer went away");
        assert!(!upstream.is_called(), "{request}");
    }
    // The first request of a connection met no close of an idle one.
    let mut script = begin(&server, &upstream, "b = GET http://{up}/b; b end; b response");
    let mut connection = upstream.accept();
    connection.read_request();
    connection.close();
    script.tells("b response failed: connection-reset: the peer went away");
    assert!(!upstream.is_called());
}

#[test]
fn a_body_that_nobody_reads_is_left_out_if_it_is_little() {
    let upstream = Upstream::start();
    // Its guest lets it go, or ends.
    for end in ["a drop; tell over", "tell over"] {
        let server = outbound().start();
        let script = format!("a = GET http://{{up}}/a; a end; a response; {end}");
        let mut script = begin(&server, &upstream, &script);
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(ok(&"x".repeat(10_000)));
        script.told();
        // An instance may still be on its way out when its response is there.
        promptly(|| while !run(&server, &upstream, "g = global; g stats").contains(" 1 free") {});
        let mut script = begin(&server, &upstream, B);
        answer(&mut connection, &upstream, "/b", "");
        assert!(script.told().ends_with("b reused true\n"), "{end}");
    }
}

#[test]
fn a_body_that_nobody_reads_ends_the_connection_if_it_is_much_or_not_there() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for body in ["x".repeat(200_000), "x".repeat(100)] {
        let mut script = begin(&server, &upstream, "a = GET http://{up}/; a end; a response; tell over");
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
        connection.try_send(body);
        script.told();
        connection.read_to_end();
    }
}

#[test]
fn a_free_connection_is_closed_in_time() {
    let upstream = Upstream::start();
    // The operator's time, the agent's, and what the server said less a second.
    let times = [
        (outbound().arg("--outbound-free-socket-timeout", "700ms"), "", ""),
        (outbound(), "g = agent name=g timeout=700; ", ""),
        (outbound().arg("--outbound-free-socket-timeout", "700ms"), "g = agent name=g timeout=60000; ", ""),
        (outbound().arg("--outbound-free-socket-timeout", "700ms"), "", "Keep-Alive: timeout=60\r\n"),
        (outbound(), "", "Keep-Alive: max=9, timeout=2\r\n"),
    ];
    for (server, agent, hint) in times {
        let server = server.start();
        let via = if agent.is_empty() { "" } else { "via=g" };
        let mut script = begin(
            &server,
            &upstream,
            &format!("{agent}a = GET http://{{up}}/ {via}; a end; a response; a body"),
        );
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(format!("HTTP/1.1 200 OK\r\n{hint}Content-Length: 0\r\n\r\n"));
        let time = Duration::from_millis(if hint.contains("=2") { 1000 } else { 700 });
        lasts(time, || {
            script.told();
            connection.expect_close();
        });
    }
}
