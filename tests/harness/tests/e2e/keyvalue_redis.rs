//! Keys and values in a real Redis: the same as elsewhere, shared by several
//! hosts, and what becomes of guests while it is away.

use std::time::Duration;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::server::{Running, Server};

use crate::inns::{app, until, with_cache};
use crate::keyvalue::{assert_adds_up, assert_keeps, assert_plays, play};
use crate::real_servers::{Redis, free_port};

const UNREACHABLE: &str = r#"Error::Other("keys and values cannot be reached")"#;

/// The guest with its keys and values there.
fn server(address: &str) -> Server {
    Server::of("kv").arg("--keyvalue", "default").arg("--keyvalue-backend", address)
}

#[track_caller]
fn wait_keyvalue(server: &Running, message: &str) {
    server.wait_log(|line| line.target == "keyvalue" && line.message.contains(message));
}

#[test]
fn what_is_kept_in_redis() {
    let redis = Redis::start(&[]);
    let server = server(&redis.address()).arg("--keyvalue-keys-max", "3").start();
    wait_keyvalue(&server, "keys and values are in Redis");
    assert_keeps(&mut server.connect(), "any");
    // What was deleted leaves nothing but two numbers of the tenant.
    assert_eq!(redis.tell("DBSIZE"), ":2");
    assert_eq!(redis.tell("GET innkeeper:{kv}:bytes"), "$1");
    assert_adds_up(|_| server.connect(), "any");
    assert_eq!(redis.tell("DBSIZE"), ":2");
}

#[test]
fn hosts_share_what_is_in_redis() {
    let redis = Redis::start(&[]);
    let toml = format!(
        "keyvalue.backend = \"{}/3\"\n{}{}",
        redis.address(),
        app("one", "kv", "keyvalue = [\"default\"]\n"),
        app("two", "kv", "keyvalue = [\"default\"]\n")
    );
    let hosts = [0, 1].map(|_| Server::configured(&with_cache(&toml)));
    let mut clients = hosts.each_ref().map(|host: &ConfiguredHost| host.running.connect());
    assert_plays(&mut clients[0], "one", &[("set k v", "done")]);
    assert_plays(&mut clients[1], "one", &[("get k", "v")]);
    assert_plays(&mut clients[1], "two", &[("get k", "none"), ("list", " in 1")]);
    assert_adds_up(|number| hosts[number % 2].running.connect(), "one");
    // They are in the database that was named.
    assert_eq!(redis.tell("DBSIZE"), ":0");
    assert!(!hosts[0].directory.path().join("state/keyvalue.redb").exists());
}

#[test]
fn a_tenant_has_no_more_in_redis_than_it_may() {
    let redis = Redis::start(&[]);
    let server = server(&redis.address()).arg("--keyvalue-bytes-max", "400").start();
    let full = r#"Error::Other("there is no room left: the tenant may have keyvalue_bytes_max, 400 bytes")"#;
    assert_plays(
        &mut server.connect(),
        "any",
        &[
            ("fill a 200", "done"),
            ("fill b 200", full),
            ("set-many c=1 d=1 e=1", full),
            ("list", "a in 1"),
            ("fill b 6", "done"),
            ("increment n 1", full),
            ("exists n", "false"),
            ("fill a 100", "done"),
            ("increment n 1", "1"),
        ],
    );
}

#[test]
fn a_password_is_read_from_a_file_and_never_shown() {
    let redis = Redis::start(&["--requirepass", "hush"]);
    let directory = tempfile::tempdir().expect("a folder");
    std::fs::write(directory.path().join("password"), "hush\n").expect("the folder can be written");
    let address = redis.address();
    let toml = |password: &str| {
        let apps = app("one", "kv", "keyvalue = [\"default\"]\n");
        with_cache(&format!("{apps}[keyvalue]\nbackend = \"{address}\"\n{password}"))
    };
    let host = ConfiguredHost::start_in(directory, &toml("password = { file = \"password\" }\n"));
    let host = host.expect("it starts");
    assert_plays(&mut host.running.connect(), "one", &[("set k v", "done")]);
    assert!(!host.running.process().transcript().contains("hush"));
    let host = Server::configured(&toml(""));
    assert_plays(&mut host.running.connect(), "one", &[("get k", UNREACHABLE)]);
    // On the command line it is in a file, too.
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "hush\n").expect("it can be written");
    let server = server(&address).arg("--keyvalue-password-file", file.path()).start();
    assert_plays(&mut server.connect(), "any", &[("get k", "none")]);
}

#[test]
fn a_redis_that_is_away_costs_calls_and_no_host() {
    let port = free_port();
    // It starts without, and the log says so.
    let server = server(&format!("redis://127.0.0.1:{port}")).start();
    wait_keyvalue(&server, "Redis cannot be reached, and buckets fail until it can");
    let mut client = server.connect();
    assert_plays(&mut client, "any", &[("set k v", UNREACHABLE), ("list", UNREACHABLE)]);
    wait_keyvalue(&server, "keys and values fail: Redis failed");
    let reachable = |client: &mut _| until(|| (play(client, "any", "set k v") == ["done"]).then_some(()));
    let redis = Redis::start_at(port);
    reachable(&mut client);
    // It goes and comes back.
    drop(redis);
    until(|| (play(&mut client, "any", "get k") == [UNREACHABLE]).then_some(()));
    let redis = Redis::start_at(port);
    reachable(&mut client);
    assert_eq!(redis.port(), port);
}

#[test]
fn waiting_for_redis_is_no_cpu_time() {
    let redis = Redis::start(&[]);
    let server = server(&redis.address()).arg("--cpu-time-max", "300ms").start();
    let mut client = server.connect();
    assert_plays(&mut client, "any", &[("set k v", "done")]);
    assert_eq!(redis.tell("CLIENT PAUSE 1000"), "+OK");
    assert_plays(&mut client, "any", &[("get k", "v")]);
    let line = server.wait_log(|line| line.number("micros").is_some_and(|micros| micros > 500_000));
    let cpu = Duration::from_micros(line.number("cpu_micros").unwrap_or(u64::MAX));
    assert!(cpu < Duration::from_millis(300), "{cpu:?}");
}

#[test]
fn something_else_in_redis_is_no_key_of_a_guest() {
    let redis = Redis::start(&[]);
    assert_eq!(redis.tell("ZADD innkeeper:{kv}:names:kv/default 0 short"), ":1");
    assert_eq!(redis.tell("SET innkeeper:{kv}:values:kv/default text"), "+OK");
    let server = server(&redis.address()).start();
    assert_plays(&mut server.connect(), "any", &[("list", UNREACHABLE), ("set k v", UNREACHABLE)]);
}
