//! Responses as bytes: framing, heads and what must not leave. The cases of
//! `tests/node-cases` have the rest.

use std::io::Read as _;

use innkeeper_harness::bytes::mask_date;
use innkeeper_harness::server::Server;
use innkeeper_harness::wire::{End, open};
use serde_json::json;

use crate::support::{assert_entries, get, scripted};

#[test]
fn trailers_follow_the_last_chunk() {
    let server = scripted(json!([
        ["set-header", "Trailer", "X-One"],
        ["write", "hello"],
        ["write", ""],
        ["write", " to you"],
        ["add-trailers", [["X-One", ["1", "2"]], ["x-two", ""]]],
        ["end", "!"],
    ]))
    .start();
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(get("/")).expect(
            "HTTP/1.1 200 OK\r\nTrailer: X-One\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
             Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n to you\r\n1\r\n!\r\n\
             0\r\nX-One: 1\r\nX-One: 2\r\nx-two: \r\n\r\n",
        );
    }
}

#[test]
fn responses_without_a_body() {
    let server = scripted(json!({
        "/head": [["end", "hello"]],
        "/head-length": [["set-header", "Content-Length", "5"], ["end"]],
        "/204": [["set-status", 204], ["end", "hello"]],
        "/205": [["set-status", 205], ["end", "hello"]],
        "/304": [["write-head", 304, null, [["ETag", "\"a\""]]], ["end", "hello"]],
    }))
    .start();
    let mut client = server.connect();
    let after = "Date: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n";
    client.send("HEAD /head HTTP/1.1\r\nHost: inn\r\n\r\n").expect(format!("HTTP/1.1 200 OK\r\n{after}\r\n"));
    client
        .send("HEAD /head-length HTTP/1.1\r\nHost: inn\r\n\r\n")
        .expect(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{after}\r\n"));
    client.send(get("/204")).expect(format!("HTTP/1.1 204 No Content\r\n{after}\r\n"));
    client
        .send(get("/205"))
        .expect(format!("HTTP/1.1 205 Reset Content\r\n{after}Content-Length: 0\r\n\r\n"));
    client.send(get("/304")).expect(format!("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n{after}\r\n"));
    // Nothing was left over between them.
    client.send(get("/204")).expect(format!("HTTP/1.1 204 No Content\r\n{after}\r\n"));
}

#[test]
fn an_http_1_0_client_gets_no_chunks() {
    let server = scripted(json!({
        "/pieces": [["write", "hello"], ["write", " to you"], ["add-trailers", [["X", "1"]]], ["end"]],
        "/length": [["set-header", "Content-Length", "5"], ["end", "hello"]],
    }))
    .start();
    let mut client = server.connect();
    client.send("GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    client.expect("HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: close\r\n\r\nhello to you");
    client.expect_close();
    let mut client = server.connect();
    for _ in 0..2 {
        client.send("GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").expect(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: <DATE>\r\nConnection: keep-alive\r\n\
             Keep-Alive: timeout=5\r\n\r\nhello",
        );
    }
    client
        .send("GET /length HTTP/1.0\r\n\r\n")
        .expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: <DATE>\r\nConnection: close\r\n\r\nhello");
    client.expect_close();
}

#[test]
fn a_body_that_runs_to_the_close_is_not_cut_in_silence() {
    let server = scripted(json!([["write", "part"], ["flush-headers"], ["destroy"]])).start();
    let mut client = server.connect();
    client.send("GET / HTTP/1.0\r\n\r\n").read_until("\r\n\r\npart");
    // A FIN would say that this is all of it.
    assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
}

#[test]
fn a_reason_of_the_guests_own() {
    let server = scripted(json!({
        "/own": [["write-head", 200, "Quite Fine", []], ["end"]],
        "/none": [["write-head", 200, "", []], ["end"]],
        "/unknown": [["set-status", 799], ["end"]],
    }))
    .start();
    let mut client = server.connect();
    for (target, line) in [
        ("/own", "HTTP/1.1 200 Quite Fine"),
        ("/none", "HTTP/1.1 200 "),
        ("/unknown", "HTTP/1.1 799 unknown"),
    ] {
        assert_eq!(client.ask(get(target)).line, line);
    }
}

#[test]
fn header_lines_leave_in_order_and_in_their_case() {
    let server = scripted(json!([
        ["set-header", "x-B", "1"],
        ["set-header", "Set-Cookie", ["a=1", "b=2"]],
        ["set-header", "X-a", "\u{80}\u{ff}"],
        ["append-header", "X-b", "2"],
        ["set-header", "SET-cookie", ["c=3", "d=4"]],
        ["send-date", false],
        ["end"],
    ]))
    .start();
    server.connect().send(get("/")).expect(
        b"HTTP/1.1 200 OK\r\nx-B: 1\r\nx-B: 2\r\nSET-cookie: c=3\r\nSET-cookie: d=4\r\nX-a: \x80\xff\r\n\
          Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n",
    );
}

#[test]
fn a_body_shorter_than_declared_cuts_the_connection() {
    let server = scripted(json!([
        ["set-header", "Content-Length", "10"],
        ["write", "hello"],
        ["flush-headers"],
        ["end"],
    ]))
    .start();
    let mut client = server.connect();
    let response = client.ask(get("/"));
    assert_eq!((response.text().as_str(), response.complete), ("hello", false));
    client.read_to_end();
    server.wait_log(|line| line.message == "LOG \"end failed: content-length-mismatch\"");
}

#[test]
fn a_body_longer_than_declared_is_not_sent() {
    let server = scripted(json!([
        ["set-header", "Content-Length", "5"],
        ["write", "hello"],
        ["flush-headers"],
        ["write", "HTTP/1.1 200 OK"],
    ]))
    .start();
    let mut client = server.connect();
    client.send(get("/")).read_until("\r\n\r\nhello");
    assert_eq!(client.read_to_end().0, b"");
    server.wait_log(|line| line.message == "LOG \"write failed: content-length-mismatch\"");
}

#[test]
fn a_wrong_length_that_was_not_sent_yet_is_an_error_of_the_guest() {
    let server = scripted(json!([["set-header", "Content-Length", "10"], ["end", "hello"]])).start();
    let mut client = server.connect();
    let response = client.ask(get("/"));
    assert_eq!((response.status(), response.complete), (Some(500), true));
    server.wait_log(|line| line.message == "LOG \"end failed: content-length-mismatch\"");
    assert_eq!(client.ask(get("/")).status(), Some(500));
}

#[test]
fn framing_that_contradicts_itself_is_refused() {
    let server = scripted(json!([
        ["try", ["set-header", "Content-Length", "5x"]],
        ["try", ["set-header", "Content-Length", ["5", "5"]]],
        ["try", ["set-header", "Transfer-Encoding", "gzip"]],
        ["set-header", "Content-Length", "5"],
        ["try", ["append-header", "Content-Length", "5"]],
        ["set-header", "Transfer-Encoding", "chunked"],
        ["try", ["write", "hello"]],
        ["remove-header", "Transfer-Encoding"],
        ["end", "hello"],
    ]))
    .start();
    server.connect().send(get("/")).expect(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: <DATE>\r\nConnection: keep-alive\r\n\
         Keep-Alive: timeout=5\r\n\r\nhello",
    );
    let expected = [
        "set-header failed: invalid-header-value",
        "set-header failed: invalid-header-value",
        "set-header failed: invalid-header-value",
        "append-header failed: invalid-header-value",
        "write failed: invalid-header-value",
    ];
    assert_entries(&server, &expected);
}

#[test]
fn head_and_body_leave_together() {
    let server = Server::of("hello").start();
    // On loopback, one write of so little is one segment, and so one read.
    for _ in 0..20 {
        let mut stream = open(server.addr()).expect("the server listens");
        std::io::Write::write_all(&mut stream, get("/").as_bytes()).expect("the server reads");
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).expect("the server answers");
        let received = mask_date(&buffer[..count]);
        assert!(received.ends_with(b"\r\n\r\nHello world\n"), "{}", String::from_utf8_lossy(&received));
    }
}

#[test]
fn a_body_of_many_writes_arrives_whole() {
    let server = scripted(
        json!([["repeat", 16, [["write", [{"repeat": "0123456789abcdef", "times": 16384}]]]], ["end"]]),
    )
    .arg("--cpu-time-max", "off")
    .start();
    let mut client = server.connect();
    let response = client.ask(get("/"));
    assert!(response.complete);
    assert_eq!(response.body.len(), 16 * 16 * 16384);
    assert!(response.body.chunks(16).all(|piece| piece == b"0123456789abcdef"));
}

#[test]
fn framing_fields_have_one_value() {
    let server = scripted(json!([
        ["try", ["set-header", "Transfer-Encoding", []]],
        ["try", ["set-header", "Content-Length", ["5", "5"]]],
        ["end", "hello"],
    ]))
    .start();
    server.connect().send(get("/")).expect(
        "HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
         Content-Length: 5\r\n\r\nhello",
    );
    assert_entries(&server, &["set-header failed: invalid-header-value"; 2]);
}

#[test]
fn a_reason_counts_as_a_part_of_the_head() {
    let reason = "a".repeat(200);
    let server = scripted(json!([["try", ["write-head", 200, reason]], ["end", "ok"]]))
        .arg("--response-head-bytes-max", "100")
        .start();
    assert_eq!(server.connect().ask(get("/")).text(), "ok");
    assert_entries(&server, &["write-head failed: limit-exceeded"]);
}

#[test]
fn a_response_that_was_ended_stays_whole() {
    let server = scripted(json!([["end", [{ "repeat": "a", "times": 8_000_000 }]], ["trap"]])).start();
    let mut client = server.connect();
    for _ in 0..2 {
        let response = client.ask(get("/"));
        assert_eq!((response.status(), response.text().len()), (Some(200), 8_000_000));
    }
}
