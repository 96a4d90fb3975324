//! Requests to servers that others make: nginx and Node. `cargo xtask test
//! --servers off` leaves them out.

use crate::real_servers::{RealServer, nginx, node};
use crate::requests::{begin, outbound, run};

/// Bytes that both go one way and come back: more than any buffer on the way
/// holds.
const MUCH: usize = 8_000_000;

/// Each byte is its place modulo 251.
fn much() -> Vec<u8> {
    (0..MUCH).map(|place| (place % 251) as u8).collect()
}

/// An nginx that serves a little text, much of something, and a page.
fn web_server(lines: &str) -> RealServer {
    nginx(&[("hello.txt", b"hello"), ("much.bin", &much()), ("page.shtml", b"<p>page")], lines)
}

/// A line of what a guest has told.
#[track_caller]
fn assert_told(told: &str, line: &str) {
    assert!(told.lines().any(|other| other == line), "{line:?} is not in\n{told}");
}

#[test]
fn nginx_serves_files() {
    let (server, upstream) = (outbound().start(), web_server(""));
    let told = run(&server, &upstream, "a = GET http://{up}/hello.txt; a end; a response; a body; a reused");
    assert!(told.starts_with("a response 1.1 200 OK\na > Server: nginx"), "{told}");
    for line in ["a > Content-Length: 5", "a > Connection: keep-alive", "a body hello", "a reused false"] {
        assert_told(&told, line);
    }
    let told = run(&server, &upstream, "a = HEAD http://{up}/hello.txt; a end; a response; a body; a reused");
    for line in ["a > Content-Length: 5", "a body", "a reused true"] {
        assert_told(&told, line);
    }
    let told =
        run(&server, &upstream, "a = GET http://{up}/hello.txt +Range:bytes=1-3; a end; a response; a body");
    for line in ["a response 1.1 206 Partial Content", "a > Content-Range: bytes 1-3/5", "a body ell"] {
        assert_told(&told, line);
    }
    let told = run(&server, &upstream, "a = GET http://{up}/gone; a end; a response; a reused");
    for line in ["a response 1.1 404 Not Found", "a reused true"] {
        assert_told(&told, line);
    }
}

#[test]
fn nginx_says_that_nothing_has_changed() {
    let (server, upstream) = (outbound().start(), web_server(""));
    let told = run(&server, &upstream, "a = HEAD http://{up}/hello.txt; a end; a response");
    let tag =
        told.lines().find_map(|line| line.strip_prefix("a > ETag: ")).expect("it has one").replace('\\', "");
    let script = format!(
        "a = GET http://{{up}}/hello.txt; a header If-None-Match: {tag}; a end; a response; a body; \
         b = GET http://{{up}}/hello.txt; b end; b response; b body; b reused"
    );
    let told = run(&server, &upstream, &script);
    for line in ["a response 1.1 304 Not Modified", "a body", "b body hello", "b reused true"] {
        assert_told(&told, line);
    }
}

#[test]
fn nginx_sends_chunks() {
    let (server, upstream) =
        (outbound().start(), web_server("location /page.shtml { ssi on; ssi_types *; }"));
    let script = "a = GET http://{up}/page.shtml; a end; a response; a body; \
                  b = GET http://{up}/hello.txt; b end; b response; b reused";
    let told = run(&server, &upstream, script);
    for line in ["a > Transfer-Encoding: chunked", "a body <p>page", "b reused true"] {
        assert_told(&told, line);
    }
}

#[test]
fn nginx_sends_much_and_takes_much() {
    let lines = "client_max_body_size 0; location /take { client_body_buffer_size 16k; return 204; }";
    let (server, upstream) = (outbound().start(), web_server(lines));
    let told = run(&server, &upstream, "a = GET http://{up}/much.bin; a end; a response; a count");
    assert_told(&told, &format!("a count {MUCH}, 0 wrong"));
    for length in [format!("+Content-Length:{MUCH}"), String::new()] {
        let script = format!(
            "a = POST http://{{up}}/take {length}; a write-pattern {MUCH}; a end; a response; \
             b = GET http://{{up}}/hello.txt; b end; b response; b body"
        );
        let told = run(&server, &upstream, &script);
        assert_told(&told, "a response 1.1 204 No Content");
        assert_told(&told, "b body hello");
    }
}

#[test]
fn nginx_refuses_a_body_that_is_too_large() {
    let (server, upstream) = (outbound().start(), web_server("client_max_body_size 1k;"));
    let script = format!(
        "a = POST http://{{up}}/hello.txt +Content-Length:{MUCH}; a write-pattern {MUCH}; a end; a response"
    );
    assert_told(&run(&server, &upstream, &script), "a response 1.1 413 Request Entity Too Large");
}

#[test]
fn nginx_ends_connections_and_new_ones_are_made() {
    let (server, upstream) =
        (outbound().start(), web_server("keepalive_requests 3; keepalive_timeout 60 60;"));
    let reused: Vec<_> = (0..7)
        .map(|_| {
            let told =
                run(&server, &upstream, "a = GET http://{up}/hello.txt; a end; a response; a body; a reused");
            assert_told(&told, "a body hello");
            told.ends_with("a reused true\n")
        })
        .collect();
    assert_eq!(reused, [false, true, true, false, true, true, false]);
}

#[test]
fn node_sees_what_the_guest_has_said() {
    let (server, upstream) = (outbound().start(), node());
    let script =
        "a = GET http://{up}/lines +X-bB:1 +x-Bb:2 +Cookie:a=1 +cookie:b=2; a end; a response; a body";
    let told = run(&server, &upstream, script);
    assert_told(
        &told,
        "a body [\\\"X-bB\\\",\\\"1\\\",\\\"x-Bb\\\",\\\"2\\\",\\\"cookie\\\",\\\"a=1; b=2\\\",\
         \\\"Host\\\",\\\"{up}\\\",\\\"Connection\\\",\\\"keep-alive\\\"]",
    );
    let told = run(&server, &upstream, "a = GET http://{up}/cookies; a end; a response; a body; a reused");
    for line in
        ["a response 1.1 204 No Content", "a > Set-Cookie: a=1", "a > Set-Cookie: b=2", "a reused true"]
    {
        assert_told(&told, line);
    }
}

#[test]
fn node_echoes_bodies_of_every_framing() {
    let (server, upstream) = (outbound().start(), node());
    for (option, sent) in [
        ("", "a end hello"),
        ("", "a write he; a write llo; a end"),
        ("+Content-Length:5", "a write he; a end llo"),
    ] {
        let script = format!("a = PUT http://{{up}}/echo {option}; {sent}; a response; a body");
        let told = run(&server, &upstream, &script);
        for line in ["a > X-Method: PUT", "a > Transfer-Encoding: chunked", "a body hello"] {
            assert_told(&told, line);
        }
    }
    // It sends back while it still receives: neither side may wait for the
    // other to come to its end.
    let script = format!(
        "a = POST http://{{up}}/echo; a flush; a response; a echo-pattern {MUCH}; b = GET http://{{up}}/connections; b end; \
         b response; b body"
    );
    let told = run(&server, &upstream, &script);
    assert_told(&told, &format!("a echo-pattern {MUCH}, 0 wrong"));
    assert_told(&told, "b body 1");
}

#[test]
fn node_sends_and_receives_trailers() {
    let (server, upstream) = (outbound().start(), node());
    let script = "a = POST http://{up}/trailers; a trailers X-Sum: 42; a end hello; a response; a body";
    let told = run(&server, &upstream, script);
    for line in ["a response 1.1 200 Fine", "a > Trailer: X-Got", "a body body", "a >> X-Got: 42"] {
        assert_told(&told, line);
    }
}

#[test]
fn node_sends_interim_responses() {
    let (server, upstream) = (outbound().start(), node());
    let script = "a = GET http://{up}/hints; a end; a information; a information; a information; a response; a body; \
                  b = PUT http://{up}/echo +Expect:100-continue; b flush; b continue; b end hello; b response; b body; \
                  c = PUT http://{up}/refuse +Expect:100-continue; c flush; c continue; c response; c body";
    let told = run(&server, &upstream, script);
    for line in [
        "a information 102",
        "a information 103",
        "a > Link: </style.css>; rel=preload",
        "a information none",
        "a body hinted",
        "b continue true",
        "b body hello",
        "c continue false",
        "c response 1.1 413 Payload Too Large",
        "c body too much",
    ] {
        assert_told(&told, line);
    }
}

#[test]
fn node_gives_connections_away() {
    let (server, upstream) = (outbound().start(), node());
    let requests = [
        (
            "a = GET http://{up}/ +Connection:Upgrade +Upgrade:echo; a end; a upgraded",
            "a upgraded 1.1 101 Switching Protocols",
        ),
        (
            "a = CONNECT http://{up} path=inn.example:80; a end; a connected",
            "a connected 1.1 200 Connection established",
        ),
    ];
    for (request, answered) in requests {
        let script = format!("{request}; a send ping; a receive 100; a finish; a receive 100");
        let told = run(&server, &upstream, &script);
        for line in [answered, "a receive ping", "a receive end"] {
            assert_told(&told, line);
        }
    }
}

#[test]
fn node_hangs_up() {
    let (server, upstream) = (outbound().start(), node());
    let script = "a = GET http://{up}/hang-up; a end; a response; b = GET http://{up}/half; b end; b response; b body; \
                  c = GET http://{up}/last; c end; c response; c body; d = GET http://{up}/lines; d end; d response; d reused";
    let told = run(&server, &upstream, script);
    for line in [
        "a response failed: connection-reset: the peer went away",
        "b body half",
        "b body failed: connection-reset: the peer went away",
        "c body last",
        "d response 1.1 200 OK",
        "d reused false",
    ] {
        assert_told(&told, line);
    }
}

#[test]
fn node_keeps_connections_for_later_instances() {
    let (server, upstream) = (outbound().start(), node());
    for number in 0..5 {
        let told =
            run(&server, &upstream, "a = GET http://{up}/connections; a end; a response; a body; a reused");
        assert_told(&told, "a body 1");
        assert_told(&told, &format!("a reused {}", number > 0));
    }
    // Several at once, while the guest waits for its own body.
    let script = "a = GET http://{up}/lines; a end; b = POST http://{up}/echo; b end hi; c = GET http://{up}/hints; c end; \
                  tell begun; own; a response; b response; b body; c response; c body";
    let mut script = begin(&server, &upstream, script);
    let told = script.go_on_after("tell begun").told();
    assert_told(&told, "b body hi");
    assert_told(&told, "c body hinted");
    let mut last = begin(&server, &upstream, "a = GET http://{up}/connections; a end; a response; a body");
    assert_told(&last.told(), "a body 3");
}
