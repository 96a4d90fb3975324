//! The limits and timeouts of tunnels, and those that do not hold for them.

use std::time::Duration;

use innkeeper_harness::wire::End;
use serde_json::json;

use crate::support::{
    SWITCH, assert_entries, assert_plain, echoing, get, lasts, open_tunnel, open_when_there_is_room,
    promptly, refusal_of, tunnelling, tunnels, upgrade, wait_access,
};

const TIME: Duration = Duration::from_millis(300);

/// Far less than [`TIME`].
const MOMENT: Duration = Duration::from_millis(20);

#[test]
fn one_tunnel_more_than_there_may_be() {
    let server = echoing().arg("--tunnels-max", "2").start();
    let (first, mut second) = (open_tunnel(&server), open_tunnel(&server));
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
    let server = echoing().arg("--instances-max", "1").start();
    let mut tunnel = open_tunnel(&server);
    let mut client = server.connect();
    assert_eq!(client.ask(get("/plain")).status(), Some(503));
    assert_eq!(client.ask(upgrade("/")).status(), Some(503));
    tunnel.send("ping").expect("ping");
    tunnel.half_close().expect_close();
    promptly(|| while client.ask(get("/plain")).status() == Some(503) {});
}

#[test]
fn a_tunnel_on_which_nothing_moves() {
    let server = echoing().arg("--tunnel-idle-timeout", "300ms").start();
    let mut client = open_tunnel(&server);
    lasts(TIME - MOMENT, || assert_eq!(client.read_to_end(), (Vec::new(), End::Reset)));
    server.wait_log(|line| line.level == "INFO" && line.message.starts_with("idle timeout"));
    assert_plain(&server);
}

#[test]
fn a_tunnel_on_which_something_moves() {
    let server = echoing().arg("--tunnel-idle-timeout", "1s").start();
    let mut client = open_tunnel(&server);
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
    let server = echoing()
        .arg("--tunnel-idle-timeout", "off")
        .arg("--head-timeout", "100ms")
        .arg("--request-timeout", "100ms")
        .arg("--keep-alive-timeout", "100ms")
        .arg("--keep-alive-timeout-buffer", "0ms")
        .arg("--wall-time-max", "100ms")
        .start();
    let mut client = open_tunnel(&server);
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
    let server = echoing().arg("--write-stall-timeout", "1s").start();
    let mut client = open_tunnel(&server);
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
fn a_guest_that_writes_without_end_to_a_client_that_stops_reading() {
    let server = tunnels().arg("--write-stall-timeout", "300ms").arg("--cpu-time-max", "off").start();
    let mut client = server.connect();
    client.send(upgrade("/flood")).expect(SWITCH);
    for _ in 0..100 {
        client.expect(vec![b'a'; 64 * 1024]);
    }
    lasts(TIME - MOMENT, || {
        server.wait_guest_line("write: timeout");
        wait_access(&server, "/flood");
    });
    assert_eq!(client.read_to_end().1, End::Reset);
    assert_eq!(server.connect().ask(get("/")).text(), "ordinary");
}

#[test]
fn what_a_guest_buffers_without_waiting() {
    let server = tunnels().arg("--response-buffer-bytes-max", "1MiB").start();
    let mut client = server.connect();
    client.send(upgrade("/try-flood"));
    let line = server.wait_log(|line| line.is_guest() && line.message.starts_with("try-write: "));
    let bytes = line.message.strip_prefix("try-write: limit-exceeded after ").expect("it was refused");
    let bytes: usize = bytes.strip_suffix(" bytes").and_then(|bytes| bytes.parse().ok()).expect("a number");
    // The buffer, and what the system's own hold.
    assert!((1 << 20..64 << 20).contains(&bytes), "{bytes} bytes");
    let (received, end) = client.expect(SWITCH).read_to_end();
    assert_eq!((received.len(), end), (bytes, End::Closed));
}

#[test]
fn a_guest_that_computes_without_end() {
    let server = tunnels().arg("--cpu-time-max", "300ms").arg("--tunnel-cpu-per-second", "10ms").start();
    let mut client = server.connect();
    lasts(TIME - MOMENT, || {
        client.send(upgrade("/loop")).expect(SWITCH);
        assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
    });
    server.wait_log(|line| line.level == "ERROR" && line.message.starts_with("cpu_time_max"));
    // Before its first word, there is still somebody to be told.
    let mut client = server.connect();
    client.send(upgrade("/loop-before")).expect(refusal_of(2, "500 Internal Server Error"));
    client.expect_close();
}

#[test]
fn a_guest_earns_cpu_time_while_it_has_a_tunnel() {
    let server = tunnels().arg("--cpu-time-max", "300ms").arg("--tunnel-cpu-per-second", "500ms").start();
    let mut client = server.connect();
    client.send(upgrade("/compute?ms=50")).expect(SWITCH);
    // Twice what there is for one call, at half of what it earns.
    for _ in 0..12 {
        assert!(client.is_silent_for(TIME * 2 / 3));
        client.send("x").expect("computed\n");
    }
}

#[test]
fn a_guest_that_computes_more_than_it_earns() {
    let server = tunnels().arg("--cpu-time-max", "300ms").arg("--tunnel-cpu-per-second", "10ms").start();
    let mut client = server.connect();
    client.send(upgrade("/compute?ms=50")).expect(SWITCH);
    while client.try_send("x") && client.read_to("computed\n") {}
    assert_eq!(client.read_to_end().1, End::Reset);
    server.wait_log(|line| line.level == "ERROR" && line.message.starts_with("cpu_time_max"));
}

#[test]
fn tunnels_that_compute_leave_the_others_answered() {
    let server = tunnels().arg("--cpu-time-max", "off").start();
    let mut loops: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for client in &mut loops {
        client.send(upgrade("/loop")).expect(SWITCH);
    }
    let mut tunnel = server.connect();
    tunnel.send(upgrade("/echo")).expect(SWITCH);
    for _ in 0..10 {
        promptly(|| tunnel.send("ping").expect("ping"));
        promptly(|| assert_eq!(server.connect().ask(get("/")).text(), "ordinary"));
    }
    for client in loops {
        client.reset();
    }
}

#[test]
fn a_time_that_the_guest_sets() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/set-timeout?ms=300")).expect(SWITCH);
    lasts(TIME - MOMENT, || assert_eq!(client.read_to_end().0, b""));
    wait_access(&server, "/set-timeout?ms=300");
}

#[test]
fn a_time_that_the_guest_sets_is_no_longer_than_the_operators() {
    let server = tunnels().arg("--tunnel-idle-timeout", "300ms").start();
    let mut client = server.connect();
    client.send(upgrade("/set-timeout?ms=60000")).expect(SWITCH);
    lasts(TIME - MOMENT, || assert_eq!(client.read_to_end().0, b""));
}

#[test]
fn a_guest_that_waits_for_itself_is_no_stall() {
    let server = tunnels().arg("--write-stall-timeout", "100ms").start();
    let mut client = server.connect();
    // What it wrote before it sleeps is there while it does.
    promptly(|| client.send(upgrade("/sleep?ms=400")).expect(SWITCH));
    client.expect("slept\n").expect_close();
}
