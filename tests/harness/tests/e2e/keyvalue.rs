//! Keys and values of guests (`wasi:keyvalue`, both drafts), in the state
//! directory and in memory; those in Redis are in `keyvalue_redis`. The guest
//! `kv` does what the header `Script` of its request says, and answers a line
//! for each call.

use std::thread;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::guests;
use innkeeper_harness::server::Server;
use innkeeper_harness::wire::Client;

use crate::deployment::{deploy, marked};
use crate::inns::{app, with_cache};

/// What the guest answers to a script for an app of [`crate::inns`].
#[track_caller]
pub fn play(client: &mut Client, app: &str, script: &str) -> Vec<String> {
    let response =
        client.ask(format!("GET / HTTP/1.1\r\nHost: {app}.example\r\nScript: open; {script}\r\n\r\n"));
    let text = response.text();
    assert_eq!(response.status(), Some(200), "{text}");
    text.lines().skip(1).map(str::to_owned).collect()
}

/// Plays a script and compares every line, `open` left out.
#[track_caller]
pub fn assert_plays(client: &mut Client, app: &str, lines: &[(&str, &str)]) {
    let script: Vec<_> = lines.iter().map(|(call, _)| *call).collect();
    let told = play(client, app, &script.join("; "));
    let expected: Vec<_> = lines.iter().map(|(_, told)| *told).collect();
    assert_eq!(told, expected, "{script:?}");
}

/// What every back end does, for an app that may list three keys at a time.
#[track_caller]
pub fn assert_keeps(client: &mut Client, app: &str) {
    assert_plays(
        client,
        app,
        &[
            ("get k", "none"),
            ("exists k", "false"),
            ("set k v", "done"),
            ("get k", "v"),
            ("2 get k", "v"),
            ("2 exists k", "true"),
            ("set k", "done"),
            ("get k", ""),
            ("exists k", "true"),
            ("delete k", "done"),
            ("2 delete k", "done"),
            ("2 get k", "none"),
        ],
    );
    assert_plays(
        client,
        app,
        &[
            ("set-many a=1 b=2 a=3", "done"),
            ("get-many b x a", r#"[Some(("b", [50])), None, Some(("a", [51]))]"#),
            ("2 get-many b x", r#"[("b", Some([50])), ("x", None)]"#),
            ("2 set-many c=1 d=1 e=1", "done"),
            ("list", "a b c d e in 2"),
            ("2 list", "a b c d e in 2"),
            ("2 page x", r#"Error::Other("the cursor is none that list-keys gave")"#),
            ("set f 1", "done"),
            ("list", "a b c d e f in 2"),
            ("delete-many a b c", "done"),
            ("2 delete-many d e f", "done"),
            ("list", " in 1"),
            ("set-many a=1 b=1 c=1 d=1", r#"Error::Other("4 keys are more than keyvalue_keys_max, 3")"#),
        ],
    );
    assert_plays(
        client,
        app,
        &[
            ("increment n 40", "40"),
            ("2 increment n 2", "42"),
            ("get n", "42"),
            ("2 increment n -43", "-1"),
            ("increment n 5", r#"Error::Other("the value is no number")"#),
            ("2 increment n 0", "-1"),
            ("set n 9223372036854775807", "done"),
            ("2 increment n 1", r#"Error::Other("the sum does not fit into 64 bits with a sign")"#),
            ("set n 1.0", "done"),
            ("2 increment n 1", r#"Error::Other("the value is no number")"#),
            ("get n", "1.0"),
            ("2 cas c new", "swapped"),
            ("2 cas-late c newer", "failed, found meanwhile, swapped"),
            ("get c", "newer"),
            ("delete-many n c", "done"),
        ],
    );
}

/// Many connections add to the same numbers at once, and nothing is lost.
#[track_caller]
pub fn assert_adds_up(connect: impl Fn(usize) -> Client + Sync, app: &str) {
    thread::scope(|scope| {
        for number in 0..4 {
            let mut client = connect(number);
            scope.spawn(move || {
                for _ in 0..5 {
                    play(&mut client, app, "increment n 1; 2 increment n 1; 2 cas-add m 2");
                }
            });
        }
    });
    assert_plays(&mut connect(0), app, &[("get n", "40"), ("get m", "40"), ("delete-many n m", "done")]);
}

/// An app with keys and values, three at a time.
fn keeping(name: &str, more: &str) -> String {
    app(name, "kv", &format!("keyvalue = [\"default\"]\nlimits = {{ keyvalue_keys_max = 3 }}\n{more}"))
}

#[track_caller]
fn started(toml: &str) -> ConfiguredHost {
    Server::configured(&with_cache(toml))
}

#[test]
fn what_is_kept_in_the_state_directory() {
    let host = started(&keeping("one", ""));
    assert_keeps(&mut host.running.connect(), "one");
    assert_adds_up(|_| host.running.connect(), "one");
}

#[test]
fn what_is_kept_in_memory() {
    let server = Server::of("kv").arg("--keyvalue", "default").arg("--keyvalue-keys-max", "3").start();
    assert_keeps(&mut server.connect(), "any");
    assert_adds_up(|_| server.connect(), "any");
}

#[test]
fn the_standard_contracts_have_the_same() {
    for contract in ["p2", "p3"] {
        for policy in ["per-request", "pooled"] {
            let server = Server::with_features("kv", &[contract])
                .arg("--keyvalue", "default")
                .arg("--keyvalue-keys-max", "3")
                .arg("--config-value", "a=b")
                .arg("--instances", policy)
                .start();
            assert_keeps(&mut server.connect(), "any");
            assert_adds_up(|_| server.connect(), "any");
            let lines = [("config a", r#"Ok(Some("b"))"#), ("log warn shop told", "logged")];
            assert_plays(&mut server.connect(), "any", &lines);
            server.wait_log(|line| line.is_guest() && line.message == "told" && line.level == "WARN");
        }
    }
}

#[test]
fn what_is_in_memory_is_lost_and_the_log_says_so() {
    let toml = format!("keyvalue.backend = \"memory\"\n{}", keeping("one", ""));
    let host = started(&toml);
    let in_memory = |host: &ConfiguredHost| {
        host.running.logs().iter().any(|line| line.message.starts_with("keys and values are in memory"))
    };
    assert!(in_memory(&host));
    assert_plays(&mut host.running.connect(), "one", &[("set k v", "done")]);
    let (directory, _) = host.stop();
    assert!(!directory.path().join("state/keyvalue.redb").exists());
    let host = ConfiguredHost::start_in(directory, &with_cache(&toml)).expect("it starts again");
    assert_plays(&mut host.running.connect(), "one", &[("get k", "none")]);
    // In the state directory it is not, and where nobody keeps anything there
    // is nothing to say.
    assert!(!in_memory(&started(&keeping("one", ""))));
    assert!(!in_memory(&started(&format!("keyvalue.backend = \"memory\"\n{}", app("one", "kv", "")))));
}

#[test]
fn values_outlive_the_host_and_a_deploy() {
    const SHOP: &str = "[[app]]\nname = \"shop\"\nroutes = [{ host = \"*\" }]\nkeyvalue = [\"default\"]\n";
    let component = std::fs::read(guests::component("kv").expect("the guests can be built"));
    let component = component.expect("a component that was built can be read");
    let host = started(SHOP);
    deploy(&host, "", &component);
    assert_plays(&mut host.running.connect(), "any", &[("set k v", "done"), ("increment n 1", "1")]);
    deploy(&host, "", &marked(&component, "next"));
    assert_plays(&mut host.running.connect(), "any", &[("get k", "v"), ("increment n 1", "2")]);
    // A host that is killed has told of nothing that it had not written.
    let host = ConfiguredHost::start_in(host.kill(), &with_cache(SHOP)).expect("it starts again");
    assert_plays(&mut host.running.connect(), "any", &[("get k", "v"), ("increment n 1", "3")]);
}

#[test]
fn a_bucket_is_its_apps_or_its_tenants() {
    let of_acme = "tenant = \"acme\"\nkeyvalue = [\"own\", \"common:shared\"]\n";
    let host = started(&format!(
        "{}{}{}",
        app("one", "kv", of_acme),
        app("two", "kv", of_acme),
        app("other", "kv", "keyvalue = [\"own\", \"common:shared\"]\n")
    ));
    let mut client = host.running.connect();
    // The first line of each is of the default bucket, which is not granted.
    assert_plays(&mut client, "one", &[("open own", "open"), ("set k one", "done")]);
    assert_plays(&mut client, "one", &[("open common", "open"), ("set k acme", "done")]);
    for (app, own, common) in [("one", "one", "acme"), ("two", "none", "acme"), ("other", "none", "none")] {
        assert_plays(&mut client, app, &[("open own", "open"), ("get k", own)]);
        assert_plays(&mut client, app, &[("open common", "open"), ("get k", common)]);
    }
}

#[test]
fn a_bucket_that_is_not_granted_does_not_open() {
    let denied = "Some(Error::AccessDenied) Some(Error::AccessDenied)";
    let host = started(&format!("{}{}", app("one", "kv", ""), app("two", "kv", "keyvalue = [\"b\"]\n")));
    let wait = |text: &str| host.running.wait_log(|line| line.message.contains(text));
    wait("the component keeps keys and values, and no bucket will open");
    let mut client = host.running.connect();
    assert_plays(&mut client, "one", &[("open", denied), ("open b", denied), ("get k", "no bucket")]);
    assert_plays(&mut client, "two", &[("open", denied), ("open b", "open"), ("open ../one/b", denied)]);
    wait("the bucket \"../one/b\" is not granted; name it in keyvalue if it should be");
}

#[test]
fn limits_of_keys_and_values() {
    let server = Server::of("kv")
        .arg("--keyvalue", "default")
        .arg("--keyvalue-key-bytes-max", "3")
        .arg("--keyvalue-value-bytes-max", "100")
        .arg("--keyvalue-keys-max", "2")
        .arg("--keyvalue-bytes-max", "400")
        .start();
    assert_plays(
        &mut server.connect(),
        "any",
        &[
            ("set abc v", "done"),
            ("set abcd v", r#"Error::Other("a key of 4 bytes is longer than keyvalue_key_bytes_max, 3")"#),
            ("get abcd", r#"Error::Other("a key of 4 bytes is longer than keyvalue_key_bytes_max, 3")"#),
            ("fill a 100", "done"),
            (
                "fill b 101",
                r#"Error::Other("a value of 101 bytes is longer than keyvalue_value_bytes_max, 100")"#,
            ),
            ("get-many a b c", r#"Error::Other("3 keys are more than keyvalue_keys_max, 2")"#),
            ("fill b 100", "done"),
            (
                "fill c 1",
                r#"Error::Other("there is no room left: the tenant may have keyvalue_bytes_max, 400 bytes")"#,
            ),
            ("exists c", "false"),
            // What becomes less is let through, and makes room.
            ("fill b 10", "done"),
            ("fill c 1", "done"),
        ],
    );
}

#[test]
fn a_quota_that_changes_holds_at_once_for_all_apps_of_the_tenant() {
    let of_acme = "tenant = \"acme\"\nkeyvalue = [\"default\"]\n";
    let host = started(&format!("{}{}", app("one", "kv", of_acme), app("two", "kv", of_acme)));
    let mut client = host.running.connect();
    assert_plays(&mut client, "one", &[("fill k 600", "done")]);
    let quota = |value: &str| {
        let body = format!("{{ \"keyvalue_bytes_max\": {value} }}");
        assert_eq!(host.api("PUT", "/v1/tenants/acme/quotas", body).0, 200);
    };
    quota("1000");
    let full = r#"Error::Other("there is no room left: the tenant may have keyvalue_bytes_max, 1000 bytes")"#;
    assert_plays(&mut client, "two", &[("fill k 600", full), ("fill k 100", "done")]);
    quota("10000");
    assert_plays(&mut client, "two", &[("fill k 600", "done")]);
}

#[test]
fn a_tenant_grants_its_apps_no_buckets() {
    let host = started(&format!("[tenant.acme]\nhosts = [\"*\"]\n{}", keeping("one", "")));
    let token = host.api("POST", "/v1/tokens", r#"{ "tenant": "acme" }"#).1;
    let token = token["token"].as_str().expect("a token is text");
    let put = |line: &str| {
        let spec = format!(
            r#"{{ "name": "two", "tenant": "acme", "routes": [{{ "host": "two.example" }}]{line} }}"#
        );
        host.api_as(token, "PUT", "/v1/apps", spec).0
    };
    assert_eq!(put(r#", "keyvalue": ["default"]"#), 403);
    assert_eq!(put(r#", "config_secrets": { "a": { "env": "HOME" } }"#), 403);
    assert_eq!(put(r#", "config": { "a": "b" }"#), 200);
}

#[test]
fn a_damaged_database_is_told_and_not_begun_anew() {
    let toml = with_cache(&keeping("one", ""));
    let host = started(&keeping("one", ""));
    assert_plays(&mut host.running.connect(), "one", &[("set k v", "done")]);
    let (directory, _) = host.stop();
    let path = directory.path().join("state/keyvalue.redb");
    std::fs::write(&path, "nonsense").expect("the folder can be written");
    let error = match ConfiguredHost::start_in(directory, &toml) {
        Ok(_) => panic!("it starts with a damaged database"),
        Err(error) => format!("{error:#}"),
    };
    assert!(error.contains("keyvalue.redb is damaged"), "{error}");
}
