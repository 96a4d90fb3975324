//! Many tunnels at once, beside requests.

use std::fs;

use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::wire::Client;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::support::{SWITCH, get, open_tunnel, promptly, scripted_on, tunnels, upgrade};

const TUNNELS: usize = 1000;

/// Both ends of a connection need a descriptor, and this is one of them.
fn raise_open_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("the limit can be raised");
    assert!(maximum.is_none_or(|maximum| maximum > 2000), "ulimit -Hn is {maximum:?}");
}

fn server() -> Server {
    scripted_on(json!({
        "request": [["read-body"], ["end-with", "body"]],
        "upgrade": [["tunnel-write", SWITCH], ["tunnel-echo"]],
    }))
    .arg("--tunnels-max", TUNNELS.to_string())
    .arg("--instances-max", (TUNNELS + 20).to_string())
    .arg("--connections-per-peer-max", (TUNNELS + 100).to_string())
    .arg("--access-log", "off")
}

#[track_caller]
fn assert_answers(client: &mut Client) {
    let request = "POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nhello";
    promptly(|| assert_eq!(client.ask(request).text(), "hello"));
}

/// Nobody who waits costs a thread.
#[track_caller]
fn assert_few_threads(server: &Running) {
    let status = format!("/proc/{}/status", server.process().id());
    let status = fs::read_to_string(status).expect("the server runs");
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("they are counted");
    let threads: usize = threads.trim().parse().expect("a number");
    assert!(threads < 100, "{threads} threads");
}

#[test]
fn tunnels_that_have_computed_cost_no_thread() {
    let server = tunnels().arg("--cpu-time-max", "off").start();
    // Each computes for long enough to be given a thread, and waits then.
    let _tunnels: Vec<_> = (0..120)
        .map(|_| {
            let mut client = server.connect();
            client.send(upgrade("/compute?ms=30")).expect(SWITCH);
            client.send("x").expect("computed\n");
            client
        })
        .collect();
    assert_few_threads(&server);
}

#[test]
fn a_thousand_tunnels_leave_requests_answered() {
    raise_open_files();
    let server = server().start();
    let mut client = server.connect();
    let mut tunnels: Vec<_> = (0..TUNNELS)
        .map(|number| {
            if number % 50 == 0 {
                assert_answers(&mut client);
            }
            open_tunnel(&server)
        })
        .collect();
    let mut late = server.connect();
    assert_eq!(late.ask(upgrade("/")).status(), Some(503));

    // All speak at once, and all are heard, while requests go on.
    for round in 0..3 {
        for (number, tunnel) in tunnels.iter_mut().enumerate() {
            tunnel.send(format!("{round} {number};"));
        }
        assert_answers(&mut client);
        for (number, tunnel) in tunnels.iter_mut().enumerate() {
            tunnel.expect(format!("{round} {number};"));
        }
        assert_answers(&mut late);
    }

    assert_few_threads(&server);

    // They go, in one way or the other, and their places are free again.
    for (number, mut tunnel) in tunnels.into_iter().enumerate() {
        if number % 2 == 0 {
            tunnel.reset();
        } else {
            tunnel.half_close().expect_close();
        }
    }
    promptly(|| while late.ask(get("/")).status() == Some(503) {});
    promptly(|| {
        loop {
            if server.connect().ask(upgrade("/")).status() == Some(101) {
                break;
            }
        }
    });
}
