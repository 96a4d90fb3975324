//! Requests as bytes: what is refused, before a guest hears of it, and what
//! arrives as it was sent (RFC 9112 sections 2 to 7).

use innkeeper_harness::server::{Running, Server};
use serde_json::json;

use crate::support::{assert_entries, get, refusal, refusal_of, scripted};

/// A guest that says that it ran, reads the body and answers with its length.
fn server() -> Server {
    scripted(json!([["log", "ran"], ["read-body"], ["end-with", "body-length"]]))
}

/// Each of these is answered with `status` and a close, and runs no guest.
#[track_caller]
fn assert_refused(server: &Running, status: &str, requests: &[&str]) {
    for request in requests {
        refuse(server, status, request.as_bytes());
    }
    assert_none_ran(server);
}

#[track_caller]
fn refuse(server: &Running, status: &str, request: &[u8]) {
    let mut client = server.connect();
    // A long one may be answered before all of it is sent.
    client.try_send(request);
    let expected = refusal(status);
    let answer = client.read_until(format!("\r\n\r\n{status}\n"));
    let answer = innkeeper_harness::bytes::mask_date(&answer);
    assert_eq!(String::from_utf8_lossy(&answer), expected, "to {}", innkeeper_harness::bytes::show(request));
    client.expect_close();
}

/// The next request is the first that a guest hears of.
#[track_caller]
fn assert_none_ran(server: &Running) {
    assert_eq!(server.connect().ask(get("/")).text(), "0");
    // Its line comes after those of all guests before it.
    assert_entries(server, &["ran"]);
}

#[test]
fn a_length_beside_a_coding() {
    assert_refused(
        &server().start(),
        "400 Bad Request",
        &[
            "POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: inn\r\ncontent-length: 0\r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n",
        ],
    );
}

#[test]
fn a_length_that_is_repeated() {
    assert_refused(
        &server().start(),
        "400 Bad Request",
        &[
            "POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\ncontent-length: 6\r\n\r\nhello!",
            "POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5, 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5,\r\n\r\nhello",
        ],
    );
}

#[test]
fn a_length_that_is_no_number() {
    let server = server().start();
    for length in ["", "+5", "-5", "0x5", "5 5", "5.0", "five", "18446744073709551616", "5;5", "\u{b2}"] {
        let request = format!("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: {length}\r\n\r\nhello");
        refuse(&server, "400 Bad Request", request.as_bytes());
    }
    assert_none_ran(&server);
}

#[test]
fn a_coding_that_is_not_chunked_at_the_end() {
    let server = server().start();
    for coding in [
        "chunked, identity",
        "identity",
        "gzip",
        "",
        ",",
        ",chunked",
        "chunked,",
        "xchunked",
        "chunkedchunked",
        "chunked;q=1",
        "\"chunked\"",
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "\x0bchunked",
    ] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: {coding}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        );
        refuse(&server, "400 Bad Request", request.as_bytes());
    }
    refuse(
        &server,
        "400 Bad Request",
        b"POST / HTTP/1.0\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    assert_none_ran(&server);
}

#[test]
fn a_coding_that_is_not_understood() {
    assert_refused(
        &server().start(),
        "501 Not Implemented",
        &["POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
    );
}

#[test]
fn line_ends_other_than_crlf() {
    assert_refused(
        &server().start(),
        "400 Bad Request",
        &[
            "GET / HTTP/1.1\nHost: inn\n\n",
            "GET / HTTP/1.1\r\nHost: inn\n\r\n",
            "GET / HTTP/1.1\r\nHost: inn\r\n\n",
            "GET / HTTP/1.1\r\nHost: inn\r\nX: a\rEvil: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: inn\r\nX: a\r\r\n\r\n",
            "GET / HTTP/1.1\rHost: inn\r\r",
            "\nGET / HTTP/1.1\r\nHost: inn\r\n\r\n",
        ],
    );
}

#[test]
fn lines_that_are_no_headers() {
    assert_refused(
        &server().start(),
        "400 Bad Request",
        &[
            // Folded.
            "GET / HTTP/1.1\r\nHost: inn\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: inn\r\nX: a\r\n\tb\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: inn\r\n\r\n",
            // A blank before the colon.
            "GET / HTTP/1.1\r\nHost: inn\r\nX : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : inn\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: inn\r\nX\t: a\r\n\r\n",
            // No name, no colon, no token.
            "GET / HTTP/1.1\r\nHost: inn\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: inn\r\nnothing\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: inn\r\nX(: a\r\n\r\n",
        ],
    );
}

#[test]
fn control_characters() {
    let server = server().start();
    for control in (0..0x20).chain([0x7f]).filter(|byte| !b"\t\r\n".contains(byte)) {
        for (before, after) in [
            (&b"GET / HTTP/1.1\r\nHost: inn\r\nX: a"[..], &b"b\r\n\r\n"[..]),
            (b"GET / HTTP/1.1\r\nHost: inn\r\nX", b": a\r\n\r\n"),
            (b"GET /", b" HTTP/1.1\r\nHost: inn\r\n\r\n"),
        ] {
            refuse(&server, "400 Bad Request", &[before, &[control], after].concat());
        }
    }
    assert_none_ran(&server);
}

#[test]
fn request_lines_that_are_none() {
    assert_refused(
        &server().start(),
        "400 Bad Request",
        &[
            "GET /\r\nHost: inn\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: inn\r\n\r\n",
            "GET /  HTTP/1.1\r\nHost: inn\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: inn\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: inn\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: inn\r\n\r\n",
            "G{T / HTTP/1.1\r\nHost: inn\r\n\r\n",
            "GET inn HTTP/1.1\r\nHost: inn\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: inn\r\n\r\n",
            "GET / http/1.1\r\nHost: inn\r\n\r\n",
            "GET / HTTP/1.2\r\nHost: inn\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: inn\r\n\r\n",
            "GET / XTTP/1.1\r\nHost: inn\r\n\r\n",
            // What a TLS client says.
            "\x16\x03\x01\x02",
        ],
    );
}

#[test]
fn a_host_that_is_missing_or_doubtful() {
    let server = server().start();
    for host in [
        "",
        "Host: inn\r\nHost: inn\r\n",
        "Host: inn\r\nHost: out\r\n",
        "Host: inn, out\r\n",
        "Host: in n\r\n",
        "Host: user@inn\r\n",
        "Host: inn:port\r\n",
        "Host: inn/path\r\n",
        "Host: [::1\r\n",
        "Host: inn\\out\r\n",
    ] {
        refuse(&server, "400 Bad Request", format!("GET / HTTP/1.1\r\n{host}\r\n").as_bytes());
    }
    assert_none_ran(&server);
}

#[test]
fn versions_of_another_protocol() {
    assert_refused(
        &server().start(),
        "505 HTTP Version Not Supported",
        &[
            "GET / HTTP/2.0\r\nHost: inn\r\n\r\n",
            "GET / HTTP/0.9\r\nHost: inn\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ],
    );
}

#[test]
fn a_target_that_is_too_long() {
    let server = server().arg("--head-bytes-max", "1KiB").start();
    // Sent as one, and without an end.
    refuse(&server, "414 URI Too Long", get(&format!("/{}", "a".repeat(1023))).as_bytes());
    refuse(&server, "414 URI Too Long", format!("GET /{}", "a".repeat(4000)).as_bytes());
    assert_none_ran(&server);
}

#[test]
fn a_head_that_is_too_large() {
    let server = server().arg("--head-bytes-max", "1KiB").start();
    // The target, the names and the values count: `/`, `Host`, `inn`, `X`.
    let request = |value: usize| format!("GET / HTTP/1.1\r\nHost: inn\r\nX: {}\r\n\r\n", "a".repeat(value));
    refuse(&server, "431 Request Header Fields Too Large", request(1024 - 9).as_bytes());
    // Without an end, once it cannot become a good one.
    let endless = format!("GET / HTTP/1.1\r\nHost: inn\r\nX: {}", "a".repeat(16_000));
    refuse(&server, "431 Request Header Fields Too Large", endless.as_bytes());
    assert_none_ran(&server);
    assert_eq!(server.connect().ask(request(1024 - 10)).status(), Some(200));
}

#[test]
fn blanks_around_a_value_do_not_make_a_head_boundless() {
    let server = server().arg("--head-bytes-max", "64").arg("--header-count-max", "4").start();
    let head = format!("GET / HTTP/1.1\r\nHost: inn\r\nX:{}a\r\n\r\n", " ".repeat(2000));
    refuse(&server, "431 Request Header Fields Too Large", head.as_bytes());
    assert_none_ran(&server);
}

#[test]
fn headers_that_are_too_many() {
    let server = server().arg("--header-count-max", "10").start();
    let request =
        |lines: usize| format!("GET / HTTP/1.1\r\nHost: inn\r\n{}\r\n", "X: a\r\n".repeat(lines - 1));
    refuse(&server, "431 Request Header Fields Too Large", request(11).as_bytes());
    let endless = format!("GET / HTTP/1.1\r\nHost: inn\r\n{}", "X: a\r\n".repeat(11));
    refuse(&server, "431 Request Header Fields Too Large", endless.as_bytes());
    assert_none_ran(&server);
    assert_eq!(server.connect().ask(request(10)).status(), Some(200));
}

#[test]
fn a_declared_body_that_is_too_large() {
    let server = server().arg("--request-body-bytes-max", "1000").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 1001\r\n\r\n");
    client.expect(refusal_of(1, "413 Payload Too Large"));
    client.expect_close();
    assert_none_ran(&server);
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 1000\r\n\r\n").send(vec![b'a'; 1000]);
    assert_eq!(client.read_response().text(), "1000");
}

#[test]
fn a_chunked_body_that_grows_too_large() {
    let server = server().arg("--request-body-bytes-max", "1000").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("1f4\r\n").send(vec![b'a'; 500]).send("\r\n1f5\r\n");
    client.expect(refusal("413 Payload Too Large"));
    client.expect_close();
    server.wait_log(|line| line.message == "LOG \"read-body failed: limit-exceeded\"");
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n");
    client
        .send("1f4\r\n")
        .send(vec![b'a'; 500])
        .send("\r\n1f4\r\n")
        .send(vec![b'a'; 500])
        .send("\r\n0\r\n\r\n");
    assert_eq!(client.read_response().text(), "1000");
}

#[test]
fn chunks_that_are_none() {
    let server = server().start();
    for body in [
        "",
        "\r\n",
        "g\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5;a\0b\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "0\r\nX : a\r\n\r\n",
        "0\r\nX: a\n\r\n",
        "0\r\nX: a\r\n b\r\n\r\n",
        "0\r\nX: a\0\r\n\r\n",
        "0\r\nnothing\r\n\r\n",
        "0\r\n: a\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        // One that is a beginning of something good: it ends there.
        client.half_close();
        let answer = client.read_until("400 Bad Request\n");
        assert_eq!(
            String::from_utf8_lossy(&innkeeper_harness::bytes::mask_date(&answer)),
            refusal("400 Bad Request"),
            "{body:?}"
        );
        client.expect_close();
    }
}

#[test]
fn trailers_that_are_too_many_or_too_large() {
    let server = server().arg("--header-count-max", "4").arg("--head-bytes-max", "1KiB").start();
    let post = "POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    for trailers in ["X: a\r\n".repeat(5), format!("X: {}\r\n", "a".repeat(1024))] {
        let mut client = server.connect();
        client.send(format!("{post}{trailers}\r\n"));
        client.expect(refusal("431 Request Header Fields Too Large"));
        client.expect_close();
    }
    assert_eq!(server.connect().ask(format!("{post}{}\r\n", "X: a\r\n".repeat(4))).status(), Some(200));
}

#[test]
fn a_bad_chunk_that_no_guest_reads_ends_the_connection() {
    let server = scripted(json!([["end", "not read"]])).start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n");
    client.send(get("/evil"));
    assert_eq!(client.read_response().text(), "not read");
    // What follows is no request: where it begins cannot be known.
    client.expect_close();
}

#[test]
fn chunks_extensions_and_trailers_as_a_guest_sees_them() {
    let server = scripted(json!([["read-body"], ["report", ["body", "raw-trailers", "trailers"]]])).start();
    let mut client = server.connect();
    let response = client.ask(
        "POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: Chunked\r\n\r\n\
         5;name=\"va;lue\"\r\nhello\r\n0001\r\n \r\nA;x\r\n0123456789\r\n000;last\r\n\
         X-One: 1\r\nx-two:\t 2 \r\nX-ONE: 3\r\nEmpty:\r\n\r\n",
    );
    let report: serde_json::Value = serde_json::from_slice(&response.body).expect("the report is JSON");
    assert_eq!(
        report,
        json!({
            "body": "hello 0123456789",
            "raw-trailers": ["X-One", "1", "x-two", "2", "X-ONE", "3", "Empty", ""],
            "trailers": {"x-one": "1, 3", "x-two": "2", "empty": ""},
        })
    );
    assert_eq!(client.ask(get("/")).status(), Some(200));
}

#[test]
fn header_lines_arrive_in_order_and_in_their_case() {
    let server = scripted(json!([["report", ["raw-headers", "headers-distinct"]]])).start();
    let response = server.connect().ask(
        b"GET / HTTP/1.1\r\nx-B: 1\r\nHOST: inn\r\nX-a: \x80\xff\r\nX-b:2\r\nx-a:\t3\t \r\nX-B:\r\n\r\n",
    );
    let report: serde_json::Value = serde_json::from_slice(&response.body).expect("the report is JSON");
    assert_eq!(
        report,
        json!({
            "raw-headers":
                ["x-B", "1", "HOST", "inn", "X-a", "\u{80}\u{ff}", "X-b", "2", "x-a", "3", "X-B", ""],
            "headers-distinct": {"x-b": ["1", "2", ""], "host": ["inn"], "x-a": ["\u{80}\u{ff}", "3"]},
        })
    );
}

#[test]
fn a_request_in_two_pieces_is_the_same_request() {
    let server =
        scripted(json!([["read-body"], ["report", ["url", "raw-headers", "body", "raw-trailers"]]])).start();
    let request = "\r\nPOST /a HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n\
         5;z\r\nhello\r\n0b\r\n to you all\r\n0\r\nEnd: yes\r\n\r\n";
    let whole = server.connect().ask(request).text();
    assert!(whole.contains("hello to you all") && whole.contains("End"), "{whole}");
    let mut client = server.connect();
    for place in 1..request.len() {
        client.send_split(request, &[place]);
        assert_eq!(client.read_response().text(), whole, "cut at {place}");
    }
    let everywhere: Vec<_> = (1..request.len()).collect();
    client.send_split(request, &everywhere);
    assert_eq!(client.read_response().text(), whole);
}

#[test]
fn a_long_pipeline_is_answered_in_order() {
    let server = scripted(json!({
        "*": [["read-body"], ["end-with", "url"]],
        "/unread": [["end", "unread"]],
        "/chunks": [["write", "chu"], ["write", "nks"], ["end"]],
        "/nothing": [["set-status", 204], ["end"]],
    }))
    .start();
    let mut requests = String::new();
    for round in 0..50 {
        requests.push_str(&get(&format!("/get-{round}")));
        requests
            .push_str(&format!("POST /post-{round} HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nhello"));
        requests.push_str(
            "POST /unread HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n",
        );
        requests.push_str(&format!("HEAD /head-{round} HTTP/1.1\r\nHost: inn\r\n\r\n\r\n"));
        requests.push_str(&get("/chunks"));
        requests.push_str(&get("/nothing"));
    }
    let mut client = server.connect();
    client.send(requests);
    for round in 0..50 {
        assert_eq!(client.read_response().text(), format!("/get-{round}"));
        assert_eq!(client.read_response().text(), format!("/post-{round}"));
        assert_eq!(client.read_response().text(), "unread");
        assert_eq!(client.read_response_to_head().text(), "");
        assert_eq!(client.read_response().text(), "chunks");
        assert_eq!(client.read_response().status(), Some(204));
    }
}
