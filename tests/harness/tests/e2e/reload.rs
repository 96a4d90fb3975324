//! A configuration that is read again while the host serves, on SIGHUP and with
//! `--watch`: what did not change keeps its connections and instances, and a
//! bad file changes nothing.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::logs::LogLine;
use innkeeper_harness::wire::{Client, open};

use crate::inns::{
    app, ask, assert_served, assert_told_to_wait, greedy_and_modest, hold, holding, of, release, routed,
    start, until, with_cache,
};
use crate::support::promptly;

/// Puts another file in the place of the configuration and has it read.
#[track_caller]
fn reload(host: &ConfiguredHost, toml: &str) -> LogLine {
    host.rewrite(&with_cache(toml));
    host.reload()
}

/// The same, and it is taken: what it came to.
#[track_caller]
fn change(host: &ConfiguredHost, toml: &str) -> LogLine {
    let line = reload(host, toml);
    assert!(ConfiguredHost::is_in_effect(&line), "{}", host.running.process().transcript());
    line
}

/// The same, and it is not taken: what is told of it.
#[track_caller]
fn refuse(host: &ConfiguredHost, toml: &str) -> Vec<String> {
    let before = host.running.logs().len();
    let line = reload(host, toml);
    assert!(!ConfiguredHost::is_in_effect(&line), "it was taken");
    let lines = host.running.logs().into_iter().skip(before);
    lines.filter(|line| line.target == "reload" && line.level == "ERROR").map(|line| line.message).collect()
}

/// What became of apps, in numbers.
#[track_caller]
fn assert_outcome(line: &LogLine, wanted: [(&str, u64); 4]) {
    let found = wanted.map(|(key, _)| (key, line.number(key).unwrap_or(u64::MAX)));
    assert_eq!(found, wanted);
}

#[test]
fn an_app_appears_a_route_moves_and_an_app_goes() {
    let pooled = "instances = \"pooled\"\n";
    let host = start(&(app("one", "misbehave", pooled) + &app("leaving", "node-case", &holding())));
    let mut client = host.running.connect();
    assert_eq!(client.ask(of("one", "/counter")).text(), "1");
    let mut held = hold(&host, "leaving");
    let moved = routed("one", "misbehave", &format!("routes = [{{ host = \"moved.example\" }}]\n{pooled}"));
    let line = change(&host, &(moved + &app("new", "misbehave", "")));
    assert_outcome(&line, [("added", 1), ("changed", 1), ("removed", 1), ("kept", 0)]);
    // The connection is the same, what it reaches is not; the instance that
    // another route leads to is.
    assert_eq!(client.ask(of("one", "/ok")).status(), Some(404));
    assert_eq!(client.ask(of("leaving", "/")).status(), Some(404));
    assert_eq!(client.ask(of("moved", "/counter")).text(), "2");
    assert_eq!(client.ask(of("new", "/ok")).text(), "ok");
    // What was in flight comes to its end, and with it the version.
    release(&mut held);
    host.running.wait_log(|line| {
        line.message.starts_with("version unloaded") && line.field("app").as_deref() == Some("leaving")
    });
    assert_eq!(held.ask(of("new", "/ok")).text(), "ok", "its connection stays, too");
}

#[test]
fn instances_of_what_did_not_change_survive_and_those_of_what_did_not() {
    let pooled = "instances = \"pooled\"\n";
    let same = app("same", "misbehave", pooled);
    let host = start(&(same.clone() + &app("other", "misbehave", pooled)));
    let count = |app: &str| ask(&host, app, "/counter").text();
    let idle = |app: &str| {
        until(|| {
            // An answer comes before its instance is back.
            let (_, view) = host.api("GET", &format!("/v1/apps/{app}"), "");
            view["current"]["idle_instances"].as_u64().filter(|count| *count > 0)
        })
    };
    for app in ["same", "other"] {
        assert_eq!(count(app), "1");
        idle(app);
    }
    let line = change(
        &host,
        &(same.clone() + &app("other", "misbehave", &format!("{pooled}env = {{ A = \"b\" }}\n"))),
    );
    assert_outcome(&line, [("added", 0), ("changed", 1), ("removed", 0), ("kept", 1)]);
    assert_eq!((count("same"), count("other")), ("2".to_owned(), "1".to_owned()));
    assert_eq!(ask(&host, "other", "/env?A").text(), "b");
    // The same file once more changes nothing at all.
    idle("same");
    idle("other");
    let line =
        change(&host, &(same + &app("other", "misbehave", &format!("{pooled}env = {{ A = \"b\" }}\n"))));
    assert_outcome(&line, [("added", 0), ("changed", 0), ("removed", 0), ("kept", 2)]);
    assert_eq!(count("same"), "3");
}

#[test]
fn an_exchange_in_flight_finishes_with_the_settings_that_it_began_with() {
    let script = |word: &str| {
        crate::inns::script(serde_json::json!([
            ["write", word],
            ["flush-headers"],
            ["read-body"],
            ["end", word]
        ]))
    };
    let host = start(&app("one", "node-case", &script("old")));
    let mut client = host.running.connect();
    client.send("POST / HTTP/1.1\r\nHost: one.example\r\nContent-Length: 1\r\n\r\n").read_until("old");
    change(&host, &app("one", "node-case", &script("new")));
    assert_eq!(
        host.running
            .connect()
            .ask("POST / HTTP/1.1\r\nHost: one.example\r\nContent-Length: 1\r\n\r\nx")
            .text(),
        "newnew"
    );
    client.send("x").read_until("old");
    client.read_until("0\r\n\r\n");
    // The next one on the same connection has the new ones.
    let again = client.ask("POST / HTTP/1.1\r\nHost: one.example\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(again.text(), "newnew");
}

#[test]
fn a_bad_file_changes_nothing_and_is_told_with_file_and_line() {
    let good = app("one", "misbehave", "");
    let host = start(&good);
    let mut client = host.running.connect();
    assert_eq!(client.ask(of("one", "/ok")).text(), "ok");
    let path = host.config().display().to_string();
    // Two problems, and both are told. Lines are those of the file.
    let bad =
        app("one", "misbehave", "tenent = \"x\"\n") + &app("two", "misbehave", "instances = \"many\"\n");
    let told = refuse(&host, &bad);
    let text = std::fs::read_to_string(host.config()).expect("the file is there");
    for wrong in ["tenent", "instances"] {
        let line = 1 + text.lines().position(|line| line.starts_with(wrong)).expect("it is there");
        let begin = format!("{path}:{line}:");
        assert!(
            told.iter().any(|told| told.starts_with(&begin) && told.contains(wrong)),
            "{begin} in {told:?}"
        );
    }
    // So it is with what is no TOML, with a component that is none, and with a
    // route that two have.
    assert!(refuse(&host, "[[app]\n").iter().any(|told| told.starts_with(&path)));
    let none = good.clone()
        + "[[app]]\nname = \"two\"\ncomponent = \"innkeeper.toml\"\nroutes = [{ path = \"/x\" }]\n";
    assert!(refuse(&host, &none).iter().any(|told| told.contains("innkeeper.toml")));
    let twice = good.clone() + &routed("two", "misbehave", "routes = [{ host = \"one.example\" }]\n");
    assert!(refuse(&host, &twice).iter().any(|told| told.contains("one.example")));
    assert_eq!(client.ask(of("one", "/ok")).text(), "ok");
    assert_eq!(host.api("GET", "/v1/apps", "").1.as_array().map(Vec::len), Some(1));
    // And a good one is taken as before.
    change(&host, &(good + &app("two", "misbehave", "")));
    assert_served(&host, "two");
}

#[test]
fn limits_and_quotas_are_taken_over_and_those_that_need_a_restart_are_named() {
    let host = start(&greedy_and_modest(""));
    let mut old = host.running.connect();
    assert_eq!(old.ask(of("greedy", "/ok")).text(), "ok");
    let limits = "[limits]\nkeep_alive_timeout = \"77s\"\ninstances_max = 500\ntunnels_max = 10\n\
         memory_bytes_max = \"256MiB\"\n[log]\nfilter = \"debug\"\n";
    change(&host, &format!("{limits}{}", greedy_and_modest("connections_max = 1")));
    for key in ["limits.instances_max", "limits.tunnels_max", "limits.memory_bytes_max", "log"] {
        host.running.wait_log(|line| {
            line.target == "reload" && line.level == "WARN" && line.field("key").as_deref() == Some(key)
        });
    }
    let named = host.running.logs().iter().filter(|line| line.field("key").is_some()).count();
    assert_eq!(named, 4);
    // New connections have the new limits, and old ones keep theirs.
    let keep_alive = |client: &mut Client| {
        client.ask(of("modest", "/ok")).header("keep-alive").unwrap_or_default().to_owned()
    };
    assert_eq!(keep_alive(&mut host.running.connect()), "timeout=77");
    assert_eq!(keep_alive(&mut old), "timeout=5");
    // A quota holds for all.
    assert_eq!(old.ask(of("greedy", "/ok")).text(), "ok");
    assert_told_to_wait(&ask(&host, "greedy", "/ok"));
}

/// An address that nobody listens on.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address")
}

#[test]
fn listeners_come_and_go_and_connections_of_those_that_went_stay() {
    let toml = |addresses: &[String]| format!("listen = {addresses:?}\n{}", app("one", "misbehave", ""));
    let first = "127.0.0.1:0".to_owned();
    let host = start(&toml(std::slice::from_ref(&first)));
    let mut client = host.running.connect();
    assert_eq!(client.ask(of("one", "/ok")).text(), "ok");
    let added = free_address();
    change(&host, &toml(&[first, added.to_string()]));
    let mut there = Client::connect(added);
    assert_eq!(there.ask(of("one", "/ok")).text(), "ok");
    assert_eq!(client.ask(of("one", "/ok")).text(), "ok");
    assert_served(&host, "one");
    change(&host, &toml(&[added.to_string()]));
    promptly(|| while open(host.running.addr()).is_ok() {});
    assert_eq!(client.ask(of("one", "/ok")).text(), "ok", "a connection outlives its listener");
    assert_eq!(Client::connect(added).ask(of("one", "/ok")).text(), "ok");
    // One that cannot be had leaves all as it is.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().map(|address| (taken, address)).expect("it has an address");
    let told = refuse(&host, &toml(&[taken.1.to_string()]));
    assert!(told.iter().any(|told| told.contains(&taken.1.to_string())), "{told:?}");
    assert_eq!(Client::connect(added).ask(of("one", "/ok")).text(), "ok");
}

#[test]
fn a_file_that_is_watched_is_read_when_it_changes() {
    let directory = tempfile::tempdir().expect("a folder");
    let one = app("one", "misbehave", "");
    let host = ConfiguredHost::start_with(directory, &with_cache(&one), &["--watch"]).expect("it starts");
    host.rewrite(&with_cache(&(one.clone() + &app("two", "misbehave", ""))));
    let is_read = |line: &LogLine| line.field("reason").as_deref() == Some("the file has changed");
    host.running.wait_log(is_read);
    host.running.wait_log(|line| line.message == "configuration in effect");
    assert_served(&host, "two");
    // Editors put a new file in its place.
    let beside = host.directory.path().join("new.toml");
    let text = std::fs::read_to_string(host.config()).expect("the file is there");
    std::fs::write(&beside, text.replace("two", "three")).expect("it can be written");
    std::fs::rename(&beside, host.config()).expect("it can be renamed");
    until(|| (ask(&host, "three", "/ok").status() == Some(200)).then_some(()));
    assert_eq!(ask(&host, "two", "/ok").status(), Some(404));
    // A bad one is told of, and a file beside it is none of its concern.
    host.rewrite("nonsense");
    host.running.wait_log(|line| line.message == "the configuration is bad; nothing has changed");
    assert_served(&host, "three");
    let reads = host.running.logs().iter().filter(|line| is_read(line)).count();
    std::fs::write(&beside, "x").expect("it can be written");
    assert!(host.running.connect().is_silent_for(Duration::from_millis(500)));
    assert_eq!(host.running.logs().iter().filter(|line| is_read(line)).count(), reads);
}
