//! Every key of the configuration changes something: for each the test that
//! shows it, which is a row of `key_limits`, `key_app_limits`, `key_outbound` or
//! `key_quotas`, a test here, or one that is about it anyway. The keys are those of the
//! schema; none may be left out, and none may be here that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use innkeeper_harness::configured::{ConfiguredHost, Ran};
use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::listening_on;
use innkeeper_harness::wire::Client;
use innkeeper_harness::{DEADLINE, workspace};
use serde_json::Value;
use tempfile::TempDir;

use crate::inns::{app, ask, of, routed, start, with_cache};
use crate::key_app_limits::OF_APP;
use crate::key_limits::OF_HOST;
use crate::key_outbound::OF_OUTBOUND;
use crate::key_quotas::OF_TENANT;
use crate::key_rows::Row;
use crate::seams::is_test;

/// Tables whose keys have rows, and the test that shows all of them.
const IN_ROWS: &[(&str, &[Row], &str)] = &[
    ("Limits", OF_HOST, "key_limits::limits_of_the_host"),
    ("Limits", OF_APP, "key_app_limits::limits_of_apps_that_the_host_has"),
    ("AppLimits", OF_APP, "key_app_limits::limits_of_an_app"),
    ("Limits", OF_OUTBOUND, "key_outbound::limits_of_requests_that_the_host_has"),
    ("AppLimits", OF_OUTBOUND, "key_outbound::limits_of_requests_of_an_app"),
    ("Tenant", OF_TENANT, "key_quotas::quotas_of_a_tenant"),
    ("Quotas", OF_TENANT, "key_quotas::quotas_of_tenants_that_say_nothing"),
];

/// All other keys, and the test that shows each.
const ELSEWHERE: &[(&str, &str)] = &[
    (".listen", "reload::listeners_come_and_go_and_connections_of_those_that_went_stay"),
    (".state", "config_keys::state_and_cache_are_where_they_are_said_to_be"),
    (".cache", "config_keys::state_and_cache_are_where_they_are_said_to_be"),
    (".limits", "key_limits::limits_of_the_host"),
    (".admin", "config_keys::the_administration_listens_and_has_its_token_where_it_is_said"),
    (".outbound", "key_outbound::names_are_asked_of_the_servers_that_are_named"),
    (".keyvalue", "keyvalue_redis::hosts_share_what_is_in_redis"),
    ("KeyValue.backend", "keyvalue::what_is_in_memory_is_lost_and_the_log_says_so"),
    ("KeyValue.password", "keyvalue_redis::a_password_is_read_from_a_file_and_never_shown"),
    ("App.config", "beside::configuration_is_found_by_every_name_that_it_has_had"),
    ("App.config_secrets", "beside::secrets_are_found_in_the_configuration_and_nowhere_else"),
    ("App.keyvalue", "keyvalue::a_bucket_is_its_apps_or_its_tenants"),
    (".log", "config_keys::the_log_has_the_form_and_the_lines_that_are_asked_for"),
    (".telemetry", "config_keys::the_id_has_the_header_that_is_asked_for"),
    (".defaults", "key_quotas::quotas_of_tenants_that_say_nothing"),
    (".tenant", "key_quotas::quotas_of_a_tenant"),
    (".app", "routing::hosts_exact_by_suffix_and_default"),
    // Times and bytes of the host that take long to show.
    ("Limits.linger_timeout", "persistence::a_client_that_does_not_close_is_left_behind"),
    ("Limits.linger_bytes_max", "persistence::an_uploader_without_end_is_left_behind"),
    (
        "Limits.drain_delay",
        "observability::a_host_is_not_ready_from_the_first_word_to_stop_on_and_serves_for_the_delay",
    ),
    ("Limits.drain_timeout", "config_keys::a_drain_takes_as_long_as_it_may"),
    ("Limits.tunnels_max", "config_keys::tunnels_are_counted_and_earn_what_they_are_given"),
    ("Limits.tunnel_cpu_per_second", "config_keys::tunnels_are_counted_and_earn_what_they_are_given"),
    ("AppLimits.tunnel_cpu_per_second", "config_keys::tunnels_are_counted_and_earn_what_they_are_given"),
    ("Admin.listen", "config_keys::the_administration_listens_and_has_its_token_where_it_is_said"),
    ("Admin.token_file", "config_keys::the_administration_listens_and_has_its_token_where_it_is_said"),
    ("Outbound.nameservers", "key_outbound::names_are_asked_of_the_servers_that_are_named"),
    ("Outbound.roots", "outbound_tls::servers_are_judged_by_the_roots_of_the_app_or_else_of_the_host"),
    ("Log.format", "config_keys::the_log_has_the_form_and_the_lines_that_are_asked_for"),
    ("Log.filter", "config_keys::the_log_has_the_form_and_the_lines_that_are_asked_for"),
    ("Log.access", "observability::access_lines_in_a_file_as_json"),
    (
        "Log.access_file",
        "observability::access_lines_in_a_file_in_the_combined_form_and_a_rename_before_sighup",
    ),
    ("Telemetry.request_id_header", "config_keys::the_id_has_the_header_that_is_asked_for"),
    (
        "Telemetry.otlp_endpoint",
        "observability::a_clients_trace_goes_on_in_the_guest_and_reaches_the_collector",
    ),
    (
        "Telemetry.service_name",
        "observability::a_clients_trace_goes_on_in_the_guest_and_reaches_the_collector",
    ),
    ("Telemetry.trace_sample_ratio", "observability::traces_that_are_not_sampled_are_handed_on_and_not_sent"),
    ("Defaults.quotas", "key_quotas::quotas_of_tenants_that_say_nothing"),
    ("Tenant.hosts", "config_keys::a_tenant_may_route_the_hosts_that_are_its_own"),
    ("App.component", "config_keys::an_app_is_what_its_table_says"),
    ("App.name", "config_keys::an_app_is_what_its_table_says"),
    ("App.tenant", "config_keys::an_app_is_what_its_table_says"),
    ("App.routes", "routing::the_most_specific_path_has_it_and_prefixes_end_at_segments"),
    ("App.instances", "config_keys::an_app_is_what_its_table_says"),
    ("App.env", "config_keys::an_app_is_what_its_table_says"),
    ("App.secrets", "config_keys::secrets_are_for_the_guest_and_nobody_else"),
    ("App.allow", "config_keys::an_app_may_do_what_it_is_allowed"),
    ("App.outbound", "outbound_policy::the_grant_of_one_tenant_is_not_anothers"),
    ("App.outbound_tls", "outbound_tls::servers_are_judged_by_the_roots_of_the_app_or_else_of_the_host"),
    ("OutboundTls.roots", "outbound_tls::servers_are_judged_by_the_roots_of_the_app_or_else_of_the_host"),
    (
        "OutboundTls.certificate",
        "outbound_tls::an_app_shows_its_certificate_to_who_asks_and_another_has_none",
    ),
    ("OutboundTls.key", "outbound_tls::an_app_shows_its_certificate_to_who_asks_and_another_has_none"),
    ("App.limits", "key_app_limits::limits_of_an_app"),
    ("Route.host", "routing::hosts_exact_by_suffix_and_default"),
    ("Route.path", "routing::the_most_specific_path_has_it_and_prefixes_end_at_segments"),
    ("Route.methods", "routing::no_route_is_404_and_another_method_405_with_those_there_are"),
    ("Route.strip_prefix", "routing::a_prefix_that_is_stripped_is_not_seen"),
    ("SecretSource.env", "config_keys::secrets_are_for_the_guest_and_nobody_else"),
    ("SecretSource.file", "config_keys::secrets_are_for_the_guest_and_nobody_else"),
];

#[test]
fn every_key_is_shown_by_a_test() {
    let mut shown: BTreeMap<String, &str> = BTreeMap::new();
    let rows = IN_ROWS
        .iter()
        .flat_map(|(table, rows, test)| rows.iter().map(move |row| (format!("{table}.{}", row.key), *test)));
    for (key, test) in rows.chain(ELSEWHERE.iter().map(|(key, test)| ((*key).to_owned(), *test))) {
        assert!(is_test(test), "{test}, which is to show {key}, is no test");
        assert!(shown.insert(key.clone(), test).is_none(), "{key} is here twice");
    }
    let keys = keys_of_the_schema();
    assert!(keys.len() > 100, "{keys:?}");
    let shown: BTreeSet<_> = shown.into_keys().collect();
    let missing: Vec<_> = keys.difference(&shown).collect();
    assert!(missing.is_empty(), "shown by no test: {missing:?}");
    let extra: Vec<_> = shown.difference(&keys).collect();
    assert!(extra.is_empty(), "no keys: {extra:?}");
}

/// All keys, each as `TABLE.KEY`; the top of the file is a table without a
/// name.
fn keys_of_the_schema() -> BTreeSet<String> {
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    let schema: Value = serde_json::from_str(&Ran::of(command.arg("schema")).stdout).expect("it is JSON");
    let definitions = schema["$defs"].as_object().expect("the schema has definitions");
    let tables = definitions.iter().map(|(name, table)| (name.as_str(), table));
    let mut keys = BTreeSet::new();
    for (name, table) in tables.chain([("", &schema)]) {
        let properties = table["properties"].as_object().expect("a table has keys");
        keys.extend(properties.keys().map(|key| format!("{name}.{key}")));
    }
    keys
}

/// A host of exactly this file, and its folder: nothing is added to it.
struct Bare {
    folder: TempDir,
    process: Process,
    admin: Option<String>,
}

/// `{dir}` stands for the folder.
#[track_caller]
fn bare(toml: &str, environment: &[(&str, &str)]) -> Bare {
    let folder = tempfile::tempdir().expect("a folder");
    let misbehave = innkeeper_harness::guests::component("misbehave").expect("the guests can be built");
    let toml = toml
        .replace("{dir}", &folder.path().to_string_lossy())
        .replace("{guest:misbehave}", &misbehave.to_string_lossy());
    let path = folder.path().join("inn.toml");
    fs::write(&path, toml).expect("the folder can be written");
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    command.args(["serve", "--config"]).arg(&path).envs(environment.iter().copied());
    let process = Process::spawn(&mut command).expect("the host starts");
    let printed = |begin: &'static str| {
        move |lines: &[String]| lines.iter().find_map(|line| line.strip_prefix(begin).map(str::to_owned))
    };
    // It is the last to be printed, if there is one.
    let begin = if fs::read_to_string(&path).is_ok_and(|text| text.contains("[admin]")) {
        "administration on "
    } else {
        "listening on "
    };
    let line = process.wait_lines(Output::Stdout, DEADLINE, printed(begin));
    let line = line.unwrap_or_else(|error| panic!("{error:#}"));
    Bare { folder, process, admin: Some(line).filter(|_| begin.starts_with("admin")) }
}

impl Bare {
    fn connect(&self) -> Client {
        let lines = self.process.lines(Output::Stdout);
        Client::connect(lines.iter().find_map(|line| listening_on(line)).expect("it listens"))
    }

    /// Its log, once a line of it has this.
    #[track_caller]
    fn log_with(&self, wanted: &str) -> Vec<String> {
        let found = |lines: &[String]| lines.iter().any(|line| line.contains(wanted)).then(|| lines.to_vec());
        self.process.wait_lines(Output::Stderr, DEADLINE, found).unwrap_or_else(|error| panic!("{error:#}"))
    }
}

const LISTEN: &str = "listen = [\"127.0.0.1:0\"]\n";

#[test]
fn state_and_cache_are_where_they_are_said_to_be() {
    let started = |top: &str| bare(&format!("{LISTEN}{top}{}", app("one", "misbehave", "")), &[]);
    let has = |host: &Bare, path: &str| {
        fs::read_dir(host.folder.path().join(path)).is_ok_and(|mut entries| entries.next().is_some())
    };
    // The cache is in the state, if nothing is said.
    let host = started("state = \"kept/here\"\n");
    assert!(has(&host, "kept/here") && has(&host, "kept/here/cache"));
    let host = started("state = \"kept\"\ncache = \"compiled\"\n");
    assert!(has(&host, "kept") && has(&host, "compiled") && !has(&host, "kept/cache"));
    let host = started("state = \"kept\"\ncache = \"off\"\n");
    assert!(has(&host, "kept") && !has(&host, "kept/cache"));
    let host = started("cache = \"off\"\n");
    let entries = fs::read_dir(host.folder.path()).expect("the folder is there").count();
    assert_eq!(entries, 1, "without a state, there is the file and nothing else");
    assert_eq!(host.connect().ask(of("one", "/ok")).text(), "ok");
}

#[test]
fn the_administration_listens_and_has_its_token_where_it_is_said() {
    let started = |admin: &str| {
        let toml = format!("{LISTEN}state = \"state\"\n{}{admin}", app("one", "misbehave", ""));
        bare(&with_cache(&toml), &[])
    };
    let host = started("[admin]\nlisten = \"unix:{dir}/here.sock\"\n");
    let socket = host.folder.path().join("here.sock");
    assert_eq!(host.admin, Some(format!("unix:{}", socket.display())));
    let mode = |path: &str| {
        let metadata = fs::metadata(host.folder.path().join(path)).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("here.sock"), mode("state/admin-token")), (0o600, 0o600));
    let host = started("[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"mine\"\n");
    assert!(!host.folder.path().join("state/admin-token").exists());
    let token = fs::read_to_string(host.folder.path().join("mine")).expect("the token is there");
    let admin = host.admin.as_deref().and_then(|admin| admin.strip_prefix("http://")).unwrap_or_default();
    let status = |token: &str| {
        let head = format!("GET /v1/host HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        Client::connect(admin.parse().expect("an address")).ask(head).status()
    };
    assert_eq!((status(token.trim()), status("another")), (Some(200), Some(401)));
    // Without the table there is none.
    let host = started("");
    assert!(host.process.lines(Output::Stdout).iter().all(|line| !line.starts_with("administration")));
}

#[test]
fn the_log_has_the_form_and_the_lines_that_are_asked_for() {
    let logged = |log: &str| {
        let host = bare(&with_cache(&format!("{LISTEN}{}{log}", app("one", "misbehave", ""))), &[]);
        assert_eq!(host.connect().ask(of("one", "/trap")).status(), Some(500));
        host.log_with("the guest trapped")
    };
    let is_json = |line: &String| serde_json::from_str::<Value>(line).is_ok();
    let (text, json) = (logged("[log]\nformat = \"text\"\n"), logged("[log]\nformat = \"json\"\n"));
    assert!(json.iter().all(is_json) && !text.iter().any(is_json), "{text:?} {json:?}");
    // At `info` it tells what it serves, at `error` only what went wrong.
    let few = logged("[log]\nfilter = \"error\"\n");
    let tells = |lines: &[String]| lines.iter().any(|line| line.contains("serving"));
    assert!(tells(&text) && !tells(&few), "{few:?}");
    // Access lines are among the others, or not.
    let host = start(&format!("[log]\naccess = \"off\"\n{}", app("one", "misbehave", "")));
    ask(&host, "one", "/trap");
    let mut client = host.running.connect();
    client.ask(of("one", "/log?n=1"));
    client.ask(of("one", "/log?n=1"));
    host.running.wait_guest_line("line 1 of 1");
    assert!(host.running.logs().iter().all(|line| line.target != "access"));
}

#[test]
fn the_id_has_the_header_that_is_asked_for() {
    for (line, there, not_there) in [
        ("", "x-request-id", "x-trace"),
        ("[telemetry]\nrequest_id_header = \"X-Trace\"\n", "x-trace", "x-request-id"),
        ("[telemetry]\nrequest_id_header = \"off\"\n", "date", "x-request-id"),
    ] {
        let response = ask(&start(&(line.to_owned() + &app("one", "misbehave", ""))), "one", "/ok");
        assert!(response.header(there).is_some() && response.header(not_there).is_none(), "{line}");
    }
}

#[test]
fn a_drain_takes_as_long_as_it_may() {
    let host = start(&format!("[limits]\ndrain_timeout = \"300ms\"\n{}", app("one", "misbehave", "")));
    let mut client = host.running.connect();
    client.send(of("one", "/loop-after-head")).read_until("\r\n\r\n");
    crate::support::lasts(std::time::Duration::from_millis(300), || {
        let (_, exit) = host.stop();
        assert!(exit.logs.iter().any(|line| line.message == "stopped: 0 exchanges finished, 1 cut"));
    });
}

#[test]
fn tunnels_are_counted_and_earn_what_they_are_given() {
    let tunnels = |limits: &str, own: &str| {
        let script = serde_json::json!({
            "request": [],
            "upgrade": [["tunnel-write", crate::support::SWITCH], ["tunnel-echo"]],
        });
        let env = format!("env = {{ CASE_ON = {} }}\n{own}", serde_json::json!(script.to_string()));
        start(&format!("{limits}{}", app("one", "node-case+upgrade", &env)))
    };
    let open = |host: &ConfiguredHost| {
        let mut client = host.running.connect();
        client.send(crate::support::upgrade("/").replace("inn", "one.example") + "ping");
        client
    };
    let host = tunnels("[limits]\ntunnels_max = 1\n", "");
    let mut first = open(&host);
    first.read_until("ping");
    assert_eq!(open(&host).read_response().status(), Some(503));
    // A relay uses CPU time for each byte, and has little but what it earns.
    let relayed = |host: &ConfiguredHost| {
        let mut client = open(host);
        client.read_until("ping");
        let mut pieces = 0_u32;
        while pieces < 20_000 && client.try_send("x") && client.read_to("x") {
            pieces += 1;
        }
        pieces
    };
    let little = "cpu_time_max = \"20ms\"\ntunnel_cpu_per_second = \"1ms\"\n";
    let enough = "cpu_time_max = \"20ms\"\ntunnel_cpu_per_second = \"1s\"\n";
    let cut = relayed(&tunnels(&format!("[limits]\n{little}"), ""));
    assert!(cut < 20_000, "{cut}");
    assert_eq!(relayed(&tunnels(&format!("[limits]\n{enough}"), "")), 20_000);
    // An app's own goes before the host's.
    let cut = relayed(&tunnels(&format!("[limits]\n{enough}"), &format!("[app.limits]\n{little}")));
    assert!(cut < 20_000, "{cut}");
}

#[test]
fn a_tenant_may_route_the_hosts_that_are_its_own() {
    let hosts = "hosts = [\"mine.example\", \"*.mine.example\"]\n";
    for (line, expected) in [(hosts, [200, 200, 403]), ("", [403, 403, 403])] {
        let host = start(&format!("[tenant.one]\n{line}{}", app("one", "misbehave", "")));
        let (_, made) = host.api("POST", "/v1/tokens", r#"{ "tenant": "one" }"#);
        let token = made["token"].as_str().expect("a token is text");
        let put = |name: &str| {
            let spec =
                format!(r#"{{ "name": "more", "tenant": "one", "routes": [{{ "host": "{name}" }}] }}"#);
            host.api_as(token, "PUT", "/v1/apps", spec).0
        };
        assert_eq!(["mine.example", "a.mine.example", "yours.example"].map(put), expected, "{line}");
    }
}

#[test]
fn an_app_is_what_its_table_says() {
    let all = "routes = [{ host = \"*\" }]\n";
    let toml = |name: &str, guest: &str, more: &str| routed(name, guest, &format!("{all}{more}"));
    let host =
        start(&toml("one", "misbehave", "tenant = \"acme\"\ninstances = \"pooled\"\nenv = { A = \"b\" }\n"));
    let view = |host: &ConfiguredHost| {
        let apps = host.api("GET", "/v1/apps", "").1;
        (apps[0]["name"].clone(), apps[0]["tenant"].clone())
    };
    assert_eq!(view(&host), (Value::from("one"), Value::from("acme")));
    let mut client = host.running.connect();
    assert_eq!(client.ask(of("any", "/env?A")).text(), "b");
    let counts: Vec<_> = (0..2).map(|_| client.ask(of("any", "/counter")).text()).collect();
    assert_eq!(counts, ["1", "2"]);
    let line = host.running.wait_log(|line| line.target == "access");
    assert_eq!((line.field("app").as_deref(), line.field("tenant").as_deref()), (Some("one"), Some("acme")));
    // Other values of the same keys.
    let host = start(&toml("two", "misbehave", ""));
    assert_eq!(view(&host), (Value::from("two"), Value::from("two")));
    let mut client = host.running.connect();
    assert_eq!(client.ask(of("any", "/env?A")).text(), "none");
    let counts: Vec<_> = (0..2).map(|_| client.ask(of("any", "/counter")).text()).collect();
    assert_eq!(counts, ["1", "1"]);
    let host = start(&toml("two", "hello", ""));
    assert_ne!(ask(&host, "any", "/env?A").text(), "none");
}

#[test]
fn secrets_are_for_the_guest_and_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    fs::write(&file, "from-a-file\n").expect("the folder can be written");
    let secrets = format!(
        "secrets = {{ A = {{ env = \"INN_SECRET\" }}, B = {{ file = {:?} }} }}\n",
        file.display().to_string()
    );
    let toml = format!(
        "{LISTEN}state = \"state\"\n{}[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nfilter = \"trace\"\n",
        app("one", "misbehave", &secrets)
    );
    let host = bare(&with_cache(&toml), &[("INN_SECRET", "from-the-environment")]);
    let mut client = host.connect();
    assert_eq!(client.ask(of("one", "/env?A")).text(), "from-the-environment");
    assert_eq!(client.ask(of("one", "/env?B")).text(), "from-a-file");
    // The host's own environment is not the guest's.
    assert_eq!(client.ask(of("one", "/env?INN_SECRET")).text(), "none");
    assert_eq!(client.ask(of("one", "/trap")).status(), Some(500));
    let log = host.log_with("the guest trapped").join("\n");
    let token = fs::read_to_string(host.folder.path().join("state/admin-token")).expect("the token is there");
    let admin = host.admin.as_deref().and_then(|admin| admin.strip_prefix("http://")).unwrap_or_default();
    let ask = |path: &str| {
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", token.trim());
        Client::connect(admin.parse().expect("an address")).ask(head).text()
    };
    for shown in [log, ask("/v1/apps"), ask("/v1/apps/one"), ask("/metrics"), ask("/v1/apps/one/history")] {
        assert!(!shown.contains("from-a-file") && !shown.contains("from-the-environment"), "{shown}");
    }
}

#[test]
fn an_app_may_do_what_it_is_allowed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let target = format!("/tcp?{address}");
    for (allow, told) in
        [(format!("allow = [\"tcp={address}\"]\n"), "connected"), (String::new(), "PermissionDenied")]
    {
        assert_eq!(ask(&start(&app("one", "tunnels", &allow)), "one", &target).text(), told);
    }
    let allow = "allow = [\"dir={dir}:/\"]\n";
    for (allow, told) in [(allow, "ok: "), ("", "error: ")] {
        let listed = ask(&start(&app("one", "misbehave", allow)), "one", "/fs").text();
        assert!(listed.starts_with(told), "{listed}");
    }
}
