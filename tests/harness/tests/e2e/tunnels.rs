//! How a tunnel goes on and ends: returns, traps, either side's FIN, the
//! client's RST. Where it begins is in `upgrade` and `connect`; its limits are
//! in `tunnel_limits`, the calls of its guest in `tunnel_calls`, and what
//! becomes of it in a drain in `tunnel_drain`.

use std::time::Duration;

use innkeeper_harness::wire::End;
use serde_json::json;

use crate::support::{
    SWITCH, assert_entries, assert_plain, echoing, get, open_tunnel, open_when_there_is_room, promptly,
    refusal_of, tunnelling, tunnels, upgrade, wait_access,
};

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
    assert!(neighbour.is_silent_for(Duration::from_millis(20)));
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
    let mut client = open_tunnel(&server);
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
    let server = echoing().arg("--instances-max", "1").start();
    for _ in 0..3 {
        open_when_there_is_room(&server).reset();
    }
    // The place is free again for others, too.
    promptly(|| while server.connect().ask(get("/plain")).status() == Some(503) {});
}

#[test]
fn a_guest_that_holds_on_hears_how_its_client_goes() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/hold?1")).expect(SWITCH).half_close().expect_close();
    server.wait_guest_line("read: end");
    let mut client = server.connect();
    client.send(upgrade("/hold?2")).expect(SWITCH);
    client.reset();
    promptly(|| wait_access(&server, "/hold?2"));
    // It hears of a reset, or is ended before that.
    let lines = server.guest_lines();
    assert!(
        ["read: end", "read: connection-reset"]
            .starts_with(&lines.iter().map(String::as_str).collect::<Vec<_>>()),
        "{lines:?}"
    );
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
