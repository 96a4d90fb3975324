//! `client-error-handler`: it hears of every fault that the host answers by
//! itself, with what was received, and its words are sent as they are.

use innkeeper_harness::message::Message;
use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::wire::Client;
use serde_json::{Value, json};

use crate::support::{assert_entries, get, refusal, refusal_of, scripted_on};

/// What the guest of [`worded`] says.
const WORDS: &str = "HTTP/1.1 418 Nope\r\nConnection: close\r\n\r\n";

fn answering(ops: Value) -> Server {
    let request = json!({
        "*": [["read-body"], ["end-with", "body-length"]],
        "/part": [["write", "part"], ["read-body"], ["end"]],
        "/unread": [["end", "unread"]],
    });
    scripted_on(json!({ "request": request, "client-error": ops }))
}

/// Logs all that it is told, and answers in its own words.
fn worded() -> Server {
    answering(json!([
        ["log", "code ", "error-code"],
        ["log", "status ", "error-status"],
        ["log", "parsed ", "bytes-parsed"],
        ["log", "packet ", "raw-packet"],
        ["raw-response", WORDS],
    ]))
}

/// Sends a fault; it is answered in the guest's words and nothing else.
#[track_caller]
fn assert_worded(client: &mut Client, request: impl AsRef<[u8]>) {
    client.send(request).expect(WORDS);
    client.expect_close();
}

#[track_caller]
fn assert_told(server: &Running, code: &str, status: u16, parsed: usize, packet: &str) {
    let told = [
        format!("code {code}"),
        format!("status {status}"),
        format!("parsed {parsed}"),
        format!("packet {packet}"),
    ];
    assert_entries(server, &told);
}

const BAD_HEAD: &str = "GET / HTTP/1.1\r\nHost: inn\r\n folded\r\n\r\n";

#[test]
fn a_head_that_cannot_be_read() {
    for (head, parsed) in [
        ("Oopsie-doopsie\r\n\r\n", 0),
        ("GET / HTTP/1.1\r\nno header\r\n\r\n", 16),
        (BAD_HEAD, 27),
        // Each line is good; together they are not.
        ("POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 37),
    ] {
        let server = worded().start();
        assert_worded(&mut server.connect(), head);
        assert_told(&server, "parse", 400, parsed, head);
    }
}

#[test]
fn a_head_that_is_not_to_be_answered_otherwise() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: inn\r\n\r\n", "a".repeat(300));
    let many = "GET / HTTP/1.1\r\nHost: inn\r\nA: 1\r\nB: 2\r\n\r\n";
    let large = format!("GET / HTTP/1.1\r\nHost: inn\r\nA: {}\r\n\r\n", "a".repeat(300));
    for (head, code, status) in [
        (long.as_str(), "limit-exceeded", 414),
        (many, "limit-exceeded", 431),
        (&large, "limit-exceeded", 431),
        ("GET / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "parse", 501),
        ("GET / HTTP/2.0\r\nHost: inn\r\n\r\n", "parse", 505),
    ] {
        let server = worded().arg("--head-bytes-max", "256").arg("--header-count-max", "2").start();
        assert_worded(&mut server.connect(), head);
        server.wait_guest_line(&format!("LOG \"status {status}\""));
        assert_eq!(server.guest_lines().first(), Some(&format!("LOG \"code {code}\"")), "{head}");
    }
}

#[test]
fn a_head_that_does_not_come() {
    let server = worded().arg("--head-timeout", "200ms").start();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: i").expect(WORDS);
    client.expect_close();
    assert_told(&server, "timeout", 408, 16, "GET / HTTP/1.1\r\nHost: i");
}

#[test]
fn a_client_that_says_nothing() {
    let server = worded().arg("--head-timeout", "200ms").start();
    let mut client = server.connect();
    client.expect(WORDS).expect_close();
    assert_told(&server, "timeout", 408, 0, "");
}

#[test]
fn a_client_that_ends_inside_the_head() {
    let server = worded().start();
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHo").half_close().expect(WORDS).expect_close();
    assert_told(&server, "parse", 400, 16, "GET / HTTP/1.1\r\nHo");
}

#[test]
fn what_was_answered_before_is_not_shown() {
    let server = worded().start();
    let mut client = server.connect();
    client.send(get("/unread") + BAD_HEAD).read_until("\r\n\r\nunread");
    client.expect(WORDS).expect_close();
    assert_told(&server, "parse", 400, 27, BAD_HEAD);
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn a_body_that_breaks() {
    for (body, code, status) in [
        ("3\r\nabc\r\nx\r\n", "parse", 400),
        ("3\r\nabcd\r\n", "parse", 400),
        ("fffffffffffffffff\r\n", "parse", 400),
        ("4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n", "limit-exceeded", 413),
        ("0\r\nno trailer\r\n\r\n", "parse", 400),
    ] {
        let server = worded().arg("--request-body-bytes-max", "7").start();
        assert_worded(&mut server.connect(), CHUNKED.to_owned() + body);
        server.wait_guest_line(&format!("LOG \"status {status}\""));
        let lines = server.guest_lines();
        // The handler that read it hears of it, too, and what it does then is
        // of no effect.
        let told: Vec<_> = lines.iter().filter(|line| !line.contains("read-body")).collect();
        assert_eq!(told.first(), Some(&&format!("LOG \"code {code}\"")), "{body}");
    }
}

#[test]
fn a_body_that_breaks_is_shown_from_where_it_does() {
    let server = worded().start();
    assert_worded(&mut server.connect(), CHUNKED.to_owned() + "3\r\nabc\r\nxyz\r\n");
    server.wait_guest_line("LOG \"packet xyz\\r\\n\"");
}

#[test]
fn a_body_that_ends_too_early() {
    let server = worded().start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nabc").half_close();
    client.expect(WORDS).expect_close();
    server.wait_guest_line("LOG \"status 400\"");
}

#[test]
fn a_body_that_does_not_come() {
    let server = worded().arg("--request-timeout", "200ms").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nab").expect(WORDS);
    client.expect_close();
    server.wait_guest_line("LOG \"code timeout\"");
    server.wait_guest_line("LOG \"status 408\"");
}

#[test]
fn a_body_that_would_be_too_large() {
    let server = worded().arg("--request-body-bytes-max", "4").start();
    let mut client = server.connect();
    assert_worded(&mut client, "POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\n");
    server.wait_guest_line("LOG \"code limit-exceeded\"");
    server.wait_guest_line("LOG \"status 413\"");
}

#[test]
fn a_response_that_has_begun_is_cut_and_nothing_more() {
    let server = worded().start();
    let mut client = server.connect();
    client.send(CHUNKED.replace(" / ", " /part ")).read_until("4\r\npart\r\n");
    client.send("x\r\n");
    assert_eq!(client.read_to_end().0, b"");
    let mut client = server.connect();
    client.send(CHUNKED.replace(" / ", " /unread ") + "x\r\n").read_until("\r\n\r\nunread");
    assert_eq!(client.read_to_end().0, b"");
    assert_entries(&server, &["read-body failed: parse"]);
}

#[test]
fn an_expectation_that_is_not_met_is_no_error_of_the_client() {
    let server = worded().start();
    let mut client = server.connect();
    let response = client.ask("GET / HTTP/1.1\r\nHost: inn\r\nExpect: meow\r\n\r\n");
    assert_eq!((response.status(), response.header("connection")), (Some(417), Some("keep-alive")));
    assert_eq!(client.ask(get("/unread")).text(), "unread");
    assert_entries::<&str>(&server, &[]);
}

#[test]
fn nothing_leaves_it_to_the_host() {
    let server = answering(json!([["log", "none"]])).start();
    let mut client = server.connect();
    client.send(BAD_HEAD).expect(refusal("400 Bad Request"));
    client.expect_close();
    let mut client = server.connect();
    let response = client.ask(CHUNKED.to_owned() + "x\r\n");
    assert_host_answers(&response, 400);
    client.expect_close();
    assert_entries(&server, &["none", "read-body failed: parse", "none"]);
}

#[track_caller]
fn assert_host_answers(response: &Message, status: u16) {
    assert_eq!((response.status(), response.header("connection")), (Some(status), Some("close")));
    assert!(response.text().starts_with(&status.to_string()), "{}", response.text());
}

#[test]
fn no_bytes_are_no_answer() {
    let server = answering(json!([["raw-response", ""]])).start();
    let mut client = server.connect();
    client.send(BAD_HEAD).expect_close();
}

#[test]
fn a_trap_leaves_it_to_the_host() {
    let server = answering(json!([["trap"]])).start();
    let mut client = server.connect();
    client.send(BAD_HEAD).expect(refusal("400 Bad Request"));
    client.expect_close();
    server.wait_log(|line| line.level == "ERROR" && line.message.contains("trapped"));
    assert_eq!(server.connect().ask(get("/unread")).text(), "unread");
}

#[test]
fn a_guest_that_takes_too_long_leaves_it_to_the_host() {
    let server = answering(json!([["sleep-ms", 3_600_000]])).arg("--wall-time-max", "200ms").start();
    let mut client = server.connect();
    client.send(BAD_HEAD).expect(refusal("400 Bad Request"));
    client.expect_close();
    server.wait_log(|line| line.level == "ERROR" && line.message.contains("wall_time_max"));
}

#[test]
fn without_an_instance_the_host_answers() {
    let server = worded().arg("--instances-max", "1").start();
    let mut busy = server.connect();
    busy.send(CHUNKED.replace(" / ", " /part ")).read_until("4\r\npart\r\n");
    let mut client = server.connect();
    client.send(BAD_HEAD).expect(refusal("400 Bad Request"));
    client.expect_close();
    busy.send("0\r\n\r\n").expect("0\r\n\r\n");
}

#[test]
fn what_is_shown_is_bounded() {
    const SHOWN: usize = 16 * 1024;
    let server = worded().arg("--head-bytes-max", "64KiB").arg("--log-bytes-per-second", "1MiB").start();
    let head = format!("GET / HTTP/1.1\r\nHost: inn\r\nX: {}\r\n folded\r\n\r\n", "a".repeat(2 * SHOWN));
    assert_worded(&mut server.connect(), &head);
    // An entry of the guest's that is too long for one line comes in pieces.
    server.wait_log(|line| line.is_guest() && line.message.ends_with("a\""));
    let lines = server.guest_lines().concat();
    let (_, entry) = lines.split_once("LOG \"packet ").expect("it shows the packet");
    let shown: String = serde_json::from_str(&format!("\"{entry}")).expect("it is JSON");
    assert_eq!(Some(shown.as_str()), head.get(..SHOWN));
}

#[test]
fn the_words_go_out_as_they_are() {
    // No head, no end of line: the host adds nothing and takes nothing away.
    for words in ["\u{0}\u{ff}no HTTP at all\r", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"] {
        let server = answering(json!([["raw-response", words]])).start();
        let mut client = server.connect();
        let bytes: Vec<_> = words.chars().map(|char| char as u8).collect();
        client.send(BAD_HEAD).expect(bytes).expect_close();
    }
}

#[test]
fn the_access_log_has_the_fault() {
    let server = worded().start();
    assert_worded(&mut server.connect(), BAD_HEAD);
    let line = server.wait_log(|line| line.target == "access");
    assert!(line.field("refused").is_some(), "{line:?}");
}

#[test]
fn an_unread_body_that_breaks_is_answered_by_nobody() {
    // The handler returned without an answer; that is told, not the chunk.
    let server =
        scripted_on(json!({ "request": [["return"]], "client-error": [["raw-response", WORDS]] })).start();
    let mut client = server.connect();
    let response = client.ask(CHUNKED.to_owned() + "x\r\n");
    assert_eq!(response.status(), Some(500));
    client.send("").expect_close();
}

#[test]
fn a_request_timeout_without_words() {
    let server = answering(json!([["log", "none"]])).arg("--request-timeout", "200ms").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\n");
    client.expect(refusal_of(1, "408 Request Timeout"));
    client.expect_close();
}
