//! What is read and what is refused; whole files are in
//! `tests/harness/golden/config`.

use std::time::Duration;

use super::*;
use crate::config::{AccessLog, Cache, LogFormat, OutboundConfig, OutboundSettings, RouteConfig};

/// The configuration of a text in a folder that has `a.wasm`.
fn read(text: &str) -> Result<Config, String> {
    let folder = std::env::temp_dir().join(format!("innkeeper-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.wasm"), "").unwrap();
    parse(text, &folder.join("innkeeper.toml"))
        .map_err(|problems| problems.to_string().replace(&format!("{}/", folder.display()), ""))
}

const APP: &str = "[[app]]\nname = \"a\"\ncomponent = \"a.wasm\"\n";

#[test]
fn an_app_is_enough() {
    let config = read(APP).unwrap();
    assert_eq!(config.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.cache, Cache::Default);
    assert_eq!(config.telemetry.request_id_header.as_deref(), Some("X-Request-Id"));
    assert_eq!(config.telemetry.access_log, AccessLog::Log);
    assert_eq!(config.telemetry.log_format, LogFormat::Text);
    let app = config.apps.first().unwrap();
    assert_eq!((app.name.as_str(), app.tenant.as_str()), ("a", "a"));
    assert_eq!(app.routes, [RouteConfig::everything()]);
}

#[test]
fn all_limits_of_a_table_are_read() {
    let limits =
        Limits { connections_max: 7, head_timeout: None, memory_bytes_max: 1 << 20, ..Limits::default() };
    let written = serde_json::to_value(raw_limits::Limits::of(&limits)).unwrap();
    let table = toml::to_string(&written).unwrap();
    let config = read(&format!(
        "[limits]\n{}\n{APP}",
        table.replace("connections_per_peer_max = 500", "connections_per_peer_max = 5")
    ));
    assert_eq!(config.unwrap().limits, Limits { connections_per_peer_max: 5, ..limits });
}

#[test]
fn a_default_gives_way_to_what_is_written() {
    let config = read(&format!("[limits]\ninstances_max = 10\nrequest_timeout = \"2s\"\n{APP}")).unwrap();
    assert_eq!(config.limits.tunnels_max, 10);
    assert_eq!(config.limits.head_timeout, Some(Duration::from_secs(2)));
    assert_eq!(config.default_quotas.exchanges_max, 5);
}

#[test]
fn an_app_has_the_limits_of_the_host_and_its_own() {
    let config =
        read(&format!("[limits]\ncpu_time_max = \"1s\"\n{APP}limits = {{ handles_max = 9 }}")).unwrap();
    let limits = &config.apps.first().unwrap().settings.limits;
    assert_eq!((limits.cpu_time_max, limits.handles_max), (Some(Duration::from_secs(1)), 9));
}

#[test]
fn everything_wrong_is_told_with_its_line() {
    let error = read("listen = 1\n\n[limits]\nhead_bytes = \"1k\"\ninstances_max = \"many\"\n[[app]]\nname = \"-\"\nroutes = [{ path = \"a\" }]\n").unwrap_err();
    let lines: Vec<_> =
        error.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "innkeeper.toml:1: listen:",
            "innkeeper.toml:4: limits.head_bytes:",
            "innkeeper.toml:5: limits.instances_max:",
            "innkeeper.toml:6: app[0].component:",
            "innkeeper.toml:7: app[0].name:",
            "innkeeper.toml:8: app[0].routes[0].path:",
        ],
        "{error}"
    );
    assert!(error.contains("is head_bytes_max meant?"), "{error}");
}

#[test]
fn what_could_not_be_read_is_not_said_to_be_missing() {
    let error = read("[[app]]\nname = 1\ncomponent = 2\nroutes = [3]").unwrap_err();
    assert_eq!(error.lines().count(), 3, "{error}");
}

#[test]
fn a_secret_is_read_and_never_shown() {
    let folder = std::env::temp_dir().join(format!("innkeeper-secret-{}", std::process::id()));
    std::fs::write(&folder, "hush\n\n").unwrap();
    let config = read(&format!("{APP}secrets = {{ KEY = {{ file = {folder:?} }} }}")).unwrap();
    let (name, secret) = config.apps.first().unwrap().settings.secrets.first().unwrap();
    assert_eq!((name.as_str(), secret.reveal()), ("KEY", "hush\n"));
    assert!(!format!("{config:?}").contains("hush"));
    let error = read(&format!("{APP}secrets = {{ KEY = {{ env = \"INNKEEPER_NO_SUCH\" }} }}")).unwrap_err();
    assert!(error.contains("app[0].secrets.KEY: the host has no environment variable"), "{error}");
}

#[test]
fn an_app_goes_where_its_table_and_the_hosts_say() {
    let config = read(&format!(
        "[outbound]\nnameservers = [\"10.0.0.53\"]\nroots = \"a.wasm\"\n{APP}outbound = [\"https://API.example:443\"]\noutbound_tls = {{ certificate = \"a.wasm\", key = \"a.wasm\" }}\n"
    ))
    .unwrap();
    assert_eq!(config.outbound.nameservers, ["10.0.0.53:53".parse().unwrap()]);
    assert!(config.outbound.roots.is_some());
    let OutboundSettings { allowed, tls } = &config.apps.first().unwrap().settings.outbound;
    let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["https://api.example"]);
    assert!(tls.roots.is_none() && tls.certificate.is_some() && tls.key.is_some());
    let config = read(APP).unwrap();
    assert_eq!(config.outbound, OutboundConfig::default());
    assert_eq!(config.apps.first().unwrap().settings.outbound, OutboundSettings::default());
}

#[test]
fn what_was_not_read_of_outbound_is_not_said_to_be_missing() {
    for app in [
        "outbound = [\"10.0.0.0/8\", 7]\n",
        "outbound = [\"10.0.0.0/8\", \"ftp://a\"]\n",
        "outbound = [\"https://a\"]\noutbound_tls = { certificate = \"a.wasm\", key = \"gone\" }\n",
        "outbound = 7\noutbound_tls = { roots = \"a.wasm\" }\n",
    ] {
        let error = read(&format!("{APP}{app}")).unwrap_err();
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn another_content_of_a_file_is_another_configuration() {
    let file = std::env::temp_dir().join(format!("innkeeper-roots-{}", std::process::id()));
    let settings = |content: &str| {
        std::fs::write(&file, content).unwrap();
        let config =
            read(&format!("{APP}outbound = [\"https://a\"]\noutbound_tls = {{ roots = {file:?} }}\n"));
        config.unwrap().apps.first().unwrap().settings.clone()
    };
    assert_eq!(settings("one"), settings("one"));
    assert_ne!(settings("one"), settings("other"));
}

#[test]
fn an_app_can_be_specified_without_a_file() {
    let spec: AppSpec = serde_json::from_str(
        r#"{"name":"a","routes":[{"host":"a.example"}],"limits":{"cpu_time_max":"1s"}}"#,
    )
    .unwrap();
    let app = app_of(&spec, &Limits::default()).unwrap();
    assert_eq!((app.tenant.as_str(), app.component, app.routes.len()), ("a", None, 1));
    let again: AppSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
    assert_eq!(again, spec);
    let spec: AppSpec =
        serde_json::from_str(r#"{"name":"a","routes":[{},{}],"allow":["dir=x:/y"]}"#).unwrap();
    let error = app_of(&spec, &Limits::default()).unwrap_err().to_string();
    assert!(error.starts_with("allow[0]: x is relative"), "{error}");
    assert!(error.contains("routes[1]: */* is at routes[0] too, for all methods"), "{error}");
}
