//! The `server` interface: what an app may do with its own listening side when
//! the operator has granted that, and that it may not otherwise.

use std::time::Duration;

use innkeeper_harness::DEADLINE;
use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::wire::{Client, open};
use rustix::process::Signal;

use crate::support::{SWITCH, get, lasts, promptly, tunnels, upgrade, wait_access};

const TIME: Duration = Duration::from_millis(300);

/// Far less than [`TIME`].
const MOMENT: Duration = Duration::from_millis(20);

fn granted() -> Server {
    tunnels().arg("--allow", "server-control")
}

/// Makes a call of the `server` interface; what it returned.
#[track_caller]
fn call(client: &mut Client, name: &str) -> String {
    client.ask(get(&format!("/server/{name}"))).text()
}

/// Begins an exchange that goes on until it is told to end.
#[track_caller]
fn busy(server: &Running) -> Client {
    let mut client = server.connect();
    client.send(get("/finish-stall?bytes=33554432")).read_until("aaaa");
    client
}

/// The rest of what [`busy`] began.
#[track_caller]
fn finish(client: &mut Client) {
    client.read_until("\r\n0\r\n\r\n");
}

/// A connection that has said half a head, and was heard.
#[track_caller]
fn half_a_head(server: &Running) -> Client {
    let mut client = server.connect();
    client.send("GET /half HTTP/1.1\r\n");
    // By the time that these have been told so, it has been read.
    for _ in 0..5 {
        assert_eq!(server.connect().ask("no request\r\n").status(), Some(400));
    }
    client
}

#[track_caller]
fn idle(server: &Running) -> Client {
    let mut client = server.connect();
    assert_eq!(client.ask(get("/")).text(), "ordinary");
    client
}

#[track_caller]
fn tunnel(server: &Running) -> Client {
    let mut client = server.connect();
    client.send(upgrade("/echo") + "ping").expect(SWITCH).expect("ping");
    client
}

#[test]
fn without_the_grant_every_call_is_denied() {
    let server = tunnels().start();
    let mut client = server.connect();
    for name in [
        "listening",
        "get-connections",
        "close-idle-connections",
        "close-all-connections",
        "keep-alive-timeout",
        "keep-alive-timeout?ms=1",
        "headers-timeout",
        "headers-timeout?ms=1",
        "request-timeout",
        "request-timeout?ms=1",
        "timeout",
        "timeout?ms=1",
        "close",
    ] {
        assert_eq!(call(&mut client, name), "denied", "{name}");
    }
    assert_eq!(call(&mut client, "close-twice"), "denied denied");
    idle(&server);
}

#[test]
fn a_closed_server_ends_the_process() {
    let server = granted().start();
    let (mut unused, mut idle) = (server.connect(), idle(&server));
    let mut client = server.connect();
    assert_eq!(call(&mut client, "listening"), "true");
    promptly(|| {
        client
            .send(get("/server/close"))
            .expect("HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        client.expect_close();
        idle.expect_close();
        unused.expect_close();
        // Until it closes, the server takes what it sends in vain.
        drop(client);
        let exit = server.wait_exit(DEADLINE);
        assert_eq!(exit.status.code(), Some(0));
        // The one that was answered just before may count as finished.
        assert_eq!(exit.logs.last().and_then(|line| line.number("cut")), Some(0));
    });
}

#[test]
fn a_closed_server_finishes_what_is_in_flight() {
    let server = granted().start();
    let mut in_flight = busy(&server);
    let mut half = half_a_head(&server);
    assert_eq!(call(&mut server.connect(), "close"), "ok");
    // One that comes just before the listener closes is dropped with it.
    promptly(|| while open(server.addr()).is_ok() {});
    half.send("Host: inn\r\n\r\n");
    assert_eq!(half.read_response().header("connection"), Some("close"));
    half.expect_close();
    // It said that it keeps the connection before that; it closes all the same.
    finish(&mut in_flight);
    in_flight.expect_close();
    drop((in_flight, half));
    promptly(|| {
        let exit = server.wait_exit(DEADLINE);
        assert_eq!(exit.status.code(), Some(0));
        let line = exit.logs.last().expect("there is a log");
        assert_eq!((line.number("finished"), line.number("cut")), (Some(3), Some(0)), "{line:?}");
    });
}

#[test]
fn a_closed_server_cuts_what_takes_too_long() {
    let server = granted().arg("--drain-timeout", "300ms").start();
    let mut tunnel = server.connect();
    tunnel.send(upgrade("/sleep-forever")).expect(SWITCH);
    let exit = lasts(TIME, || {
        assert_eq!(call(&mut server.connect(), "close"), "ok");
        assert_eq!(tunnel.read_to_end().0, b"");
        server.wait_exit(DEADLINE)
    });
    assert_eq!(
        (exit.status.code(), exit.logs.last().and_then(|line| line.number("cut"))),
        (Some(0), Some(1))
    );
}

#[test]
fn a_server_is_closed_once() {
    let server = granted().start();
    let mut in_flight = half_a_head(&server);
    assert_eq!(call(&mut server.connect(), "close-twice"), "ok server-not-running");
    in_flight.send("Host: inn\r\n\r\n").read_until("ordinary");
    drop(in_flight);
    assert_eq!(server.wait_exit(DEADLINE).status.code(), Some(0));
}

#[test]
fn a_server_that_was_told_to_end_is_not_listening() {
    let server = granted().start();
    let (listening, close) = (get("/server/listening"), get("/server/close"));
    let (mut client, mut late) = (server.connect(), server.connect());
    client.send(listening.get(..10).expect("it is longer"));
    late.send(close.get(..10).expect("it is longer"));
    drop(half_a_head(&server));
    server.signal(Signal::TERM);
    server.wait_log(|line| line.target == "drain");
    assert_eq!(client.ask(listening.get(10..).expect("it is longer")).text(), "false");
    assert_eq!(late.ask(close.get(10..).expect("it is longer")).text(), "server-not-running");
    drop((client, late));
    assert_eq!(server.wait_exit(DEADLINE).status.code(), Some(0));
}

#[test]
fn idle_connections_close() {
    let server = granted().start();
    let (mut unused, mut idle) = (server.connect(), idle(&server));
    let (mut half, mut busy, mut tunnel) = (half_a_head(&server), busy(&server), tunnel(&server));
    let mut own = server.connect();
    assert_eq!(call(&mut own, "close-idle-connections"), "ok");
    promptly(|| {
        unused.expect_close();
        idle.expect_close();
    });
    // Others go on, and so does the server.
    half.send("Host: inn\r\n\r\n").read_until("ordinary");
    finish(&mut busy);
    tunnel.send("ping").expect("ping");
    for client in [&mut half, &mut busy, &mut own] {
        assert_eq!(client.ask(get("/")).text(), "ordinary");
    }
    assert_eq!(call(&mut server.connect(), "listening"), "true");
}

#[test]
fn idle_connections_close_as_often_as_they_are_told() {
    let server = granted().start();
    let mut own = server.connect();
    for _ in 0..3 {
        let mut idle = idle(&server);
        assert_eq!(call(&mut own, "close-idle-connections"), "ok");
        promptly(|| idle.expect_close());
    }
}

#[test]
fn all_connections_but_tunnels_are_dropped() {
    let server = granted().start();
    let (mut unused, mut idle) = (server.connect(), idle(&server));
    let (mut half, mut busy, mut tunnel) = (half_a_head(&server), busy(&server), tunnel(&server));
    promptly(|| {
        let mut own = server.connect();
        assert_eq!(own.send(get("/server/close-all-connections")).read_to_end().0, b"");
        for client in [&mut unused, &mut idle, &mut half] {
            assert_eq!(client.read_to_end().0, b"");
        }
        assert!(!busy.read_to("\r\n0\r\n\r\n"));
    });
    tunnel.send("ping").expect("ping");
    wait_access(&server, "/server/close-all-connections");
    assert_eq!(call(&mut server.connect(), "listening"), "true");
}

#[test]
fn connections_are_counted() {
    let server = granted().start();
    let mut own = server.connect();
    assert_eq!(call(&mut own, "get-connections"), "1");
    let others = (idle(&server), half_a_head(&server), tunnel(&server));
    until(&mut own, "get-connections", "4");
    let (idle, half, mut tunnel) = others;
    drop(idle);
    half.reset();
    until(&mut own, "get-connections", "2");
    tunnel.half_close().expect_close();
    drop(tunnel);
    until(&mut own, "get-connections", "1");
}

/// Connections are counted until the server has seen their ends, too.
#[track_caller]
fn until(client: &mut Client, name: &str, wanted: &str) {
    promptly(|| while call(client, name) != wanted {});
}

#[test]
fn timeouts_begin_as_the_operators() {
    let server = granted()
        .arg("--keep-alive-timeout", "1s")
        .arg("--head-timeout", "2s")
        .arg("--request-timeout", "off")
        .start();
    let mut client = server.connect();
    let told: Vec<_> = ["keep-alive-timeout", "headers-timeout", "request-timeout", "timeout"]
        .map(|name| call(&mut client, name))
        .into();
    assert_eq!(told, ["1000", "2000", "none", "none"]);
}

#[test]
fn timeouts_stay_below_the_operators() {
    let server = granted()
        .arg("--keep-alive-timeout", "10s")
        .arg("--head-timeout", "10s")
        .arg("--request-timeout", "10s")
        .arg("--idle-timeout", "10s")
        .start();
    let mut client = server.connect();
    for name in ["keep-alive-timeout", "headers-timeout", "request-timeout", "timeout"] {
        for above in ["10001", "0", "4294967295"] {
            assert_eq!(call(&mut client, &format!("{name}?ms={above}")), "limit-exceeded", "{name}");
            assert_eq!(call(&mut client, name), "10000", "{name}");
        }
        for within in ["9999", "10000"] {
            assert_eq!(call(&mut client, &format!("{name}?ms={within}")), "ok", "{name}");
            assert_eq!(call(&mut client, name), within, "{name}");
        }
    }
    // Without a limit of the operator's there is none for the guest.
    let server = granted().arg("--keep-alive-timeout", "off").start();
    let mut client = server.connect();
    for (value, told) in [("4294967295", "4294967295"), ("0", "none")] {
        assert_eq!(call(&mut client, &format!("keep-alive-timeout?ms={value}")), "ok");
        assert_eq!(call(&mut client, "keep-alive-timeout"), told);
    }
}

#[test]
fn a_keep_alive_timeout_that_was_set_holds() {
    let server = granted().arg("--keep-alive-timeout-buffer", "0ms").start();
    let mut other = idle(&server);
    // By the time that these have been answered, it waits.
    for _ in 0..5 {
        idle(&server);
    }
    let mut client = server.connect();
    // This answer, whose head is not fixed yet, tells it already.
    let response = client.ask(get("/server/keep-alive-timeout?ms=1000"));
    assert_eq!(response.header("keep-alive"), Some("timeout=1"));
    lasts(Duration::from_secs(1), || client.expect_close());
    // One that waited before has the time that it was told.
    assert_eq!(other.ask(get("/")).header("keep-alive"), Some("timeout=1"));
}

#[test]
fn a_head_timeout_that_was_set_holds() {
    let server = granted().start();
    let mut begun = half_a_head(&server);
    let mut client = server.connect();
    assert_eq!(call(&mut client, "headers-timeout?ms=300"), "ok");
    lasts(TIME - MOMENT, || {
        assert_eq!(client.ask("GET / HTTP/1.1\r\nHo").status(), Some(408));
    });
    lasts(TIME - MOMENT, || {
        assert_eq!(server.connect().read_response().status(), Some(408));
    });
    // One that had begun has the time that there was then.
    begun.send("Host: inn\r\n\r\n").read_until("ordinary");
}

#[test]
fn a_request_timeout_that_was_set_holds() {
    let server = granted().start();
    let mut client = server.connect();
    assert_eq!(call(&mut client, "request-timeout?ms=300"), "ok");
    lasts(TIME - MOMENT, || {
        let request = upgrade("/body-then-tunnel").replace("\r\n\r\n", "\r\nContent-Length: 4\r\n\r\nbo");
        assert_eq!(client.ask(request).status(), Some(408));
    });
}

#[test]
fn an_idle_timeout_that_was_set_holds() {
    let server = granted().start();
    let mut client = server.connect();
    assert_eq!(call(&mut client, "timeout?ms=300"), "ok");
    lasts(TIME - MOMENT, || server.connect().expect_close());
    let mut waiting = server.connect();
    lasts(TIME - MOMENT, || waiting.send("GET / HTTP/1.1\r\nHo").expect_close());
    // Switched off again, it is.
    assert_eq!(call(&mut server.connect(), "timeout?ms=0"), "ok");
    assert!(server.connect().is_silent_for(TIME * 2));
}
