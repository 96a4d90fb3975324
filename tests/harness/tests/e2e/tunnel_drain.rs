//! Tunnels and the end of the server: they are told, once, and are cut when
//! the time for draining is over.

use std::time::Duration;

use innkeeper_harness::DEADLINE;
use innkeeper_harness::server::{Exit, Running, Server};
use innkeeper_harness::wire::{Client, End};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{SWITCH, assert_entries, get, lasts, promptly, scripted_on, tunnels, upgrade};

fn tunnelling(ops: Value) -> Server {
    scripted_on(json!({ "request": [["server-close"], ["end", "closing"]], "upgrade": ops }))
}

/// Waits for bytes, says what came instead, and then a farewell.
fn polite() -> Server {
    tunnelling(json!([
        ["tunnel-write", SWITCH],
        ["try", ["tunnel-read", 4]],
        ["log", "told"],
        ["tunnel-write", "farewell"],
    ]))
}

fn open(server: &Running) -> Client {
    let mut client = server.connect();
    client.send(upgrade("/")).expect(SWITCH);
    client
}

#[track_caller]
fn assert_report(exit: &Exit, finished: u64, cut: u64) {
    assert_eq!(exit.status.code(), Some(0));
    let line = exit.logs.last().expect("there is a log");
    assert_eq!((line.number("finished"), line.number("cut")), (Some(finished), Some(cut)), "{line:?}");
}

#[test]
fn a_tunnel_is_told_and_takes_its_leave() {
    let server = polite().start();
    let mut clients: Vec<_> = (0..3).map(|_| open(&server)).collect();
    promptly(|| {
        server.signal(Signal::TERM);
        for client in &mut clients {
            client.expect("farewell").expect_close();
        }
        drop(clients);
        assert_report(&server.wait_exit(DEADLINE), 3, 0);
    });
}

#[test]
fn the_app_that_closes_its_server_tells_its_tunnels() {
    let server = polite().arg("--allow", "server-control").start();
    let mut tunnel = open(&server);
    promptly(|| {
        assert_eq!(server.connect().ask(get("/close")).text(), "closing");
        tunnel.expect("farewell").expect_close();
        drop(tunnel);
        assert_report(&server.wait_exit(DEADLINE), 2, 0);
    });
}

#[test]
fn it_is_told_once_and_reading_goes_on() {
    let server = tunnelling(json!([
        ["tunnel-write", SWITCH],
        ["try", ["tunnel-read", 4]],
        ["tunnel-write", "told"],
        ["tunnel-read", 4],
        ["tunnel-read", 4],
        ["tunnel-write", "farewell"],
    ]))
    .start();
    let mut client = open(&server);
    server.signal(Signal::TERM);
    client.expect("told");
    client.send("ping").send("pong").expect("farewell").expect_close();
    assert_entries(
        &server,
        &["tunnel-read failed: server-closing", "tunnel-read: ping", "tunnel-read: pong"],
    );
    drop(client);
    promptly(|| assert_report(&server.wait_exit(DEADLINE), 1, 0));
}

#[test]
fn all_are_told() {
    let server = tunnels().start();
    let mut clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.connect();
            client.send(upgrade("/told")).expect(SWITCH);
            client
        })
        .collect();
    server.signal(Signal::TERM);
    promptly(|| {
        for client in &mut clients {
            client.expect("farewell\n").half_close();
        }
        for client in &mut clients {
            client.expect_close();
        }
        drop(clients);
        assert_report(&server.wait_exit(DEADLINE), 20, 0);
    });
}

#[test]
fn a_guest_that_takes_it_for_an_error_resets_its_tunnel() {
    // What it has echoed so far may not be all: the client must see that.
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/echo") + "ping").expect(SWITCH).expect("ping");
    server.signal(Signal::TERM);
    assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
    server.wait_log(|line| line.is_guest() && line.message.starts_with("handler failed: "));
    assert_eq!(server.wait_exit(DEADLINE).status.code(), Some(0));
}

#[test]
fn a_poll_is_told_too() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/told-by-poll")).expect(SWITCH);
    client.send("ping");
    server.wait_guest_line("read: ping");
    server.signal(Signal::TERM);
    client.expect("farewell\n");
    client.send("pong").half_close().expect_close();
    drop(client);
    promptly(|| {
        let exit = server.wait_exit(DEADLINE);
        assert_report(&exit, 1, 0);
        let lines: Vec<_> =
            exit.logs.iter().filter(|line| line.is_guest()).map(|line| line.message.as_str()).collect();
        let reads: Vec<_> = lines.iter().copied().filter(|line| line.starts_with("read: ")).collect();
        assert_eq!(reads, ["read: ping", "read: server-closing", "read: pong", "read: end"]);
        // Ready whenever a read came at once, and never for the clock.
        assert!(
            lines.iter().filter(|line| line.starts_with("ready: ")).all(|line| *line == "ready: [0]"),
            "{lines:?}"
        );
    });
}

#[test]
fn a_guest_that_never_asks_is_never_told() {
    let server = tunnels().arg("--drain-timeout", "300ms").start();
    let mut client = server.connect();
    client.send(upgrade("/told-and-deaf")).expect(SWITCH);
    let exit = lasts(Duration::from_millis(300), || {
        server.signal(Signal::TERM);
        assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
        server.wait_exit(DEADLINE)
    });
    assert_report(&exit, 0, 1);
}

#[test]
fn what_came_before_it_was_told_is_not_lost() {
    let server = tunnelling(json!([
        ["tunnel-write", SWITCH],
        ["sleep-ms", 200],
        ["try", ["tunnel-read", 4]],
        ["tunnel-read", 4],
        ["tunnel-end"],
    ]))
    .start();
    let mut client = open(&server);
    client.send("ping");
    server.signal(Signal::TERM);
    client.expect_close();
    assert_entries(&server, &["tunnel-read failed: server-closing", "tunnel-read: ping"]);
}

#[test]
fn a_tunnel_that_begins_while_the_server_closes_is_told_at_once() {
    let server = polite().start();
    let mut client = server.connect();
    let request = upgrade("/");
    let (before, after) = request.split_at(30);
    client.send(before);
    // By the time that these have been told so, it has been read.
    for _ in 0..5 {
        assert_eq!(server.connect().ask("no request\r\n").status(), Some(400));
    }
    server.signal(Signal::TERM);
    server.wait_log(|line| line.target == "drain");
    client.send(after).expect(SWITCH).expect("farewell").expect_close();
    drop(client);
    promptly(|| assert_report(&server.wait_exit(DEADLINE), 1, 0));
}

#[test]
fn a_tunnel_that_stays_is_cut_at_the_deadline() {
    let server =
        tunnelling(json!([["tunnel-write", SWITCH], ["try", ["tunnel-read", 4]], ["sleep-ms", 3_600_000]]))
            .arg("--drain-timeout", "300ms")
            .start();
    let mut client = open(&server);
    let exit = lasts(Duration::from_millis(300), || {
        server.signal(Signal::TERM);
        assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
        server.wait_exit(DEADLINE)
    });
    assert_report(&exit, 0, 1);
}

#[test]
fn a_second_signal_cuts_tunnels() {
    let server =
        tunnelling(json!([["tunnel-write", SWITCH], ["try", ["tunnel-read", 4]], ["sleep-ms", 3_600_000]]))
            .start();
    let mut client = open(&server);
    promptly(|| {
        server.signal(Signal::TERM);
        assert_entries(&server, &["tunnel-read failed: server-closing"]);
        server.signal(Signal::TERM);
        assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
        assert_report(&server.wait_exit(DEADLINE), 0, 1);
    });
}
