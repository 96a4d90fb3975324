//! What stands beside the contracts: `wasi:config` and `wasi:logging`, by the
//! names that components have for them. Keys and values have a file of their
//! own.

use std::fs;

use innkeeper_harness::server::Server;

use crate::inns::{app, start};
use crate::keyvalue::{assert_plays, play};

#[test]
fn configuration_is_found_by_every_name_that_it_has_had() {
    let server = Server::of("kv").arg("--config-value", "a=b=c").arg("--config-value", "empty=").start();
    assert_plays(
        &mut server.connect(),
        "any",
        &[
            ("config a", r#"Ok(Some("b=c"))"#),
            ("config empty", r#"Ok(Some(""))"#),
            ("config none", "Ok(None)"),
            ("config", r#"Ok([("a", "b=c"), ("empty", "")])"#),
            ("old-config a", r#"Ok(Some("b=c"))"#),
            ("old-config", r#"Ok([("a", "b=c"), ("empty", "")])"#),
        ],
    );
    // In a file, and nobody has another's.
    let toml = format!(
        "{}{}",
        app("one", "kv", "config = { \"a.b\" = \"c\" }\nenv = { E = \"e\" }\n"),
        app("two", "kv", "")
    );
    let host = start(&toml);
    let mut client = host.running.connect();
    assert_plays(&mut client, "one", &[("config a.b", r#"Ok(Some("c"))"#), ("config E", "Ok(None)")]);
    assert_plays(&mut client, "two", &[("config", "Ok([])"), ("old-config a.b", "Ok(None)")]);
}

#[test]
fn secrets_are_found_in_the_configuration_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    fs::write(&file, "from-a-file\n").expect("the folder can be written");
    let secrets = format!("config_secrets = {{ key = {{ file = {:?} }} }}\n", file.display().to_string());
    let host = start(&format!("{}[log]\nfilter = \"trace\"\n", app("one", "kv", &secrets)));
    let mut client = host.running.connect();
    assert_plays(&mut client, "one", &[("config key", r#"Ok(Some("from-a-file"))"#)]);
    assert_plays(&mut client, "one", &[("config", r#"Ok([("key", "from-a-file")])"#)]);
    let (_, apps) = host.api("GET", "/v1/apps/one", "");
    assert!(!apps.to_string().contains("from-a-file"), "{apps}");
    assert!(!host.running.process().transcript().contains("from-a-file"));
}

#[test]
fn a_logged_line_has_its_level_and_context() {
    let host = start(&format!("{}[log]\nfilter = \"debug\"\n", app("one", "kv", "")));
    let mut client = host.running.connect();
    for (level, told) in [
        ("trace", None),
        ("debug", Some("DEBUG")),
        ("info", Some("INFO")),
        ("warn", Some("WARN")),
        ("error", Some("ERROR")),
        ("critical", Some("ERROR")),
    ] {
        play(&mut client, "one", &format!("log {level} shop {level} told; old-log {level} - older {level}"));
        let Some(told) = told else { continue };
        let line = host.running.wait_log(|line| line.message == format!("{level} told"));
        assert_eq!((line.level.as_str(), line.is_guest()), (told, true));
        let fields = ["app", "tenant", "stream", "severity", "context"].map(|name| line.field(name));
        let expected = ["one", "one", "log", level, "shop"].map(|value| Some(value.to_owned()));
        assert_eq!(fields, expected);
        host.running.wait_log(|line| line.message == format!("older {level}"));
    }
    // The app's own log has them all, whatever the host's filter.
    let ran = host.innkeeper(&["logs", "one"]);
    let lines: Vec<_> =
        ran.stdout.lines().map(|line| line.split_once(' ').unwrap_or_default().1.trim()).collect();
    assert!(lines[0].starts_with("trace ") && lines[0].ends_with(" shop: trace told"), "{lines:?}");
    assert!(lines[11].starts_with("critical ") && lines[11].ends_with(" older critical"), "{lines:?}");
}

#[test]
fn a_logged_line_is_one_line_of_bounded_length_and_within_the_rates() {
    let server = Server::of("kv").arg("--log-bytes-per-second", "20000").start();
    let mut client = server.connect();
    play(&mut client, "any", "log info a\\nb one\\ntwo\\e[2J");
    let line = server.wait_log(|line| line.message.starts_with("one"));
    assert_eq!(line.message, "one\\ntwo\\u{1b}[2J");
    play(&mut client, "any", "log info - *10000");
    let line = server.wait_log(|line| line.message.starts_with("mmm"));
    assert_eq!(line.message, format!("{} (1808 bytes more)", "m".repeat(8192)));
    play(&mut client, "any", &["log info - *10000"; 10].join("; "));
    server.wait_log(|line| line.target == "access" && line.number("exchange") == Some(3));
    let passed = server.logs().iter().filter(|line| line.message.starts_with("mmm")).count();
    assert!(passed < 5, "{passed}");
}
