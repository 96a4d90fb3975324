//! Faults that a hostile look at tunnels found, each as small as it was.

use std::net::TcpListener;

use innkeeper_harness::DEADLINE;
use innkeeper_harness::server::Server;
use innkeeper_harness::wire::End;
use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    SWITCH, get, promptly, refusal, refusal_of, scripted, scripted_on, tunnels, upgrade, wait_access,
};

#[test]
fn a_reset_is_no_end_for_a_guest_that_polls() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/read-by-poll")).expect(SWITCH);
    client.reset();
    wait_access(&server, "/read-by-poll");
    assert!(!server.guest_lines().contains(&"read: end".to_owned()), "{:?}", server.guest_lines());
}

#[test]
fn a_body_that_breaks_before_the_decision_is_answered_once() {
    let server = tunnels().start();
    let mut client = server.connect();
    let head = upgrade("/read-and-accept").replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(head + "zz\r\n").expect(refusal("400 Bad Request"));
    client.expect_close();
    // The answer is out before the guest hears why.
    wait_access(&server, "/read-and-accept");
    assert_eq!(server.guest_lines(), ["read: parse"]);
}

#[test]
fn what_follows_a_refused_connect_is_no_request() {
    let server = tunnels().arg("--tunnels-max", "1").start();
    let mut first = server.connect();
    first.send(upgrade("/hold")).expect(SWITCH);
    let mut second = server.connect();
    let response = second.ask(format!("CONNECT echo:1 HTTP/1.1\r\nHost: echo:1\r\n\r\n{}", get("/smuggled")));
    assert_eq!((response.status(), response.header("connection")), (Some(503), Some("close")));
    assert_eq!(second.read_to_end().0, b"");
}

#[test]
fn an_upgrade_that_is_declined_needs_no_place_among_the_tunnels() {
    let server = tunnels().arg("--tunnels-max", "1").start();
    let mut first = server.connect();
    first.send(upgrade("/hold")).expect(SWITCH);
    let mut second = server.connect();
    assert_eq!(second.ask(upgrade("/decline")).text(), "ordinary");
    assert_eq!(second.ask(upgrade("/hold")).status(), Some(503));
}

#[test]
fn a_declined_upgrade_leaves_nothing_in_a_pooled_instance() {
    let server = tunnels().arg("--instances", "pooled").arg("--handles-max", "50").start();
    let mut client = server.connect();
    for _ in 0..100 {
        assert_eq!(client.ask(upgrade("/decline")).text(), "ordinary");
    }
}

#[test]
fn a_handler_that_fails_does_not_end_its_tunnel_regularly() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/err-after-101")).expect(SWITCH);
    assert_eq!(client.read_to_end(), (Vec::new(), End::Reset));
}

#[test]
fn a_time_that_is_set_before_the_decision_holds_for_the_tunnel() {
    let server = tunnels().start();
    let mut client = server.connect();
    client.send(upgrade("/timeout-in-should-upgrade?ms=100")).expect(SWITCH);
    promptly(|| client.read_to_end());
}

#[test]
fn an_idle_timeout_that_is_set_later_counts_from_then() {
    let server = tunnels().arg("--allow", "server-control").start();
    let mut client = server.connect();
    // The connection is older than the timeout when that is set.
    assert_eq!(client.ask(get("/sleep?ms=1500")).text(), "slept");
    assert_eq!(client.ask(get("/server/timeout?ms=1000")).text(), "ok");
    assert_eq!(client.ask(get("/")).text(), "ordinary");
}

#[test]
fn a_100_among_other_expectations_leaves_the_body_in_doubt() {
    let server = scripted(json!([["end", "ok"]])).start();
    let mut client = server.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: inn\r\nExpect: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    );
    client.expect(refusal_of(1, "417 Expectation Failed"));
    client.expect_close();
}

#[test]
fn words_for_an_error_do_not_outstay_a_drain() {
    let on = json!({ "request": [["end"]], "client-error": [["log", "asked"], ["sleep-ms", 3_600_000]] });
    let server = scripted_on(on).arg("--request-body-bytes-max", "4").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\n");
    server.wait_guest_line("LOG \"asked\"");
    promptly(|| {
        server.signal(Signal::TERM);
        server.wait_log(|line| line.target == "drain" && line.message.starts_with("draining"));
        server.signal(Signal::TERM);
        let exit = server.wait_exit(DEADLINE);
        assert_eq!(exit.logs.last().and_then(|line| line.number("cut")), Some(1));
    });
}

#[test]
fn words_for_an_error_need_no_instance_beside_that_of_the_exchange() {
    let on = json!({
        "request": [["try", ["read-body"]], ["return"]],
        "client-error": [["raw-response", "HTTP/1.1 418 Nope\r\n\r\n"]],
    });
    let server = scripted_on(on).arg("--instances-max", "1").start();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    client.expect("HTTP/1.1 418 Nope\r\n\r\n").expect_close();
}

#[test]
fn sockets_of_a_guest_are_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = listener.local_addr().expect("it has an address");
    let server = |flag: &str, max: &str| -> Server {
        tunnels().arg("--allow", format!("tcp={address}")).arg(flag, max)
    };
    let many = get(&format!("/tcp-many?{address}"));
    let each = server("--tcp-sockets-per-instance-max", "3").start();
    assert_eq!(each.connect().ask(many.clone()).text(), "3");
    assert_eq!(each.connect().ask(many.clone()).text(), "3");
    let all = server("--tcp-sockets-max", "5").start();
    let (mut first, mut second) = (all.connect(), all.connect());
    first.send(many.clone()).read_until("5");
    assert_eq!(second.ask(many.clone()).text(), "0");
    // They are given back with the instance.
    wait_access(&all, &format!("/tcp-many?{address}"));
    drop(first);
    promptly(|| while all.connect().ask(many.clone()).text() != "5" {});
}
