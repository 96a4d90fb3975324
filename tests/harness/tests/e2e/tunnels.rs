//! How a tunnel goes on and ends: returns, traps, either side's FIN, and the
//! limits and timeouts that hold for it, or do not. Where a tunnel begins is in
//! `upgrade` and `connect`, what becomes of it in a drain in `tunnel_drain`.

use std::time::Duration;

use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::wire::{Client, End};
use serde_json::{Value, json};

use crate::support::{
    SWITCH, assert_entries, get, lasts, promptly, refusal_of, scripted_on, upgrade, wait_access,
};

const TIME: Duration = Duration::from_millis(300);

/// Far less than [`TIME`].
const MOMENT: Duration = Duration::from_millis(20);

/// A guest that does this with a connection that it takes over.
fn tunnelling(ops: Value) -> Server {
    scripted_on(json!({ "request": [["end", "plain"]], "upgrade": ops }))
}

/// One that switches, echoes until the client's end, and ends too.
fn echo() -> Server {
    tunnelling(json!([["tunnel-write", SWITCH], ["tunnel-echo"]]))
}

/// A tunnel through which a word has gone.
#[track_caller]
fn open(server: &Running) -> Client {
    let mut client = server.connect();
    client.send(upgrade("/") + "ping").expect(SWITCH).expect("ping");
    client
}

#[track_caller]
fn assert_plain(server: &Running) {
    assert_eq!(server.connect().ask(get("/plain")).text(), "plain");
}

/// A tunnel is opened as soon as there is room for it; until then the answer
/// is a 503.
#[track_caller]
fn open_when_there_is_room(server: &Running) -> Client {
    promptly(|| {
        loop {
            let mut client = server.connect();
            if client.ask(upgrade("/")).status() == Some(101) {
                return client;
            }
        }
    })
}

#[test]
fn a_guest_that_returns_without_a_word_is_answered_for() {
    let server = tunnelling(json!([["return"]])).start();
    let mut client = server.connect();
    client.send(upgrade("/")).expect(refusal_of(1, "500 Internal Server Error"));
    client.expect_close();
    server.wait_log(|line| line.level == "ERROR" && line.message.contains("without"));
    assert_plain(&server);
}

#[test]
fn a_guest_that_traps_without_a_word_is_answered_for() {
    let server = tunnelling(json!([["trap"]])).start();
    let mut client = server.connect();
    client.send(upgrade("/") + "early").expect(refusal_of(1, "500 Internal Server Error"));
    client.expect_close();
    server.wait_log(|line| line.level == "ERROR" && line.message.contains("trapped"));
    assert_plain(&server);
}

#[test]
fn a_guest_that_traps_in_the_middle_resets_the_connection() {
    let server = tunnelling(json!([["tunnel-write", SWITCH], ["tunnel-read", 4], ["trap"]])).start();
    let mut neighbour = server.connect();
    neighbour.send(upgrade("/")).expect(SWITCH);
    let mut client = server.connect();
    client.send(upgrade("/")).expect(SWITCH);
    client.send("ping");
    assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
    server.wait_log(|line| line.level == "ERROR" && line.message.contains("trapped"));
    // Nobody else's.
    assert!(neighbour.is_silent_for(MOMENT));
    assert_plain(&server);
}

#[test]
fn what_a_guest_has_written_when_it_returns_goes_out() {
    const LENGTH: usize = 4 << 20;
    let ops = json!([["tunnel-write", SWITCH], ["tunnel-write", [{ "repeat": "a", "times": LENGTH }]], ["tunnel-write", "bye"]]);
    let server = tunnelling(ops).start();
    let mut client = server.connect();
    // What it has sent, and nobody reads, does not take the answer away.
    client.send(upgrade("/")).send(vec![b'x'; 100_000]).expect(SWITCH);
    let (received, end) = client.read_to_end();
    assert_eq!((received.len(), end), (LENGTH + 3, End::Closed));
    assert!(received.ends_with(b"abye"));
}

#[test]
fn an_end_without_a_word_is_a_word() {
    // The guest has said that it wants nothing of this connection.
    let server = tunnelling(json!([["tunnel-end"]])).start();
    let mut client = server.connect();
    client.send(upgrade("/")).expect_close();
}

#[test]
fn the_guest_goes_on_behind_the_clients_end() {
    let ops =
        json!([["tunnel-write", SWITCH], ["tunnel-echo"], ["log", "ended"], ["tunnel-write", "farewell"]]);
    let server = tunnelling(ops).start();
    let mut client = open(&server);
    client.send("last words").half_close().expect("last words").expect("farewell");
    client.expect_close();
    assert_entries(&server, &["ended"]);
}

#[test]
fn the_client_goes_on_behind_the_guests_end() {
    let server =
        tunnelling(json!([["tunnel-write", SWITCH], ["tunnel-end"], ["tunnel-read", 4], ["tunnel-read", 4]]))
            .start();
    let mut client = server.connect();
    client.send(upgrade("/")).expect(SWITCH).expect_close();
    for word in ["ping", "pong"] {
        client.send(word);
        server.wait_guest_line(&format!("LOG \"tunnel-read: {word}\""));
    }
    wait_access(&server, "/");
}

#[test]
fn nothing_can_be_written_behind_the_end() {
    let server = tunnelling(json!([
        ["tunnel-write", SWITCH],
        ["tunnel-end"],
        ["try", ["tunnel-write", "more"]],
        ["try", ["tunnel-end"]],
    ]))
    .start();
    let mut client = server.connect();
    client.send(upgrade("/")).expect(SWITCH).expect_close();
    assert_entries(&server, &["tunnel-write failed: write-after-end", "tunnel-end failed: already-finished"]);
}

#[test]
fn a_client_that_resets_ends_a_guest_that_waits() {
    let server = echo().arg("--instances-max", "1").start();
    for _ in 0..3 {
        open_when_there_is_room(&server).reset();
    }
    // The place is free again for others, too.
    promptly(|| while server.connect().ask(get("/plain")).status() == Some(503) {});
}

#[test]
fn one_tunnel_more_than_there_may_be() {
    let server = echo().arg("--tunnels-max", "2").start();
    let (first, mut second) = (open(&server), open(&server));
    let mut third = server.connect();
    third.send(upgrade("/")).expect(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n\
         Date: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 35\r\n\r\n\
         503 Service Unavailable\nexchange 3\n",
    );
    let line = server.wait_log(|line| line.message.starts_with("tunnels_max"));
    assert_eq!((line.level.as_str(), line.number("exchange")), ("WARN", Some(3)));
    // Requests are not concerned, nor is that connection.
    assert_eq!(third.ask(get("/plain")).text(), "plain");
    first.reset();
    open_when_there_is_room(&server);
    second.send("ping").expect("ping");
}

#[test]
fn tunnels_count_as_instances() {
    let server = echo().arg("--instances-max", "1").start();
    let mut tunnel = open(&server);
    let mut client = server.connect();
    assert_eq!(client.ask(get("/plain")).status(), Some(503));
    assert_eq!(client.ask(upgrade("/")).status(), Some(503));
    tunnel.send("ping").expect("ping");
    tunnel.half_close().expect_close();
    promptly(|| while client.ask(get("/plain")).status() == Some(503) {});
}

#[test]
fn a_tunnel_on_which_nothing_moves() {
    let server = echo().arg("--tunnel-idle-timeout", "300ms").start();
    let mut client = open(&server);
    lasts(TIME - MOMENT, || assert_eq!(client.read_to_end(), (Vec::new(), End::Reset)));
    server.wait_log(|line| line.level == "INFO" && line.message.starts_with("idle timeout"));
    assert_plain(&server);
}

#[test]
fn a_tunnel_on_which_something_moves() {
    let server = echo().arg("--tunnel-idle-timeout", "1s").start();
    let mut client = open(&server);
    lasts(Duration::from_millis(1500), || {
        for _ in 0..75 {
            assert!(client.is_silent_for(MOMENT));
            client.send("a").expect("a");
        }
    });
}

#[test]
fn a_tunnel_can_be_idle_for_ever() {
    // What would end a connection without a tunnel does not end one with it.
    let server = echo()
        .arg("--tunnel-idle-timeout", "off")
        .arg("--head-timeout", "100ms")
        .arg("--request-timeout", "100ms")
        .arg("--keep-alive-timeout", "100ms")
        .arg("--keep-alive-timeout-buffer", "0ms")
        .arg("--wall-time-max", "100ms")
        .start();
    let mut client = open(&server);
    assert!(client.is_silent_for(TIME * 2));
    client.send("ping").expect("ping");
    assert_eq!(server.connect().ask(get("/plain")).text(), "plain");
}

#[test]
fn the_body_of_an_upgrade_has_its_time() {
    // It is a request until its last byte is there.
    let server = tunnelling(json!([["read-body"], ["tunnel-write", SWITCH], ["tunnel-echo"]]))
        .arg("--request-timeout", "300ms")
        .start();
    let mut client = server.connect();
    let request = upgrade("/").replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nab");
    lasts(TIME - MOMENT, || {
        assert_eq!(client.ask(request).status(), Some(408));
    });
    client.expect_close();
}

#[test]
fn a_client_that_takes_nothing_ends_its_tunnel() {
    // The guest waits for room in the end; it is told so, and may log it.
    let ops =
        json!([["tunnel-write", SWITCH], ["try", ["tunnel-write", [{ "repeat": "a", "times": 32 << 20 }]]]]);
    let server = tunnelling(ops).arg("--write-stall-timeout", "300ms").arg("--cpu-time-max", "off").start();
    let mut client = server.connect();
    lasts(TIME - MOMENT, || {
        client.send(upgrade("/")).expect(SWITCH);
        assert_entries(&server, &["tunnel-write failed: timeout"]);
        wait_access(&server, "/");
    });
    assert_eq!(client.read_to_end().1, End::Reset);
    server.wait_log(|line| line.level == "INFO" && line.message.starts_with("write_stall_timeout"));
    assert_plain(&server);
}

#[test]
fn a_client_that_sends_and_does_not_read_is_not_buffered_for() {
    let server = echo().arg("--write-stall-timeout", "1s").start();
    let mut client = open(&server);
    // Far more than all buffers hold: at some point it is not taken any more.
    let mut taken = 0;
    while client.try_send(vec![b'a'; 1 << 20]) && taken < 256 {
        taken += 1;
    }
    assert!(taken < 256, "{taken} MiB were taken");
    wait_access(&server, "/");
    assert_plain(&server);
}

#[test]
fn a_client_that_goes_while_the_guest_writes() {
    let ops = json!([["tunnel-write", SWITCH], ["repeat", 1_000_000, [["tunnel-write", [{ "repeat": "a", "times": 65536 }]]]]]);
    let server = tunnelling(ops).arg("--instances-max", "1").arg("--cpu-time-max", "off").start();
    let mut client = server.connect();
    client.send(upgrade("/")).expect(SWITCH).read_until("aaaa");
    client.reset();
    promptly(|| while server.connect().ask(get("/plain")).status() == Some(503) {});
}
