//! Guests that compute for long beside others: the good ones are answered, and
//! those that compute share what there is by tenant, whatever number of
//! requests each has in flight. Answers are counted; how long they take is for
//! the benchmarks.

use std::time::Duration;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::wire::Client;

use crate::inns::{app, of, start, until};
use crate::support::promptly;

/// Two apps of a tenant each, without an end to what they may compute.
fn two() -> ConfiguredHost {
    let limits = "[app.limits]\ncpu_time_max = \"off\"\n";
    start(&(app("greedy", "misbehave", limits) + &app("modest", "misbehave", limits)))
}

/// Asks for this so many times at once, and leaves all of it under way.
#[track_caller]
fn under_way(host: &ConfiguredHost, app: &str, target: &str, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| host.running.connect()).collect();
    for client in &mut clients {
        client.send(of(app, target));
    }
    clients
}

/// Waits until so many guests compute on the threads for that.
#[track_caller]
fn until_demoted(host: &ConfiguredHost, count: u64) {
    until(|| {
        let (status, view) = host.api("GET", "/v1/host", "");
        assert_eq!(status, 200);
        let of = |key: &str| view[key].as_u64().unwrap_or_default();
        (of("demoted_running") + of("demoted_waiting") >= count).then_some(())
    });
}

#[test]
fn good_requests_are_answered_beside_four_endless_loops() {
    let host = two();
    let mut loops = under_way(&host, "greedy", "/loop", 4);
    until_demoted(&host, 4);
    let mut client = host.running.connect();
    for _ in 0..300 {
        promptly(|| assert_eq!(client.ask(of("modest", "/ok")).text(), "ok"));
    }
    // On new connections, too, and the tenant's own.
    for app in ["modest", "greedy"] {
        promptly(|| assert_eq!(host.running.connect().ask(of(app, "/ok")).text(), "ok"));
    }
    // The loops were at it all the time.
    for client in &mut loops {
        assert!(client.is_silent_for(Duration::from_millis(1)));
    }
    until_demoted(&host, 4);
}

#[test]
fn a_tenant_with_one_computation_is_not_behind_one_with_eight() {
    let host = two();
    let endless = under_way(&host, "greedy", "/loop", 8);
    until_demoted(&host, 8);
    // With its share it is done before any of theirs could be.
    let mut client = host.running.connect();
    promptly(|| assert_eq!(client.ask(of("modest", "/compute?rounds=200")).text(), "200"));
    drop(endless);
}

#[test]
fn computations_of_both_tenants_come_to_their_end() {
    const ROUNDS: u64 = 150;
    let target = format!("/compute?rounds={ROUNDS}");
    let host = two();
    let mut many = under_way(&host, "greedy", &target, 8);
    until_demoted(&host, 1);
    let mut one = under_way(&host, "modest", &target, 1);
    for client in &mut one {
        assert_eq!(client.read_response().text(), ROUNDS.to_string());
    }
    // Taking turns by tenant, it does not come last: had it to wait for its
    // turn among nine, all of the others would be nearly done.
    let done: usize =
        many.iter_mut().map(|client| usize::from(!client.is_silent_for(Duration::from_millis(1)))).sum();
    assert!(done <= 6, "{done} of the 8 that share with each other were done before the only one");
    for client in &mut many {
        assert_eq!(client.read_response().text(), ROUNDS.to_string());
    }
}
