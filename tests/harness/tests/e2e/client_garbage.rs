//! What servers send that is no response, or could be read in two ways, or has
//! no end: the guest is told, and the connection is given up. So it is when
//! they close too early.

use innkeeper_harness::upstream::{Connection, Upstream};

use crate::requests::{begin, lines_of, outbound, run};

/// Bytes in the place of a head, and what is wrong with them.
const HEADS: &[(&[u8], &str)] = &[
    // The status line.
    (b"garbage\r\n\r\n", "status line"),
    (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 20 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 099 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 2x0 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 \r\n\r\n", "status line"),
    (b"HTTP/2.0 200 OK\r\n\r\n", "HTTP version"),
    (b"HTTP/1.2 200 OK\r\n\r\n", "HTTP version"),
    (b"HTTP/1.1 200 O\0K\r\n\r\n", "control character in the head"),
    // Header lines.
    (b"HTTP/1.1 200 OK\r\nX\r\n\r\n", "header"),
    (b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "header"),
    (b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "header"),
    (b"HTTP/1.1 200 OK\r\n X: y\r\n\r\n", "header"),
    (b"HTTP/1.1 200 OK\r\nX(: y\r\n\r\n", "header"),
    (b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", "header"),
    (b"HTTP/1.1 200 OK\r\nX: y\x01z\r\n\r\n", "control character in the head"),
    (b"HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n", "control character in the head"),
    // Line ends.
    (b"HTTP/1.1 200 OK\nX: y\r\n\r\n", "line end in the head"),
    (b"HTTP/1.1 200 OK\r\nX: y\n\r\n\r\n", "line end in the head"),
    (b"HTTP/1.1 200 OK\n\n", "line end in the head"),
    // What frames the body.
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "Content-Length beside Transfer-Encoding",
    ),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "more than one Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", "more than one Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", "Content-Length"),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "transfer coding that is not understood",
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "transfer coding that is not understood",
    ),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", "transfer coding that is not understood"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\n", "transfer coding that is not understood"),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding in HTTP/1.0"),
    // In an interim response, too.
    (b"HTTP/1.1 103 Hints\r\nX : y\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "header"),
];

#[test]
fn what_is_no_head_is_told_and_ends_the_connection() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for (bytes, what) in HEADS {
        let mut script = begin(&server, &upstream, "a = GET http://{up}/; a end; a response; a response");
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(bytes);
        let line = format!("a response failed: parse: the peer sent what is not HTTP: {what}");
        // It stays so.
        assert_eq!(script.told(), lines_of(&format!("{line}\n{line}")), "{}", bytes.escape_ascii());
        connection.read_to_end();
    }
}

#[test]
fn garbage_is_told_before_its_end() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for bytes in ["SSH-2.0-x", "HTTP/1.1 200 OK\r\nX: y\nZ: ", "HTTP/1.1 200 OK\r\nX: \x01\r\n"] {
        let mut script = begin(&server, &upstream, "a = GET http://{up}/; a end; a response");
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(bytes);
        assert!(script.told().starts_with("a response failed: parse: "), "{bytes}");
        connection.read_to_end();
    }
}

/// What follows the head of a chunked response, and what the guest still gets
/// of it.
const CHUNKS: &[(&[u8], &str)] = &[
    (b"zz\r\nhello\r\n", ""),
    (b"-5\r\nhello\r\n", ""),
    (b"0x5\r\nhello\r\n", ""),
    (b"\r\nhello\r\n", ""),
    (b"5 5\r\nhello\r\n", ""),
    (b"5\nhello\r\n0\r\n\r\n", ""),
    (b"10000000000000000\r\nhello\r\n", ""),
    (b"5;\x01\r\nhello\r\n0\r\n\r\n", ""),
    (b"5\r\nhelloX\r\n0\r\n\r\n", "hello"),
    (b"5\r\nhello\n0\r\n\r\n", "hello"),
    (b"5\r\nhello\r\n0\r\nX\r\n\r\n", "hello"),
    (b"5\r\nhello\r\n0\r\nX : y\r\n\r\n", "hello"),
    (b"5\r\nhello\r\n0\r\nX: y\n\r\n\r\n", "hello"),
];

#[test]
fn a_chunk_that_is_none_breaks_the_body() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for (bytes, got) in CHUNKS {
        let mut script =
            begin(&server, &upstream, "a = GET http://{up}/; a end; a response; a body; a piece 1");
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").send(bytes);
        let told = script.told();
        let lines: Vec<_> = told.lines().skip(2).collect();
        let bytes = bytes.escape_ascii();
        assert_eq!(lines.len(), 3, "{bytes}: {told}");
        assert_eq!(lines[0], format!("a body {got}").trim_end(), "{bytes}");
        assert!(lines[1].starts_with("a body failed: parse: "), "{bytes}: {told}");
        // It stays so.
        assert_eq!(lines[2], lines[1].replace("a body", "a piece"), "{bytes}");
        connection.read_to_end();
    }
}

/// Sends the same again and again, until the host has had enough.
fn send_until_the_end(connection: &mut Connection, bytes: &str) {
    while connection.try_send(bytes) {}
    connection.read_to_end();
}

#[test]
fn what_has_no_end_is_given_one() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let endless = [
        // Beginning, what follows without end, what the guest is told at last.
        ("HTTP/1.1 200 ", "a", "a response failed: limit-exceeded: limit exceeded: outbound_head_bytes_max"),
        (
            "HTTP/1.1 200 OK\r\nX: ",
            "a",
            "a response failed: limit-exceeded: limit exceeded: outbound_head_bytes_max",
        ),
        (
            "HTTP/1.1 200 OK\r\n",
            "X: y\r\n",
            "a response failed: limit-exceeded: limit exceeded: outbound_head_bytes_max",
        ),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", "a response failed: parse: "),
        ("", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", "a response failed: parse: "),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0", "a body failed: parse: "),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", "a", "a body failed: "),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "X: y\r\n",
            "a body failed: limit-exceeded: ",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
            "y",
            "a body failed: limit-exceeded: ",
        ),
    ];
    for (beginning, again, told) in endless {
        let mut script = begin(&server, &upstream, "a = GET http://{up}/; a end; a response; a body");
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(beginning);
        send_until_the_end(&mut connection, &again.repeat(1000));
        let all = script.told();
        assert!(all.contains(told), "{beginning:?} {again:?}: {all}");
    }
}

/// A response whose end is in its bytes, and one that ends with chunks.
const WHOLE: &[&str] = &[
    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
];

#[test]
fn a_close_at_any_place_before_the_end_is_told() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    for whole in WHOLE {
        let head = whole.find("\r\n\r\nH").map_or(0, |at| at + 4);
        let head = head + whole[head..].find("\r\n\r\n").expect("it has a head") + 4;
        for cut in 0..whole.len() {
            let mut script = begin(&server, &upstream, "a = GET http://{up}/; a end; a response; a body");
            let mut connection = upstream.accept();
            connection.read_request();
            connection.send(&whole[..cut]).half_close();
            let told = script.told();
            if cut < head {
                assert_eq!(
                    told, "a response failed: connection-reset: the peer went away\na body of no response\n",
                    "{cut}"
                );
            } else {
                assert!(
                    told.ends_with("a body failed: connection-reset: the peer went away\n"),
                    "{cut}: {told}"
                );
            }
            connection.expect_close();
        }
    }
}

#[test]
fn a_reset_is_told_as_a_close_is() {
    let (server, upstream) = (outbound().start(), Upstream::start());
    let script = "a = GET http://{up}/; a end; a response";
    for bytes in ["", "HTTP/1.1 200 OK\r\n"] {
        let mut script = begin(&server, &upstream, script);
        let mut connection = upstream.accept();
        connection.read_request();
        connection.send(bytes);
        connection.reset();
        script.tells("a response failed: connection-reset: the peer went away");
    }
    let mut script = begin(
        &server,
        &upstream,
        "a = GET http://{up}/; a end; a response; tell there; a piece 5; a piece 5",
    );
    let mut connection = upstream.accept();
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\n\r\n");
    script.wait_for("tell there");
    connection.reset();
    // What ends with the connection does not end with a reset.
    script.tells(
        "a response 1.1 200 OK
         tell there
         a piece failed: connection-reset: the peer went away
         a piece failed: connection-reset: the peer went away",
    );
}

#[test]
fn nobody_there_is_told_as_such() {
    let upstream = Upstream::start();
    let server = outbound().start();
    let authority = upstream.authority();
    upstream.stop();
    let told = run(&server, &authority, "a = GET http://{up}/; a end; a response");
    assert!(
        told.starts_with("a response failed: connect: no connection: cannot connect to http://{up}"),
        "{told}"
    );
}
