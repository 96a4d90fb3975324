//! An app that crashes time and again is tripped: its requests are told so at
//! once, one of them is let through now and then, and it says when it is
//! served again. Its neighbours are not concerned.

use std::time::Duration;

use innkeeper_harness::configured::ConfiguredHost;
use serde_json::Value;

use crate::inns::{app, ask, assert_served, assert_told_to_wait, of, start, until};
use crate::support::{get, lasts, misbehave, promptly};

/// An app that trips after three crashes, and one beside it. `more` are lines
/// of both.
fn crashing(limits: &str, more: &str) -> ConfiguredHost {
    let limits = format!("{more}\n[app.limits]\ncrashes_max = 3\n{limits}\n");
    start(&(app("shaky", "misbehave", &limits) + &app("solid", "misbehave", more)))
}

/// What the administration says of the app's breaker.
#[track_caller]
fn state(host: &ConfiguredHost, app: &str) -> String {
    let (status, view) = host.api("GET", &format!("/v1/apps/{app}"), "");
    assert_eq!(status, 200, "{view}");
    view["current"]["breaker"].as_str().unwrap_or_default().to_owned()
}

/// Has it crash so many times in a row. An exchange is over when the next one
/// of its connection is answered, and what it came to is known.
#[track_caller]
fn crash(host: &ConfiguredHost, times: usize) {
    let mut client = host.running.connect();
    for _ in 0..times {
        assert_eq!(client.ask(of("shaky", "/trap")).status(), Some(500));
    }
    client.ask(of("nobody", "/"));
}

#[test]
fn an_app_that_crashes_in_a_row_is_tripped_and_its_neighbour_is_not() {
    let host = crashing("crash_backoff = \"60s\"", "");
    // An answer between two crashes ends the row.
    crash(&host, 2);
    let mut client = host.running.connect();
    assert_eq!(client.ask(of("shaky", "/ok")).status(), Some(200));
    client.ask(of("nobody", "/"));
    crash(&host, 2);
    assert_eq!(state(&host, "shaky"), "closed");
    crash(&host, 1);
    let line = host.running.wait_log(|line| line.message.starts_with("app tripped: 3 crashes in a row"));
    assert_eq!((line.level.as_str(), line.field("app").as_deref()), ("ERROR", Some("shaky")));
    assert_eq!(
        (line.field("tenant").as_deref(), line.field("retry_in").as_deref()),
        (Some("shaky"), Some("60s"))
    );
    assert_eq!(state(&host, "shaky"), "open");
    for target in ["/ok", "/trap", "/loop"] {
        promptly(|| {
            let wait = assert_told_to_wait(&ask(&host, "shaky", target));
            assert!((50..=60).contains(&wait), "{wait}");
        });
    }
    // The connection stays, and the neighbour answers on it.
    let mut client = host.running.connect();
    assert_told_to_wait(&client.ask(of("shaky", "/ok")));
    assert_eq!(client.ask(of("solid", "/ok")).text(), "ok");
    assert_eq!(state(&host, "solid"), "closed");
    let (_, metrics) = host.api("GET", "/metrics", "");
    let metrics = metrics.as_str().unwrap_or_default().to_owned();
    for (app, value) in [("shaky", "1.0"), ("solid", "0.0")] {
        let tripped = metrics
            .lines()
            .find(|line| line.starts_with("innkeeper_tripped{") && line.contains(&format!("app=\"{app}\"")));
        assert!(tripped.is_some_and(|line| line.ends_with(&format!(" {value}"))), "{app}: {tripped:?}");
    }
}

#[test]
fn a_probe_that_is_answered_recovers_it() {
    let backoff = Duration::from_millis(500);
    let host = crashing("crash_backoff = \"500ms\"", "");
    lasts(backoff, || {
        crash(&host, 3);
        until(|| (ask(&host, "shaky", "/ok").status() == Some(200)).then_some(()))
    });
    let line = host.running.wait_log(|line| line.message.starts_with("app recovered"));
    assert_eq!((line.level.as_str(), line.field("app").as_deref()), ("INFO", Some("shaky")));
    assert_eq!(state(&host, "shaky"), "closed");
    // It counts from one again.
    crash(&host, 2);
    assert_served(&host, "shaky");
}

#[test]
fn a_probe_that_crashes_doubles_the_wait_up_to_its_end() {
    let host = crashing("crash_backoff = \"100ms\"\ncrash_backoff_max = \"300ms\"", "");
    crash(&host, 3);
    for wait in ["200ms", "300ms", "300ms"] {
        until(|| (ask(&host, "shaky", "/trap").status() == Some(500)).then_some(()));
        let tripped = |host: &ConfiguredHost| {
            let mut lines = host.running.logs().into_iter();
            lines.rfind(|line| line.message.starts_with("app tripped"))
        };
        let line = until(|| tripped(&host).filter(|line| line.field("retry_in").as_deref() == Some(wait)));
        assert_eq!(line.field("app").as_deref(), Some("shaky"));
    }
}

#[test]
fn only_one_request_at_a_time_is_the_probe() {
    let host = crashing("crash_backoff = \"200ms\"", "");
    crash(&host, 3);
    until(|| (state(&host, "shaky") == "half-open").then_some(()));
    let mut probe = host.running.connect();
    probe.send(of("shaky", "/sleep?ms=1500"));
    until(|| {
        let (_, exchanges) = host.api("GET", "/v1/exchanges?app=shaky", "");
        exchanges.as_array().is_some_and(|list| !list.is_empty()).then_some(())
    });
    promptly(|| assert_told_to_wait(&ask(&host, "shaky", "/ok")));
    assert_eq!(probe.read_response().text(), "slept");
    // Asked on the same connection: what the probe came to is known.
    assert_eq!(probe.ask(of("shaky", "/ok")).status(), Some(200));
    assert_served(&host, "shaky");
}

#[test]
fn what_the_host_or_the_client_does_is_no_crash() {
    let host = crashing("crash_backoff = \"60s\"", "");
    for _ in 0..5 {
        let mut client = host.running.connect();
        client.send(of("shaky", "/set-timeout?ms=0")).read_until("\r\n\r\n");
        client.reset();
        assert_eq!(ask(&host, "shaky", "/no-such").status(), Some(404));
    }
    assert_served(&host, "shaky");
    assert_eq!(state(&host, "shaky"), "closed");
}

#[test]
fn the_only_app_of_the_command_line_trips_too() {
    let server = misbehave()
        .arg("--crashes-max", "2")
        .arg("--crash-backoff", "200ms")
        .arg("--crash-backoff-max", "300ms")
        .start();
    let mut client = server.connect();
    for _ in 0..2 {
        assert_eq!(client.ask(get("/trap")).status(), Some(500));
    }
    assert_told_to_wait(&client.ask(get("/ok")));
    until(|| (client.ask(get("/trap")).status() == Some(500)).then_some(()));
    // Asked on the same connection: what the probe came to is known.
    assert_told_to_wait(&client.ask(get("/ok")));
    // What it logged may still be on its way.
    for wait in ["200ms", "300ms"] {
        server.wait_log(|line| line.field("retry_in").as_deref() == Some(wait));
    }
    until(|| (client.ask(get("/ok")).status() == Some(200)).then_some(()));
}

#[test]
fn off_never_trips() {
    let host = start(&app("shaky", "misbehave", "[app.limits]\ncrashes_max = \"off\"\n"));
    crash(&host, 30);
    assert_served(&host, "shaky");
}

#[test]
fn in_a_pooled_app_a_trap_costs_only_its_own_request() {
    let host = crashing("crash_backoff = \"60s\"", "instances = \"pooled\"");
    let mut sleepers: Vec<_> = (0..3).map(|_| host.running.connect()).collect();
    for client in &mut sleepers {
        client.send(of("shaky", "/sleep?ms=700"));
    }
    until(|| {
        let (_, exchanges) = host.api("GET", "/v1/exchanges?app=shaky", "");
        (exchanges.as_array().map_or(0, Vec::len) == 3).then_some(())
    });
    crash(&host, 2);
    assert_eq!(ask(&host, "shaky", "/counter").text(), "1", "an instance that trapped serves no more");
    for client in &mut sleepers {
        assert_eq!(client.read_response().text(), "slept");
    }
    let idle = |view: &Value| view["current"]["idle_instances"].as_u64();
    let (_, view) = host.api("GET", "/v1/apps/shaky", "");
    assert!(idle(&view).is_some_and(|count| (1..=4).contains(&count)), "{view}");
}
