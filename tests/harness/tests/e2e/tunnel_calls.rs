//! The calls of a guest that has a tunnel, had one, or would like one: what
//! each says, and what the client sees of it.

use std::time::{Duration, Instant};

use innkeeper_harness::DEADLINE;
use innkeeper_harness::server::Running;
use innkeeper_harness::wire::End;

use crate::support::{SWITCH, get, promptly, tunnels, upgrade, wait_access};

/// The guest has printed these lines, and no others.
#[track_caller]
fn assert_lines(server: &Running, expected: &[&str]) {
    if let Some(last) = expected.last() {
        server.wait_guest_line(last);
    }
    assert_eq!(server.guest_lines(), expected);
}

#[test]
fn the_bytes_of_a_request_are_the_hosts() {
    let server = tunnels().start();
    let mut client = server.connect();
    let response = client.ask(get("/socket-of-request"));
    assert_eq!(
        response.text(),
        "read: denied\nwrite: denied\ntry-write: denied\nflush: denied\nend: denied\nend without bytes: denied\n"
    );
    assert_eq!(client.ask(get("/")).text(), "ordinary");
}

#[test]
fn the_request_of_a_tunnel_has_the_same_socket() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/second-socket") + "a").expect(SWITCH);
    // Early bytes were given to the guest: it reads what comes now.
    client.send("b").expect("xxx").expect_close();
    assert_lines(
        &server,
        &[
            "read: ok",
            "write: ok",
            "try-write: ok",
            "flush: ok",
            "end: ok",
            "end without bytes: already-finished",
        ],
    );
}

#[test]
fn calls_that_mean_nothing() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/after-end")).expect(SWITCH).expect_close();
    client.send("x");
    assert_lines(
        &server,
        &[
            "read of 0 bytes: invalid-arg",
            "end: ok",
            "end: already-finished",
            "end with bytes: write-after-end",
            "write: write-after-end",
            "try-write: write-after-end",
            "flush: ok",
            "read: ok",
        ],
    );
}

#[test]
fn a_tunnel_that_is_destroyed() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/destroy")).expect(SWITCH).expect_close();
    wait_access(&server, "/destroy");
    // The guest may be ended at any time after that, but no call succeeds.
    let lines = server.guest_lines();
    assert!(lines.iter().all(|line| line.ends_with(": destroyed")), "{lines:?}");
}

#[test]
fn a_tunnel_that_is_to_close_soon() {
    let server = tunnels().start();
    let mut client = server.connect();
    let begun = Instant::now();
    client.send(upgrade("/destroy-soon?ms=300")).expect(SWITCH).expect("the last bytes").expect_close();
    // It takes what the client sends, until the time is over.
    while client.try_send("x") {
        assert!(begun.elapsed() < DEADLINE, "it takes bytes for ever");
    }
    assert!(begun.elapsed() >= Duration::from_millis(280));
}

#[test]
fn the_guest_hears_the_client_out_behind_its_own_end() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/half")).expect(SWITCH).expect("last words\n").expect_close();
    client.send("more");
    server.wait_guest_line("read: more");
    client.half_close();
    server.wait_guest_line("read: end");
    wait_access(&server, "/half");
}

#[test]
fn a_tunnel_tells_of_itself() {
    let server = tunnels().start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/")).text(), "ordinary");
    let request = upgrade("/facts");
    let expected = format!(
        "remote-address: 127.0.0.1\nlocal-port: {}\nbytes-read: {}\n",
        server.addr().port(),
        get("/").len() + request.len()
    );
    client.send(&request).expect(SWITCH).expect(expected);
    client.read_until("bytes-written: ");
    let written = client.read_until("\n");
    let written: usize = String::from_utf8_lossy(&written).trim().parse().expect("a number");
    assert!(written > SWITCH.len(), "{written}");
    client.expect("exchanges: 2\n").expect_close();
    assert_lines(&server, &["set-no-delay: ok", "set-keep-alive: ok"]);
}

#[test]
fn the_body_comes_before_the_tunnel() {
    let server = tunnels().start();
    let mut client = server.connect();
    let request =
        |target: &str| upgrade(target).replace("\r\n\r\n", "\r\nContent-Length: 4\r\n\r\nbodytunnel");
    client.send(request("/body-then-tunnel")).expect(SWITCH).half_close().expect_close();
    assert_lines(&server, &["head:  body: body", "tunnel: tunnel"]);
    // What the tunnel has skipped of the body is gone.
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(request("/tunnel-then-body")).expect(SWITCH).half_close().expect_close();
    assert_lines(&server, &["tunnel: tunnel", "body: "]);
}

#[test]
fn a_guest_that_declines() {
    let server = tunnels().start();
    let mut client = server.connect();
    for target in ["/decline", "/slow-should-upgrade?ms=100"] {
        assert_eq!(client.ask(upgrade(target)).text(), "ordinary");
    }
    // The connection is not the guest's while it decides.
    assert_eq!(client.ask(upgrade("/socket-in-should-upgrade")).text(), "ordinary");
    assert_lines(&server, &["write: denied", "read: denied"]);
}

#[test]
fn a_guest_that_reads_the_body_and_declines() {
    let server = tunnels().start();
    let mut client = server.connect();
    let request = upgrade("/read-in-should-upgrade").replace("\r\n\r\n", "\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.ask(request).text(), "ordinary");
    assert_lines(&server, &["read: ok"]);
    assert_eq!(client.ask(get("/")).text(), "ordinary");
}

#[test]
fn a_guest_that_does_not_come_to_a_decision() {
    let server = tunnels().arg("--cpu-time-max", "200ms").start();
    for (exchange, target) in ["/trap-should-upgrade", "/loop-should-upgrade"].into_iter().enumerate() {
        let response = server.connect().ask(upgrade(target));
        assert_eq!(response.status(), Some(500));
        let told = format!("500 Internal Server Error\nexchange {}\n", exchange + 1);
        assert_eq!(response.text(), told);
    }
    server.wait_log(|line| line.level == "ERROR" && line.message.contains("trapped"));
    server.wait_log(|line| line.level == "ERROR" && line.message.starts_with("cpu_time_max"));
    // It is no tunnel yet: that it takes its time is limited as for a request.
    let server = tunnels().arg("--wall-time-max", "200ms").start();
    let response = server.connect().ask(upgrade("/slow-should-upgrade?ms=3600000"));
    assert_eq!(response.status(), Some(500));
    server.wait_log(|line| line.level == "ERROR" && line.message.starts_with("wall_time_max"));
}

#[test]
fn a_client_that_goes_ends_the_guest_that_decides() {
    let server = tunnels().arg("--instances-max", "1").start();
    let mut client = server.connect();
    client.send(upgrade("/slow-should-upgrade?ms=3600000"));
    promptly(|| while server.connect().ask(get("/")).status() != Some(503) {});
    client.reset();
    promptly(|| while server.connect().ask(get("/")).status() == Some(503) {});
}

#[test]
fn the_host_name_of_a_connect_names_what_becomes_of_it() {
    let server = tunnels().start();
    let connect = |host: &str| format!("CONNECT {host}:1 HTTP/1.1\r\nHost: {host}:1\r\n\r\n");
    let established = "HTTP/1.1 200 Connection Established\r\n\r\n";
    let mut client = server.connect();
    client.send(connect("echo") + "early").expect(established).expect("early");
    client.half_close().expect_close();
    let mut client = server.connect();
    client.send(connect("trap-after-101")).expect(established);
    assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
    for host in ["trap-before", "return-silently", "err"] {
        let mut client = server.connect();
        let response = client.ask(connect(host));
        assert_eq!((response.status(), response.header("connection")), (Some(500), Some("close")), "{host}");
        client.expect_close();
    }
    server.wait_guest_line("handler failed: the guest gives up");
}

#[test]
fn a_pooled_instance_serves_on_after_a_tunnel() {
    let server = tunnels().arg("--instances", "pooled").start();
    // What it keeps of a tunnel is of no use to it, for a request or a tunnel.
    server.connect().send(upgrade("/keep?1")).expect(SWITCH).expect_close();
    wait_access(&server, "/keep?1");
    assert_of_no_use(&server.connect().ask(get("/use-kept?1")).text());
    wait_access(&server, "/use-kept?1");
    server.connect().send(upgrade("/keep?2")).expect(SWITCH).expect_close();
    wait_access(&server, "/keep?2");
    assert_of_no_use(&attempts_in_tunnel(&server, "/use-kept?2"));
    // Nor what it keeps of a request, in a tunnel.
    assert_eq!(server.connect().ask(get("/keep?3")).text(), "kept");
    wait_access(&server, "/keep?3");
    assert_of_no_use(&attempts_in_tunnel(&server, "/use-kept?3"));
}

#[track_caller]
fn assert_of_no_use(attempts: &str) {
    assert_eq!(attempts.lines().count(), 6, "{attempts}");
    for line in attempts.lines() {
        assert!(line.ends_with(": destroyed") || line.ends_with(": denied"), "{attempts}");
    }
}

#[track_caller]
fn attempts_in_tunnel(server: &Running, target: &str) -> String {
    let mut client = server.connect();
    let (bytes, end) = client.send(upgrade(target)).expect(SWITCH).read_to_end();
    assert_eq!(end, End::Closed);
    wait_access(server, target);
    String::from_utf8(bytes).expect("it writes text")
}

#[test]
fn a_pooled_instance_whose_tunnel_was_cut_is_replaced() {
    let server = tunnels().arg("--instances", "pooled").start();
    assert_eq!(server.connect().ask(get("/keep")).text(), "kept");
    wait_access(&server, "/keep");
    let mut client = server.connect();
    client.send(upgrade("/sleep-forever")).expect(SWITCH);
    client.reset();
    wait_access(&server, "/sleep-forever");
    assert_eq!(server.connect().ask(get("/use-kept")).text(), "nothing kept\n");
}
