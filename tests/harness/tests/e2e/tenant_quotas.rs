//! Each quota of a tenant bites, and leaves the other tenant alone.

use std::net::TcpListener;
use std::time::Duration;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::logs::LogLine;
use innkeeper_harness::wire::{Client, End};
use serde_json::{Value, json};

use crate::inns::{
    app, ask, assert_served, assert_told_to_wait, greedy_and_modest, hold, holding, of, release, script,
    send_hold, start, tenant, until, until_tenant, with_cache,
};
use crate::support::{lasts, promptly};

/// Two apps of a tenant each that [`hold`] can hold; `greedy` has these quotas.
fn two_that_hold(quotas: &str) -> ConfiguredHost {
    let apps = app("greedy", "node-case", &holding()) + &app("modest", "node-case", &holding());
    start(&format!("[tenant.greedy]\n{quotas}\n{apps}"))
}

/// An exchange of the modest tenant comes and goes.
#[track_caller]
fn assert_modest_holds(host: &ConfiguredHost) {
    promptly(|| release(&mut hold(host, "modest")));
}

fn in_flight(view: &Value) -> u64 {
    view["exchanges"]["used"].as_u64().unwrap_or_default()
}

fn queued(view: &Value) -> u64 {
    view["queued"]["used"].as_u64().unwrap_or_default()
}

#[test]
fn one_exchange_more_than_there_may_be() {
    let host = two_that_hold("exchanges_max = 2\nqueue_max = 0");
    let mut held = [hold(&host, "greedy"), hold(&host, "greedy")];
    promptly(|| assert_told_to_wait(&ask(&host, "greedy", "/more")));
    host.running.wait_log(|line| {
        line.message.starts_with("exchanges_max: 2 exchanges are in flight")
            && line.field("app").as_deref() == Some("greedy")
    });
    assert_modest_holds(&host);
    held.iter_mut().for_each(release);
    until_tenant(&host, "greedy", |view| in_flight(view) == 0);
    release(&mut hold(&host, "greedy"));
}

#[test]
fn who_waits_for_too_long_is_told_so_and_one_more_than_may_wait_at_once() {
    let host = two_that_hold("exchanges_max = 1\nqueue_max = 1\nqueue_wait_max = \"700ms\"");
    let mut first = hold(&host, "greedy");
    lasts(Duration::from_millis(700), || {
        let mut waiting = host.running.connect();
        waiting.send(of("greedy", "/waits"));
        until_tenant(&host, "greedy", |view| queued(view) == 1);
        promptly(|| assert_told_to_wait(&ask(&host, "greedy", "/more")));
        assert_modest_holds(&host);
        assert_told_to_wait(&waiting.read_response());
    });
    host.running.wait_log(|line| line.message == "queue_wait_max: no place became free in 700ms");
    let line = host
        .running
        .wait_log(|line| line.target == "access" && line.field("url").as_deref() == Some("/waits"));
    assert!(line.number("queue_micros").is_some_and(|waited| waited >= 690_000), "{line:?}");
    release(&mut first);
    release(&mut hold(&host, "greedy"));
}

#[test]
fn a_place_that_becomes_free_is_taken_in_order() {
    let host = two_that_hold("exchanges_max = 1\nqueue_max = 10\nqueue_wait_max = \"30s\"");
    let mut held = hold(&host, "greedy");
    let mut waiting: Vec<Client> = Vec::new();
    for number in 1..=4 {
        let mut client = host.running.connect();
        send_hold(&mut client, "greedy");
        waiting.push(client);
        until_tenant(&host, "greedy", |view| queued(view) == number);
    }
    // One that goes away while it waits holds nobody up.
    waiting.remove(1).reset();
    until_tenant(&host, "greedy", |view| queued(view) == 3);
    for mut next in waiting {
        assert!(next.is_silent_for(Duration::from_millis(20)), "it is not its turn");
        release(&mut held);
        next.expect("HTTP/1.1 100 Continue\r\n\r\n");
        held = next;
    }
    assert_modest_holds(&host);
    release(&mut held);
}

#[test]
fn the_permit_is_held_to_the_last_byte() {
    let large = json!([["end", { "repeat": "a".repeat(1024), "times": 16 * 1024 }]]);
    let apps = app("greedy", "node-case", &script(large)) + &app("modest", "misbehave", "");
    let host = start(&format!("[tenant.greedy]\nexchanges_max = 1\nqueue_max = 0\n{apps}"));
    let mut slow = host.running.connect();
    slow.send(of("greedy", "/")).read_until("\r\n\r\n");
    // Its guest has nothing more to do; its reader has.
    assert_told_to_wait(&ask(&host, "greedy", "/"));
    assert_served(&host, "modest");
    let mut rest = 0;
    while rest < 16 << 20 {
        rest += slow.read_until("a".repeat(1024)).len();
    }
    until_tenant(&host, "greedy", |view| in_flight(view) == 0);
    host.running.connect().send(of("greedy", "/")).read_until("HTTP/1.1 200 OK\r\n");
}

#[test]
fn memory_of_all_instances_together() {
    let host = start(&greedy_and_modest("memory_bytes_max = \"24MiB\""));
    let mut client = host.running.connect();
    // Far below what one instance may have by itself.
    assert_told_to_wait(&client.ask(of("greedy", "/grow")));
    host.running.wait_log(|line| {
        line.message.starts_with("memory_bytes_max of the tenant")
            && line.field("app").as_deref() == Some("greedy")
    });
    // All of it is given back.
    until_tenant(&host, "greedy", |view| view["memory_bytes"]["used"] == 0);
    // Many small ones come to the same.
    let mut sleepers: Vec<_> = (0..40).map(|_| host.running.connect()).collect();
    for client in &mut sleepers {
        client.send(of("greedy", "/sleep?ms=1000"));
    }
    let outcomes: Vec<_> = sleepers.iter_mut().map(|client| client.read_response().status()).collect();
    let of_status = |wanted| outcomes.iter().filter(|status| **status == Some(wanted)).count();
    assert!(of_status(200) > 0 && of_status(503) > 0, "{outcomes:?}");
    assert_eq!(of_status(200) + of_status(503), 40, "{outcomes:?}");
    assert_served(&host, "modest");
    assert_eq!(client.ask(of("greedy", "/ok")).text(), "ok");
}

#[test]
fn memory_for_what_slow_readers_do_not_take() {
    // The guest may buffer more by itself than its tenant has.
    let limits = "[app.limits]\nresponse_buffer_bytes_max = \"64MiB\"\n";
    let apps = app("greedy", "misbehave", limits) + &app("modest", "misbehave", limits);
    let host = start(&format!("[tenant.greedy]\nmemory_bytes_max = \"8MiB\"\n{apps}"));
    let buffered = |app: &str| {
        let mut client = host.running.connect();
        client.send(of(app, "/try-output"));
        let line = host.running.wait_log(|line| {
            line.is_guest()
                && line.field("app").as_deref() == Some(app)
                && line.message.starts_with("try-write: ")
        });
        drop(client);
        let bytes = line.message.strip_suffix(" bytes").and_then(|line| line.rsplit(' ').next());
        bytes.and_then(|bytes| bytes.parse::<u64>().ok()).expect("it tells how many bytes")
    };
    let (greedy, modest) = (buffered("greedy"), buffered("modest"));
    // What the sockets took comes on top, of both.
    assert!(modest >= 64 << 20, "{modest}");
    assert!(greedy < 32 << 20, "{greedy}");
    until_tenant(&host, "greedy", |view| view["memory_bytes"]["used"] == 0);
    assert_served(&host, "greedy");
}

#[test]
fn a_tenant_without_cpu_time_waits_or_is_told_to_and_the_other_does_not() {
    let quotas = "cpu_per_second = \"1ms\"\ncpu_burst = \"20ms\"\nqueue_wait_max = \"300ms\"";
    let host = start(&greedy_and_modest(quotas));
    let mut loops: Vec<_> = (0..4).map(|_| host.running.connect()).collect();
    for client in &mut loops {
        client.send(of("greedy", "/loop"));
    }
    until_tenant(&host, "greedy", |view| view["cpu_debt_seconds"].as_f64().is_some_and(|debt| debt > 1.0));
    let wait = promptly(|| assert_told_to_wait(&ask(&host, "greedy", "/ok")));
    assert!(wait >= 1, "{wait}");
    host.running.wait_log(|line| {
        line.message.starts_with("cpu_per_second: ") && line.field("app").as_deref() == Some("greedy")
    });
    for _ in 0..20 {
        assert_served(&host, "modest");
    }
    // They are slowed and not ended: nothing is answered, and hardly any CPU
    // time is used while the others are served.
    let used = |view: &Value| view["cpu_seconds"].as_f64().unwrap_or_default();
    assert!(used(&tenant(&host, "greedy")) < 1.0, "{}", tenant(&host, "greedy"));
    for client in &mut loops {
        assert!(client.is_silent_for(Duration::from_millis(1)));
    }
    assert_eq!(tenant(&host, "modest")["cpu_debt_seconds"], Value::Null);
}

#[test]
fn a_computation_takes_as_long_as_the_tenants_cpu_time() {
    let compute = |host: &ConfiguredHost, app: &str| {
        let begun = std::time::Instant::now();
        assert_eq!(ask(host, app, "/compute?rounds=300").text(), "300");
        begun.elapsed()
    };
    let host = start(&greedy_and_modest("cpu_per_second = \"50ms\"\ncpu_burst = \"10ms\""));
    let free = compute(&host, "modest");
    let used = tenant(&host, "modest")["cpu_seconds"].as_f64().unwrap_or_default();
    let slowed = compute(&host, "greedy");
    // So much was used, and 50 ms are earned in a second. The last slice may be
    // used before it is earned.
    let earned = Duration::from_secs_f64((used - 0.06).max(0.0) * 20.0 * 0.8);
    assert!(slowed > earned && slowed > free, "{slowed:?}, not {earned:?}; {free:?} without the quota");
}

#[test]
fn connections_of_a_tenant() {
    let host = start(&greedy_and_modest("connections_max = 2"));
    let mut idle = [host.running.connect(), host.running.connect()];
    for client in &mut idle {
        assert_eq!(client.ask(of("greedy", "/ok")).text(), "ok");
    }
    let mut third = host.running.connect();
    promptly(|| {
        let response = third.ask(of("greedy", "/ok"));
        assert_told_to_wait(&response);
        assert_eq!(response.header("connection"), Some("close"));
        assert_eq!(third.read_to_end(), (Vec::new(), End::Closed));
    });
    host.running.wait_log(|line| line.message == "connections_max of the tenant: it has 2");
    let mut others: Vec<_> = (0..10).map(|_| host.running.connect()).collect();
    for client in &mut others {
        assert_eq!(client.ask(of("modest", "/ok")).text(), "ok");
    }
    // Those that it has go on, and one that serves another is its no more.
    let [first, second] = &mut idle;
    assert_eq!(first.ask(of("greedy", "/ok")).text(), "ok");
    assert_eq!(second.ask(of("modest", "/ok")).text(), "ok");
    let mut fourth = host.running.connect();
    assert_eq!(fourth.ask(of("greedy", "/ok")).text(), "ok");
    assert_told_to_wait(&second.ask(of("greedy", "/ok")));
    // One that closes makes room.
    drop(fourth);
    until_tenant(&host, "greedy", |view| view["connections"]["used"] == 1);
    assert_served(&host, "greedy");
}

#[test]
fn outbound_connections_of_a_tenant() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let allow = format!("allow = [\"tcp={address}\"]\n[app.limits]\ntcp_sockets_per_instance_max = 12\n");
    let apps = app("greedy", "tunnels", &allow) + &app("modest", "tunnels", &allow);
    let host = start(&format!("[tenant.greedy]\noutbound_connections_max = 5\n{apps}"));
    let ask_many = |app: &str| {
        let mut client = host.running.connect();
        client.send(of(app, &format!("/tcp-many?{address}")));
        client
    };
    // Two instances have as many together as there may be, whoever is first.
    let mut both = [ask_many("greedy"), ask_many("greedy")];
    let view = until_tenant(&host, "greedy", |view| view["outbound_connections"]["used"] == 5);
    assert_eq!(view["outbound_connections"]["max"], 5);
    assert_eq!(ask_many("modest").read_response().text(), "12");
    let counts =
        both.each_mut().map(|client| client.read_response().text().parse::<u64>().unwrap_or_default());
    assert!(counts.iter().all(|count| *count <= 5) && counts.iter().sum::<u64>() >= 5, "{counts:?}");
    until_tenant(&host, "greedy", |view| view["outbound_connections"]["used"] == 0);
}

#[test]
fn log_bytes_of_a_tenant() {
    // Two apps of the tenant draw on the same bytes.
    let apps = ["loud", "louder"].map(|name| app(name, "misbehave", "tenant = \"greedy\"\n")).concat();
    let host = start(&format!(
        "[tenant.greedy]\nlog_bytes_per_second = \"2KiB\"\n{apps}{}",
        app("modest", "misbehave", "")
    ));
    let (mut loud, mut louder) = (host.running.connect(), host.running.connect());
    loud.send(of("loud", "/log?n=20000"));
    louder.send(of("louder", "/log?n=20000"));
    for line in 1..=20 {
        assert_eq!(ask(&host, "modest", "/log?n=20").text(), "logged", "{line}");
    }
    assert_eq!(loud.read_response().text(), "logged");
    assert_eq!(louder.read_response().text(), "logged");
    let of_app = |line: &LogLine, app: &str| line.is_guest() && line.field("app").as_deref() == Some(app);
    until(|| {
        let lines = host.running.logs();
        let last =
            lines.iter().filter(|line| of_app(line, "modest") && line.message == "line 20 of 20").count();
        (last == 20).then_some(())
    });
    let greedy: usize = host
        .running
        .logs()
        .iter()
        .filter(|line| of_app(line, "loud") || of_app(line, "louder"))
        .map(|line| line.message.len())
        .sum();
    // A burst of a second's worth, and what a few more seconds bring.
    assert!(greedy > 1024 && greedy < 40 * 1024, "{greedy} of a megabyte");
}

#[test]
fn pooled_instances_that_idle_give_way_to_those_that_are_needed() {
    let pooled = "instances = \"pooled\"\n";
    let apps = app("first", "misbehave", pooled) + &app("second", "misbehave", pooled);
    let host = start(&format!("[limits]\ninstances_max = 2\n[defaults.quotas]\nexchanges_max = 2\n{apps}"));
    let idle =
        |app: &str| host.api("GET", &format!("/v1/apps/{app}"), "").1["current"]["idle_instances"].as_u64();
    let fill = |app: &str| {
        let mut clients = [host.running.connect(), host.running.connect()];
        for client in &mut clients {
            client.send(of(app, "/sleep?ms=300"));
        }
        for client in &mut clients {
            assert_eq!(client.read_response().text(), "slept");
        }
        until(|| (idle(app) == Some(2)).then_some(()));
    };
    fill("first");
    // The pool is full of instances that do nothing: both make way.
    fill("second");
    assert_eq!(idle("first"), Some(0));
    assert_eq!(ask(&host, "first", "/counter").text(), "1", "an instance that made way is gone");
}

#[test]
fn quotas_that_are_changed_hold_at_once_and_after_a_restart() {
    let toml = "[tenant.greedy]\nqueue_max = 0\n".to_owned()
        + &app("greedy", "node-case", &holding())
        + &app("modest", "node-case", &holding());
    let host = start(&toml);
    let mut held = [hold(&host, "greedy"), hold(&host, "greedy")];
    let (status, view) = host.api("PUT", "/v1/tenants/greedy/quotas", r#"{ "exchanges_max": 1 }"#);
    assert_eq!((status, &view["exchanges"]["max"]), (200, &json!(1)), "{view}");
    // Who is in stays in; nobody comes in before there is room.
    assert_told_to_wait(&ask(&host, "greedy", "/"));
    let [first, second] = &mut held;
    release(first);
    until_tenant(&host, "greedy", |view| in_flight(view) == 1);
    assert_told_to_wait(&ask(&host, "greedy", "/"));
    release(second);
    until_tenant(&host, "greedy", |view| in_flight(view) == 0);
    let (directory, _) = host.stop();
    let host = ConfiguredHost::start_in(directory, &with_cache(&toml)).expect("it starts again");
    let _held = hold(&host, "greedy");
    assert_told_to_wait(&ask(&host, "greedy", "/"));
    assert_eq!(tenant(&host, "greedy")["exchanges"]["max"], 1);
    assert_modest_holds(&host);
    // More of them let in who waits.
    let (status, view) = host.api(
        "PUT",
        "/v1/tenants/greedy/quotas",
        r#"{ "queue_max": 5, "exchanges_max": 1, "queue_wait_max": "30s" }"#,
    );
    assert_eq!(status, 200, "{view}");
    let mut waiting = host.running.connect();
    send_hold(&mut waiting, "greedy");
    until_tenant(&host, "greedy", |view| queued(view) == 1);
    let (status, _) = host.api("PUT", "/v1/tenants/greedy/quotas", r#"{ "exchanges_max": 2 }"#);
    assert_eq!(status, 200);
    waiting.expect("HTTP/1.1 100 Continue\r\n\r\n");
    release(&mut waiting);
    // No tenant, no quota, no such key.
    assert_eq!(host.api("PUT", "/v1/tenants/nobody/quotas", "{}").0, 404);
    let (status, problem) = host.api("PUT", "/v1/tenants/greedy/quotas", r#"{ "exchange_max": 1 }"#);
    assert!((400..500).contains(&status), "{status} {problem}");
}
