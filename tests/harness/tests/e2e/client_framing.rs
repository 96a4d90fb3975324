//! What goes out for a guest's request, byte by byte, and what a guest sees of
//! every framing that a response may have. What is no response is
//! `client_garbage`'s.

use innkeeper_harness::upstream::Upstream;

use crate::requests::{begin, lines_of, ok, outbound, run};

/// What a request becomes: the script but for its end, and the bytes.
const REQUESTS: &[(&str, &str)] = &[
    // No body, and none is announced.
    ("a = GET http://{up}/; a end", "GET / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n"),
    ("a = GET http://{up}; a end", "GET / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n"),
    (
        "a = GET http://{up}/a/../b?c=d%20e#f; a flush; a end",
        "GET /a/../b?c=d%20e HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n",
    ),
    ("a = HEAD http://{up}/; a end", "HEAD / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n"),
    ("a = DELETE http://{up}/; a end", "DELETE / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n"),
    (
        "a = OPTIONS http://{up} path=*; a end",
        "OPTIONS * HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n",
    ),
    // One that is known at the end.
    (
        "a = POST http://{up}/; a end",
        "POST / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a = POST http://{up}/; a end hello",
        "POST / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "a = GET http://{up}/; a end hello",
        "GET / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    ),
    (
        "a = BREW http://{up}/; a end hello",
        "BREW / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    ),
    // One that is not.
    (
        "a = POST http://{up}/; a write he; a write llo; a end",
        "POST / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ),
    (
        "a = GET http://{up}/; a write he; a end llo",
        "GET / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ),
    (
        "a = POST http://{up}/; a flush; a end",
        "POST / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a = POST http://{up}/; a trailers X-Sum: 1; a end hello",
        "POST / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    ),
    // One that the guest frames itself.
    (
        "a = POST http://{up}/ +content-length:5; a write he; a write llo; a end",
        "POST / HTTP/1.1\r\ncontent-length: 5\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\nhello",
    ),
    (
        "a = POST http://{up}/ +transfer-encoding:chunked; a end hello",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n",
    ),
    // Names as they are spelt, in order; one that is set again keeps its place.
    (
        "a = GET http://{up}/ +X-bB:1 +x-Aa:2; a header x-BB: 3; a append X-AA: 4; a header Zz: 5; \
         a remove zz; a header zZ: 6; a end",
        "GET / HTTP/1.1\r\nx-BB: 3\r\nx-Aa: 2\r\nx-Aa: 4\r\nHost: {up}\r\nzZ: 6\r\n\
         Connection: keep-alive\r\n\r\n",
    ),
    (
        "a = GET http://{up}/ +Accept:a +accept:b +Cookie:c=1 +X:y +cookie:d=2; a end",
        "GET / HTTP/1.1\r\nAccept: a\r\naccept: b\r\ncookie: c=1; d=2\r\nX: y\r\nHost: {up}\r\n\
         Connection: keep-alive\r\n\r\n",
    ),
    (
        "a = GET http://{up}/ +hOst:inn; a end",
        "GET / HTTP/1.1\r\nhOst: inn\r\nConnection: keep-alive\r\n\r\n",
    ),
    (
        "a = GET http://{up}/ +Host:inn +A:b; a remove host; a end",
        "GET / HTTP/1.1\r\nA: b\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n",
    ),
    (
        "a = GET http://user:p%20w@{up}/; a end",
        "GET / HTTP/1.1\r\nAuthorization: Basic dXNlcjpwIHc=\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n",
    ),
    // What is said of the connection is the guest's, or the agent's.
    (
        "a = GET http://{up}/ +connection:Close; a end",
        "GET / HTTP/1.1\r\nconnection: Close\r\nHost: {up}\r\n\r\n",
    ),
    ("a = GET http://{up}/ none; a end", "GET / HTTP/1.1\r\nHost: {up}\r\nConnection: close\r\n\r\n"),
    (
        "g = agent closing; a = GET http://{up}/ via=g; a end",
        "GET / HTTP/1.1\r\nHost: {up}\r\nConnection: close\r\n\r\n",
    ),
    (
        "g = agent closing sockets=1; a = GET http://{up}/ via=g; a end",
        "GET / HTTP/1.1\r\nHost: {up}\r\nConnection: keep-alive\r\n\r\n",
    ),
];

#[test]
fn a_request_as_it_goes_out() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for (script, bytes) in REQUESTS {
        let mut script = begin(&server, &upstream, &format!("{script}; a response"));
        let mut connection = upstream.accept();
        connection.expect(bytes.replace("{up}", &upstream.authority()));
        connection.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        assert!(script.told().contains("a response 1.1 204 No Content"), "{bytes}");
        connection.expect_close();
    }
}

#[test]
fn what_cannot_be_sent_is_refused_and_nothing_goes_out() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let refused = [
        ("a = G(T http://{up}/", "a new failed: invalid-arg: "),
        ("a = GET http://{up}/ path=a\u{e9}", "a new failed: unescaped-path: "),
        ("a = GET ftp://{up}/", "a new failed: invalid-protocol: "),
        ("a = GET http://{up}/; a header a b: c", "a header failed: invalid-header-name: "),
        ("a = GET http://{up}/ +Content-Length:5 +Transfer-Encoding:chunked; a end", "a end failed: "),
        ("a = POST http://{up}/ +Content-Length:5; a end four", "a end failed: content-length-mismatch: "),
        (
            "a = POST http://{up}/ +Content-Length:5; a write longer",
            "a write failed: content-length-mismatch: ",
        ),
        ("a = GET http://{up}/; a trailers Host: b", "a trailers failed: trailer-invalid: "),
        ("a = GET http://{up}/; a response", "a response failed: invalid-arg: "),
        ("a = GET http://{up}/; a connected", "a connected failed: invalid-arg: "),
    ];
    for (script, told) in refused {
        let all = run(&server, &upstream, script);
        assert!(all.starts_with(told), "{script}: {all}");
    }
    assert!(!upstream.is_called());
}

#[test]
fn the_head_is_fixed_by_the_first_call_that_sends() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = POST http://{up}/; a sent; a write x; a sent; a header A: b; a remove Host; \
                  a end; a end; a end more; a write more; a trailers A: b; a response; a response";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.read_until("0\r\n\r\n");
    connection.send(ok(""));
    script.tells(
        "a sent false
         a sent true
         a header failed: headers-sent: the head is already fixed
         a remove failed: headers-sent: the head is already fixed
         a end failed: already-finished: it was ended already
         a end failed: write-after-end: write after the end
         a write failed: write-after-end: write after the end
         a trailers failed: already-finished: it was ended already
         a response 1.1 200 OK
         a > Content-Length: 0
         a response failed: invalid-arg: invalid argument: the response was given already",
    );
}

/// A response: the method, the bytes, whether the server closes behind them,
/// and what the guest tells of it.
type Response = (&'static str, &'static [u8], bool, &'static str);

const RESPONSES: &[Response] = &[
    // A length.
    (
        "GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        false,
        "a response 1.1 200 OK\na > Content-Length: 5\na body hello",
    ),
    (
        "GET",
        b"HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n",
        false,
        "a response 1.1 404 Not Found\na > content-length: 0\na body",
    ),
    (
        "GET",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        false,
        "a response 1.0 200 OK\na > Content-Length: 5\na body hello",
    ),
    // Chunks, with extensions that mean nothing, and trailers.
    (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        false,
        "a response 1.1 200 OK\na > Transfer-Encoding: chunked\na body hello",
    ),
    (
        "GET",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n\
          00A;name=value;other=\"a;b\"\r\n0123456789\r\n0;end\r\nX-Sum: 1\r\nx-sUM: 2\r\n\r\n",
        false,
        "a response 1.1 200 OK\na > transfer-encoding: Chunked\na body 0123456789\na >> X-Sum: 1\na >> x-sUM: 2",
    ),
    (
        "POST",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        false,
        "a response 1.1 200 OK\na > Transfer-Encoding: chunked\na body",
    ),
    // To the end of the connection.
    ("GET", b"HTTP/1.1 200 OK\r\n\r\nhello", true, "a response 1.1 200 OK\na body hello"),
    ("GET", b"HTTP/1.0 200 OK\r\n\r\nhello", true, "a response 1.0 200 OK\na body hello"),
    ("GET", b"HTTP/1.1 200 OK\r\n\r\n", true, "a response 1.1 200 OK\na body"),
    // None, whatever the fields say.
    (
        "HEAD",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        false,
        "a response 1.1 200 OK\na > Content-Length: 5\na body",
    ),
    (
        "HEAD",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        false,
        "a response 1.1 200 OK\na > Transfer-Encoding: chunked\na body",
    ),
    ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n", false, "a response 1.1 200 OK\na body"),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", false, "a response 1.1 204 No Content\na body"),
    (
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        false,
        "a response 1.1 304 Not Modified\na > Content-Length: 5\na body",
    ),
    (
        "GET",
        b"HTTP/1.1 205 Reset Content\r\nContent-Length: 1\r\n\r\nx",
        false,
        "a response 1.1 205 Reset Content\na > Content-Length: 1\na body x",
    ),
    // Interim ones before it, which nobody has to wait for.
    (
        "GET",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\
          Link: </a>\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        false,
        "a response 1.1 200 OK\na > Content-Length: 2\na body hi",
    ),
    // Reason phrases and other statuses.
    (
        "GET",
        b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
        false,
        "a response 1.1 200\na > Content-Length: 0\na body",
    ),
    (
        "GET",
        b"HTTP/1.1 299 Tr\xe8s  bien!\r\nContent-Length: 0\r\n\r\n",
        false,
        "a response 1.1 299 Tr\\u{e8}s  bien!\na > Content-Length: 0\na body",
    ),
    (
        "GET",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        false,
        "a response 1.1 999 Odd\na > Content-Length: 0\na body",
    ),
    // Header lines: spelling, order, repetition, bytes, white space around.
    (
        "GET",
        b"HTTP/1.1 200 OK\r\nsEt-cOOkie: a=1\r\nX-Odd:\t\xff \t\r\nX-Empty:\r\nSet-Cookie: b=2\r\n\
          CONTENT-LENGTH: 0\r\n\r\n",
        false,
        "a response 1.1 200 OK\na > sEt-cOOkie: a=1\na > X-Odd: \\xff\na > X-Empty:\na > Set-Cookie: b=2\n\
         a > CONTENT-LENGTH: 0\na body",
    ),
];

#[test]
fn a_response_as_the_guest_sees_it() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for (method, bytes, closes, told) in RESPONSES {
        let script = format!("a = {method} http://{{up}}/ none; a end; a response; a body");
        let mut script = begin(&server, &upstream, &script);
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(bytes);
        if *closes {
            connection.half_close();
        }
        script.tells(told);
        connection.expect_close();
    }
}

#[test]
fn a_response_that_comes_byte_by_byte() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for (method, bytes, closes, told) in RESPONSES {
        let script = format!("a = {method} http://{{up}}/ none; a end; a response; a body");
        let mut script = begin(&server, &upstream, &script);
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send_split(bytes, &(1..bytes.len()).collect::<Vec<_>>());
        if *closes {
            connection.half_close();
        }
        assert_eq!(script.told(), lines_of(told), "{}", bytes.escape_ascii());
    }
}

#[test]
fn interim_responses_are_told_in_order() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = GET http://{up}/ none; a end; a information; a information; tell both; a information; a response";
    let mut script = begin(&server, &upstream, script);
    let mut connection = upstream.accept();
    connection.read_request();
    connection
        .send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nlink: </b>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    connection.send("HTTP/1.1 199 What\r\n\r\n");
    script.wait_for("tell both");
    connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    script.tells(
        "a information 103
         a > Link: </a>
         a > link: </b>
         a information 199
         tell both
         a information none
         a response 1.1 204 No Content",
    );
}

#[test]
fn much_goes_both_ways_whole() {
    const BYTES: usize = 4_000_000;
    let (server, upstream) = (outbound().start(), Upstream::start());
    let pattern: Vec<u8> = (0..BYTES).map(|place| (place % 251) as u8).collect();
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n");
    let chunk = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{BYTES:x}\r\n");
    for (header, before, after) in [("+Content-Length:4000000", length, ""), ("", chunk, "\r\n0\r\n\r\n")] {
        let script = format!(
            "a = POST http://{{up}}/ none {header}; a write-pattern {BYTES}; a end; a response; a count"
        );
        let mut script = begin(&server, &upstream, &script);
        let mut connection = upstream.accept();
        let request = connection.read_request();
        assert!(request.body == pattern, "{} bytes came, others than were written", request.body.len());
        connection.send(before).send(&pattern).send(after);
        let told = script.told();
        assert!(told.ends_with(&format!("a count {BYTES}, 0 wrong\n")), "{told}");
    }
}
