//! Each limit that a guest can meet bites a guest of the standard contracts as
//! it does one of Innkeeper's own: the client sees the same, the log has the
//! same cause, and the next request is served.

use innkeeper_harness::message;
use innkeeper_harness::server::Running;

use crate::contracts::{ALL, Kind};
use crate::support::{get, promptly};

/// A limit, and a request that meets it.
struct Row {
    flag: &'static str,
    value: &'static str,
    target: &'static str,
    seen: Seen,
    /// What the log says of it.
    cause: &'static str,
}

/// What a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A status in place of the answer.
    Status(u16),
    /// An answer that is not whole.
    Cut,
    /// The end of the connection.
    Nothing,
}

const ROWS: &[Row] = &[
    row("--cpu-time-max", "200ms", "/loop", Seen::Status(500), "cpu_time_max"),
    row("--cpu-time-max", "200ms", "/write=part;sleep=20;loop", Seen::Cut, "cpu_time_max"),
    row("--wall-time-max", "300ms", "/sleep=60000", Seen::Status(500), "wall_time_max"),
    row("--wall-time-max", "300ms", "/head;sleep=60000", Seen::Cut, "wall_time_max"),
    row("--memory-bytes-max", "8MiB", "/grow", Seen::Status(500), "memory_bytes_max"),
    row("--memory-bytes-max", "8MiB", "/write=part;sleep=20;grow", Seen::Cut, "memory_bytes_max"),
    row("--handles-max", "100", "/leak", Seen::Status(500), "handles_max"),
    row("--idle-timeout", "300ms", "/sleep=60000", Seen::Nothing, "idle timeout"),
    // No limit of the operator's, but an end all the same.
    row("--instances-max", "10", "/recurse", Seen::Status(500), "trapped"),
    row("--instances-max", "10", "/panic", Seen::Status(500), "trapped"),
    row("--instances-max", "10", "/exit=3", Seen::Status(500), "exited with code"),
];

const fn row(
    flag: &'static str,
    value: &'static str,
    target: &'static str,
    seen: Seen,
    cause: &'static str,
) -> Row {
    Row { flag, value, target, seen, cause }
}

fn closing(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: inn\r\nConnection: close\r\n\r\n")
}

#[track_caller]
fn assert_answers(server: &Running, kind: Kind) {
    assert_eq!(server.connect().ask(get("/end=on")).text(), "on", "{}", kind.name);
}

fn seen(server: &Running, target: &str) -> Seen {
    let mut client = server.connect();
    client.send(closing(target));
    let (bytes, _) = client.read_to_end();
    match message::response(&bytes, false, true) {
        Ok(Some((answer, _))) if answer.complete => Seen::Status(answer.status().unwrap_or_default()),
        Ok(Some(_)) => Seen::Cut,
        _ => Seen::Nothing,
    }
}

#[test]
fn a_limit_bites_by_each_contract() {
    for kind in ALL {
        for row in ROWS {
            let server = kind.server().arg(row.flag, row.value).start();
            let what = format!("{} {} by {}", row.flag, row.target, kind.name);
            assert_eq!(seen(&server, row.target), row.seen, "{what}");
            server.wait_log(|line| !line.is_guest() && line.message.contains(row.cause));
            assert_answers(&server, kind);
        }
    }
}

#[test]
fn bodies_that_are_too_large() {
    for kind in ALL {
        let server = kind.server().arg("--request-body-bytes-max", "4").start();
        let request = "POST /read;end=a HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        assert_eq!(server.connect().ask(request).status(), Some(413), "{}", kind.name);
        assert_answers(&server, kind);
    }
}

#[test]
fn a_body_that_does_not_come() {
    for kind in ALL {
        let server = kind.server().arg("--request-timeout", "300ms").start();
        let request = "POST /read;end=a HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nhe";
        assert_eq!(server.connect().ask(request).status(), Some(408), "{}", kind.name);
        assert_answers(&server, kind);
    }
}

#[test]
fn a_client_that_takes_nothing() {
    for kind in ALL {
        let server = kind.server().arg("--write-stall-timeout", "300ms").start();
        let mut client = server.connect();
        client.send(get("/pour"));
        server.wait_log(|line| line.message.contains("write_stall_timeout"));
        // Its guest was held up by it, however fast it is.
        let poured = server.guest_lines().iter().filter(|line| line.starts_with("poured")).count();
        assert!(poured < 64, "{poured} MiB by {}", kind.name);
        assert!(!client.read_response().complete, "{}", kind.name);
        assert_answers(&server, kind);
    }
}

#[test]
fn one_exchange_more_than_there_are_instances() {
    for kind in ALL {
        let server = kind.server().arg("--instances-max", "1").start();
        let mut first = server.connect();
        first.send(get("/head;sleep=60000")).read_until("\r\n\r\n");
        let answer = server.connect().ask(get("/end=a"));
        // What shares an instance needs no other, but counts all the same.
        assert_eq!((answer.status(), answer.header("retry-after")), (Some(503), Some("1")), "{}", kind.name);
        first.reset();
        let mut client = server.connect();
        promptly(|| while client.ask(get("/end=on")).status() == Some(503) {});
    }
}

#[test]
fn lines_that_are_too_many() {
    for kind in ALL {
        let server = kind.server().arg("--log-bytes-per-second", "100").start();
        assert_eq!(server.connect().ask(get("/lines=99;end=a")).text(), "a", "{}", kind.name);
        server.wait_log(|line| line.target == "access");
        let lines = server.guest_lines().len();
        assert!((5..50).contains(&lines), "{lines} lines by {}", kind.name);
    }
}

#[test]
fn crashes_in_a_row() {
    for kind in ALL {
        let server = kind.server().arg("--crashes-max", "2").start();
        let mut client = server.connect();
        let told: Vec<_> = (0..3).map(|_| client.ask(get("/trap")).status()).collect();
        assert_eq!(told, [Some(500), Some(500), Some(503)], "{}", kind.name);
        server.wait_log(|line| line.message.contains("tripped"));
    }
}

#[test]
fn requests_of_one_instance() {
    for kind in ALL {
        let server = kind.pooled().arg("--requests-per-instance-max", "2").start();
        let mut client = server.connect();
        let told: Vec<_> = (0..4).map(|_| client.ask(get("/counter")).text()).collect();
        assert_eq!(told, ["1", "2", "1", "2"], "{}", kind.name);
    }
}
