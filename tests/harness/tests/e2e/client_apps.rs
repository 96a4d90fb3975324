//! Connections to other servers where there are several apps, and many
//! requests: whose they are, how many there get to be, and what is counted.

use std::thread;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::upstream::{Answering, Upstream};
use innkeeper_harness::wire::Client;

use crate::inns::{routed, start};
use crate::requests::{answer, head_of, ok, outbound};
use crate::support::promptly;

/// An app of the guest `outbound`, which this tenant has, on a host of its
/// name.
fn app(name: &str, tenant: &str) -> String {
    let more = format!(
        "routes = [{{ host = \"{name}.example\" }}]\ntenant = \"{tenant}\"\noutbound = [\"http://127.0.0.1:*\"]\n"
    );
    routed(name, "outbound", &more)
}

/// What an app tells that runs this script.
#[track_caller]
fn run_in(host: &ConfiguredHost, app: &str, authority: &str, script: &str) -> String {
    let script = head_of(authority, script, &format!("{app}.example"), "");
    host.running.connect().ask(script).text()
}

#[test]
fn connections_are_never_shared_between_apps_or_tenants() {
    let host = start(&(app("one", "t") + &app("two", "t") + &app("three", "u")));
    let upstream = Upstream::start().answering(|_| ok("").into_bytes());
    let scripts = ["a = GET http://{up}/APP", "g = agent name=shop; a = GET http://{up}/APP via=g"];
    for script in scripts {
        for (turn, reused) in [(1, "a reused false\n"), (2, "a reused true\n")] {
            for app in ["one", "two", "three"] {
                let script = script.replace("APP", app) + "; a end; a response; a body; a reused";
                let told = run_in(&host, app, &upstream.authority(), &script);
                assert!(told.ends_with(reused), "{app}, turn {turn}: {told}");
            }
        }
    }
    // Each carried two requests of one app.
    let targets = upstream.targets();
    assert_eq!(targets.len(), 6);
    for targets in targets {
        assert!(targets.len() == 2 && targets[0] == targets[1], "{targets:?}");
    }
}

#[test]
fn an_agent_is_destroyed_for_its_own_app_only() {
    let host = start(&(app("one", "t") + &app("two", "t")));
    let upstream = Upstream::start().answering(|_| ok("").into_bytes());
    let script = "g = agent name=shop; a = GET http://{up}/ via=g; a end; a response; a body; a reused";
    run_in(&host, "one", &upstream.authority(), script);
    run_in(&host, "two", "", "g = agent name=shop; g destroy; g = global; g destroy");
    assert!(run_in(&host, "one", &upstream.authority(), script).ends_with("a reused true\n"));
}

#[test]
fn what_is_sent_once_more_is_counted() {
    let (host, upstream) = (start(&app("one", "t")), Upstream::start());
    let begin = |target: &str| {
        let script = format!("a = GET http://{{up}}{target}; a end; a response; a body");
        let mut client = host.running.connect();
        client.send(head_of(&upstream.authority(), &script, "one.example", ""));
        client
    };
    let mut client = begin("/a");
    let mut connection = upstream.accept();
    answer(&mut connection, &upstream, "/a", "hi");
    assert!(client.read_response().text().ends_with("a body hi\n"));
    let mut client = begin("/b");
    connection.read_request();
    connection.close();
    answer(&mut upstream.accept(), &upstream, "/b", "again");
    assert!(client.read_response().text().ends_with("a body again\n"));
    let (_, metrics) = host.api("GET", "/metrics", "");
    let metrics = metrics.as_str().expect("metrics are text");
    let of_app = "{tenant=\"t\",app=\"one\"}";
    for line in [
        format!("innkeeper_outbound_retries_total{of_app} 1.0"),
        format!("innkeeper_outbound_connects_total{of_app} 2.0"),
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} is not in\n{metrics}");
    }
}

const CLIENTS: usize = 16;
const REQUESTS_OF_A_CLIENT: usize = 625;

/// Has an instance of its own make each of so many requests.
fn ask_again_and_again(mut client: Client, upstream: &Answering) {
    let script = "g = agent name=shop sockets=4; a = GET http://{up}/ via=g; a end; a response; a body";
    let request = head_of(&upstream.authority(), script, "inn", "");
    for number in 0..REQUESTS_OF_A_CLIENT {
        let told = client.ask(&request).text();
        assert!(told.ends_with("a body here\n"), "request {number}: {told}");
    }
}

#[test]
fn ten_thousand_requests_of_fresh_instances_share_four_connections() {
    let server = outbound().arg("--access-log", "off").start();
    let upstream = Upstream::start().answering(|_| ok("here").into_bytes());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let (client, upstream) = (server.connect(), &upstream);
            scope.spawn(move || ask_again_and_again(client, upstream));
        }
    });
    let counts = upstream.counts();
    assert!(counts.len() <= 4, "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), CLIENTS * REQUESTS_OF_A_CLIENT);
    // What has ended has left nothing in the agent.
    promptly(|| {
        let script = "g = agent name=shop sockets=4; g stats";
        let told = server.connect().ask(head_of("", script, "inn", "")).text();
        assert!(told.contains(&format!(" 0 in use, {} free, 0 waiting", counts.len())), "{told}");
    });
}
