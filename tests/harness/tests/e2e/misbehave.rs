//! Guests that behave badly: each costs its own exchange and nothing more. The
//! client is told a fixed sentence or sees that the response is cut, the log
//! has the cause, and the next request is served.

use innkeeper_harness::message::Message;
use innkeeper_harness::server::Running;

use crate::support::{assert_admits, assert_ok, assert_serves, get, misbehave as server, wait_access};

#[track_caller]
fn ask(server: &Running, target: &str) -> Message {
    server.connect().ask(get(target))
}

/// The client gets a 500 that tells nothing, the log has the cause.
#[track_caller]
fn assert_500(server: &Running, target: &str, cause: &str) {
    let response = ask(server, target);
    assert_eq!(response.status(), Some(500));
    assert!(response.text().starts_with("500 Internal Server Error\n"), "{}", response.text());
    assert!(!response.text().contains(cause), "the client is told the cause: {}", response.text());
    server.wait_log(|line| !line.is_guest() && line.message.contains(cause));
    assert_serves(server);
}

/// The client can tell that the response is not whole.
#[track_caller]
fn assert_cut(server: &Running, target: &str, cause: &str) {
    let response = ask(server, target);
    assert_eq!((response.status(), response.complete), (Some(200), false));
    server.wait_log(|line| !line.is_guest() && line.message.contains(cause));
    assert_serves(server);
}

fn as_strs(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

#[test]
fn a_trap() {
    assert_500(&server().start(), "/trap", "trapped");
}

#[test]
fn a_panic_is_told_in_the_guests_own_words() {
    let server = server().start();
    assert_500(&server, "/panic", "trapped");
    server.wait_log(|line| line.is_guest() && line.message.contains("the guest panics"));
}

#[test]
fn an_exit() {
    assert_500(&server().start(), "/exit", "exited with code 1");
}

#[test]
fn a_stack_without_end() {
    assert_500(&server().start(), "/stack", "trapped");
}

#[test]
fn an_endless_loop() {
    assert_500(&server().arg("--cpu-time-max", "200ms").start(), "/loop", "cpu_time_max");
}

#[test]
fn an_endless_loop_after_the_head() {
    assert_cut(&server().arg("--cpu-time-max", "200ms").start(), "/loop-after-head", "cpu_time_max");
}

#[test]
fn memory_without_end() {
    assert_500(&server().arg("--memory-bytes-max", "16MiB").start(), "/grow", "memory_bytes_max");
}

#[test]
fn handles_without_end() {
    assert_500(&server().arg("--handles-max", "100").start(), "/handles", "handles_max");
}

#[test]
fn no_end() {
    let server = server().start();
    assert_500(&server, "/no-end", "without ending");
    // Nothing was sent before the 500: the connection can go on.
    let mut client = server.connect();
    assert_eq!(client.ask(get("/no-end")).status(), Some(500));
    assert_ok(&mut client);
}

#[test]
fn no_end_after_a_write() {
    let server = server().start();
    let response = ask(&server, "/no-end-after-write");
    // A 500 if the head had not gone out yet; otherwise cut.
    assert!(response.status() == Some(500) || !response.complete, "{response:?}");
    server.wait_log(|line| line.message.contains("without ending"));
    assert_serves(&server);
}

#[test]
fn calls_after_the_end() {
    let server = server().start();
    assert_eq!(ask(&server, "/write-after-end").text(), "ended");
    for line in [
        "write: write-after-end",
        "try-write: write-after-end",
        "end with a piece: write-after-end",
        "end: already-finished",
        "set-header: headers-sent",
        "add-trailers: already-finished",
    ] {
        server.wait_guest_line(line);
    }
    assert_serves(&server);
}

#[test]
fn a_handler_that_fails() {
    let server = server().start();
    assert_500(&server, "/err", "without ending");
    server.wait_guest_line("handler failed: the guest gives up");
}

#[test]
fn a_handler_that_fails_after_the_head() {
    assert_cut(&server().start(), "/err-after-head", "without ending");
}

#[test]
fn finished_tells_when_the_last_byte_is_taken() {
    let server = server().start();
    assert_eq!(ask(&server, "/finished").text(), "a body");
    for line in ["finished before end: invalid-arg", "finished: ok", "writable-finished: true"] {
        server.wait_guest_line(line);
    }
}

#[test]
fn work_after_the_end_does_not_hold_up_the_answer() {
    let server = server().start();
    assert_eq!(ask(&server, "/post-work?ms=1000").text(), "ended");
    assert!(!server.guest_lines().iter().any(|line| line == "post-work done"));
    server.wait_guest_line("post-work done");
    assert_serves(&server);
}

#[test]
fn a_head_without_end() {
    let server = server().start();
    let response = ask(&server, "/huge-head");
    assert_eq!((response.status(), response.text().as_str()), (Some(200), "limit-exceeded"));
    assert_serves(&server);
}

#[test]
fn nothing_can_be_smuggled_into_a_head() {
    let server = server().start();
    let mut client = server.connect();
    let response = client.ask(get("/inject"));
    let expected = [
        ("name with CRLF", "invalid-header-name"),
        ("name with a colon", "invalid-header-name"),
        ("name with a space", "invalid-header-name"),
        ("empty name", "invalid-header-name"),
        ("value with CRLF", "invalid-char"),
        ("value with LF", "invalid-char"),
        ("value with CR", "invalid-char"),
        ("value with NUL", "invalid-char"),
        ("second value", "invalid-char"),
        ("appended value", "invalid-char"),
        ("reason", "invalid-char"),
        ("head name", "invalid-header-name"),
        ("head value", "invalid-char"),
        ("trailer name", "invalid-header-name"),
        ("trailer value", "invalid-char"),
        ("framing trailer", "trailer-invalid"),
        ("interim status", "invalid-status-code"),
        ("switching", "invalid-status-code"),
        ("interim", "invalid-char"),
        ("hint link", "invalid-char"),
        ("hint value", "invalid-char"),
        ("status message", "invalid-char"),
    ];
    let expected: String = expected.iter().map(|(what, code)| format!("{what}: {code}\n")).collect();
    assert_eq!(response.text(), expected);
    let names: Vec<_> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Date", "Connection", "Keep-Alive", "Content-Length"]);
    assert!(response.interim.is_empty(), "{:?}", response.interim);
    assert_ok(&mut client);
}

#[test]
fn output_without_end_to_a_client_that_does_not_read() {
    let server = server().arg("--write-stall-timeout", "100ms").start();
    let mut client = server.connect();
    client.send(get("/output"));
    wait_access(&server, "/output");
    assert_serves(&server);
}

#[test]
fn output_without_end_to_a_client_that_goes() {
    let server = server().start();
    let mut client = server.connect();
    client.send(get("/output")).read_until("aaaa");
    client.reset();
    wait_access(&server, "/output");
    assert_serves(&server);
}

#[test]
fn output_that_does_not_wait_is_bounded() {
    let server = server().arg("--response-buffer-bytes-max", "256KiB").start();
    let mut client = server.connect();
    client.send(get("/try-output"));
    let line = server.wait_log(|line| line.is_guest() && line.message.starts_with("try-write: "));
    assert!(line.message.starts_with("try-write: limit-exceeded after "), "{}", line.message);
    client.read_to_end();
    assert_serves(&server);
}

#[test]
fn a_body_that_is_not_read() {
    let server = server().start();
    let mut client = server.connect();
    let response = client.ask("POST /never-read HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nabcde");
    assert_eq!(response.text(), "not read");
    assert_ok(&mut client);
}

#[test]
fn a_body_that_is_awaited_beside_a_clock() {
    let server = server().start();
    let mut client = server.connect();
    client.send("POST /poll HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nab").send("cde");
    let text = client.read_response().text();
    assert!(text.starts_with("bytes=5 ticks="), "{text}");
}

#[test]
fn a_sleep() {
    let server = server().start();
    assert_eq!(ask(&server, "/sleep?ms=10").text(), "slept");
}

#[test]
fn a_sleep_without_end() {
    assert_500(&server().arg("--wall-time-max", "100ms").start(), "/sleep-forever", "wall_time_max");
}

#[test]
fn a_sleep_ends_when_the_client_goes() {
    let server = server().start();
    let mut client = server.connect();
    // The head shows that it has begun; no time for it to end is set.
    client.send(get("/set-timeout?ms=0")).read_until("\r\n\r\n");
    client.reset();
    wait_access(&server, "/set-timeout?ms=0");
}

#[test]
fn a_timeout_that_the_guest_sets() {
    let server = server().start();
    let response = ask(&server, "/set-timeout?ms=50");
    assert_eq!((response.status(), response.complete), (Some(200), false));
    assert_serves(&server);
}

#[test]
fn the_connection_as_the_guest_sees_it() {
    let server = server().start();
    let mut client = server.connect();
    let request = get("/socket");
    let text = client.ask(&request).text();
    let expected = format!(
        "remote-address: 127.0.0.1\nremote-port: {}\nlocal-address: 127.0.0.1\nlocal-port: {}\nencrypted: false\n\
         bytes-read: {}\nbytes-written: 0\nexchanges: 1\n",
        client.local_addr().port(),
        server.addr().port(),
        request.len()
    );
    assert_eq!(text, expected);
    assert!(client.ask(&request).text().ends_with("exchanges: 2\n"));
    server.wait_guest_line("set-no-delay: ok");
    server.wait_guest_line("set-keep-alive: ok");
}

#[test]
fn a_connection_that_the_guest_destroys() {
    let server = server().start();
    let response = ask(&server, "/destroy");
    assert_eq!((response.status(), response.complete, response.text().as_str()), (Some(200), false, "part"));
    wait_access(&server, "/destroy");
    // It may be ended at any time after that, but no call succeeds any more.
    let lines = server.guest_lines();
    assert!(
        ["write: destroyed", "end: destroyed", "finished: destroyed"].starts_with(&as_strs(&lines)),
        "{lines:?}"
    );
    assert_serves(&server);
}

#[test]
fn a_connection_that_the_guest_closes_soon() {
    let server = server().start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/destroy-soon?ms=1000")).text(), "the last answer");
    client.expect_close();
}

#[test]
fn what_a_guest_prints() {
    let server = server().arg("--name", "inn").start();
    assert_eq!(ask(&server, "/log?n=3").text(), "logged");
    let line = server.wait_log(|line| line.is_guest() && line.message == "line 3 of 3");
    assert_eq!(
        (line.field("app").as_deref(), line.field("stream").as_deref()),
        (Some("inn"), Some("stdout"))
    );
    assert_eq!(server.guest_lines(), ["line 1 of 3", "line 2 of 3", "line 3 of 3"]);
}

#[test]
fn a_flood_of_lines() {
    let server = server().arg("--log-bytes-per-second", "1KiB").arg("--cpu-time-max", "off").start();
    assert_eq!(ask(&server, "/log-flood").text(), "logged");
    wait_access(&server, "/log-flood");
    // A kilobyte at once, and one more for each second that it took.
    let lines = server.guest_lines().len();
    assert!((1..1000).contains(&lines), "{lines} lines");
    assert_serves(&server);
}

#[test]
fn the_sandbox_has_nothing_that_was_not_given() {
    let server = server().env("GIVEN", "a=b").start();
    assert_eq!(ask(&server, "/env?GIVEN").text(), "a=b");
    assert_eq!(ask(&server, "/env?PATH").text(), "none");
    for target in ["/fs", "/tcp"] {
        let text = ask(&server, target).text();
        assert!(text.starts_with("error: "), "{target}: {text}");
    }
}

#[test]
fn one_exchange_more_than_there_are_instances() {
    let server = server().arg("--instances-max", "1").start();
    let mut first = server.connect();
    first.send(get("/set-timeout?ms=0")).read_until("\r\n\r\n");
    let mut second = server.connect();
    let response = second.ask(get("/ok"));
    assert_eq!((response.status(), response.header("retry-after")), (Some(503), Some("1")));
    first.reset();
    wait_access(&server, "/set-timeout?ms=0");
    assert_admits(&mut second);
}
