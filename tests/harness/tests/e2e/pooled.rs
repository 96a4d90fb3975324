//! What of an instance survives a request, under both policies, and what ends
//! it.

use crate::support::{assert_admits, assert_ok, get, misbehave as server, wait_access};

#[test]
fn nothing_survives_a_request() {
    let server = server().start();
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.ask(get("/counter")).text(), "1");
    }
}

#[test]
fn a_pooled_instance_serves_several_requests() {
    let server = server().arg("--instances", "pooled").arg("--requests-per-instance-max", "2").start();
    let mut client = server.connect();
    let answers: Vec<_> = (0..4).map(|_| client.ask(get("/counter")).text()).collect();
    assert_eq!(answers, ["1", "2", "1", "2"]);
}

#[test]
fn a_pooled_instance_that_trapped_is_replaced() {
    let server = server().arg("--instances", "pooled").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/counter")).text(), "1");
    assert_eq!(client.ask(get("/trap")).status(), Some(500));
    assert_eq!(server.connect().ask(get("/counter")).text(), "1");
}

#[test]
fn handles_of_an_exchange_that_is_over() {
    let server = server().arg("--instances", "pooled").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/keep-handle")).text(), "kept");
    let response = client.ask(get("/keep-handle"));
    assert_eq!((response.status(), response.complete), (Some(200), true));
    let attempts = response.text();
    assert_eq!(attempts.lines().count(), 10, "{attempts}");
    // To wait for the end of what has ended is no harm.
    let succeeded: Vec<_> =
        attempts.lines().filter(|line| line.ends_with(": ok") && *line != "finished: ok").collect();
    assert!(succeeded.is_empty(), "{succeeded:?}");
    assert_ok(&mut client);
}

#[test]
fn exchanges_at_the_same_time_have_instances_of_their_own() {
    let server = server().arg("--instances", "pooled").start();
    let mut first = server.connect();
    assert_eq!(first.ask(get("/counter")).text(), "1");
    // Occupies the only instance that there is.
    first.send(get("/set-timeout?ms=0")).read_until("\r\n\r\n");
    let mut second = server.connect();
    assert_eq!(second.ask(get("/counter")).text(), "1");
    assert_eq!(second.ask(get("/counter")).text(), "2");
}

#[test]
fn a_pooled_instance_whose_client_went_away_is_replaced() {
    let server = server().arg("--instances", "pooled").arg("--instances-max", "1").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/counter")).text(), "1");
    client.send(get("/set-timeout?ms=0")).read_until("\r\n\r\n");
    client.reset();
    wait_access(&server, "/set-timeout?ms=0");
    let mut client = server.connect();
    assert_admits(&mut client);
    assert_eq!(client.ask(get("/counter")).text(), "1");
}

#[test]
fn a_pooled_instance_that_used_up_its_time_is_replaced() {
    let server = server().arg("--instances", "pooled").arg("--cpu-time-max", "200ms").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/counter")).text(), "1");
    assert_eq!(client.ask(get("/loop")).status(), Some(500));
    assert_eq!(client.ask(get("/counter")).text(), "1");
}

#[test]
fn a_pooled_instance_has_the_whole_time_for_each_request() {
    let server = server().arg("--instances", "pooled").arg("--cpu-time-max", "1s").start();
    let mut client = server.connect();
    for _ in 0..6 {
        // Together more than there is for one.
        assert_eq!(client.ask(get("/post-work?ms=250")).text(), "ended");
    }
    assert_eq!(client.ask(get("/counter")).text(), "1");
    assert!(!server.logs().iter().any(|line| line.message.contains("cpu_time_max")));
}
