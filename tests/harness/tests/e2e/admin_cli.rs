//! The command line that administers a host: each command against a real one,
//! in words, as JSON, and with what it says when it cannot.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use innkeeper_harness::configured::{ConfiguredHost, Ran};
use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::Server;
use innkeeper_harness::{DEADLINE, golden, guests, workspace};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::get;

/// An app of the file, and one whose versions are deployed.
const APPS: &str = r#"
[tenant.acme]
hosts = ["acme.example"]

[[app]]
name = "fixed"
component = "{guest:misbehave}"
routes = [{ host = "fixed.example" }]

[[app]]
name = "shop"
tenant = "acme"
routes = [{ host = "acme.example" }]
"#;

fn host() -> ConfiguredHost {
    Server::configured(APPS)
}

fn guest(name: &str) -> String {
    guests::component(name).expect("the guests can be built").to_string_lossy().into_owned()
}

/// What it printed, if it did what it was to do.
#[track_caller]
fn done(ran: Ran) -> String {
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// What it said, if it could not do it.
#[track_caller]
fn failed(ran: Ran) -> String {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    ran.stderr
}

/// The JSON documents that it printed, one a line.
#[track_caller]
fn documents(ran: Ran) -> Vec<Value> {
    assert_eq!(ran.stderr, "");
    done(ran).lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Whether some line has these words in this order, between spaces.
fn has_row(table: &str, cells: &[&str]) -> bool {
    table.lines().any(|line| {
        let mut words = line.split_whitespace();
        cells.iter().all(|cell| words.any(|word| word == *cell))
    })
}

/// A token for the tenant of `shop`.
#[track_caller]
fn token_of_acme(host: &ConfiguredHost) -> String {
    done(host.innkeeper(&["token", "make", "--tenant", "acme"])).trim().to_owned()
}

#[test]
fn help_of_each() {
    for name in [
        "deploy",
        "activate",
        "rollback",
        "apps",
        "delete",
        "tenants",
        "quota",
        "logs",
        "top",
        "exchanges",
        "cut",
        "drain",
        "token",
        "token-make",
        "token-list",
        "token-revoke",
        "openapi",
    ] {
        let mut command = innkeeper();
        let help = done(Ran::of(command.args(name.split('-')).arg("--help")));
        golden::check(&format!("tests/harness/golden/help-{name}.txt"), &help);
    }
}

#[test]
fn the_openapi_document_is_current() {
    let document = done(Ran::of(innkeeper().arg("openapi")));
    golden::check("docs/openapi.json", &document);
    // And it is what a host tells.
    let host = host();
    let told = host.api("GET", "/openapi.json", "").1;
    assert_eq!(serde_json::from_str::<Value>(&document).expect("it is JSON"), told);
}

/// The program, told nothing.
#[track_caller]
fn innkeeper() -> Command {
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    command.env("COLUMNS", "100");
    for name in ["INNKEEPER_ADMIN", "INNKEEPER_TOKEN", "INNKEEPER_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn deploy_activate_roll_back() {
    let host = host();
    let (hello, echo) = (guest("hello"), guest("echo-stream"));
    let first = host.innkeeper(&["deploy", "shop", &hello, "--note", "the first"]);
    let stages: Vec<_> = first.stderr.lines().skip(1).map(str::to_owned).collect();
    assert!(first.stderr.starts_with(&format!("uploading {hello} (")), "{}", first.stderr);
    assert_eq!(stages, ["compiling", "recording", "activating"]);
    assert_eq!(done(first), "shop: version 1 serves all requests\n");
    let request = "GET /a HTTP/1.1\r\nHost: acme.example\r\n\r\n";
    assert_eq!(host.running.connect().ask(request).text(), "Hello world\n");

    let left = done(host.innkeeper(&["deploy", "shop", &echo, "--no-activate"]));
    assert_eq!(left, "shop: version 2 is deployed; `innkeeper activate shop 2` has it serve\n");
    let canary = ["activate", "shop", "2", "--canary", "10", "--error-rate-max", "0.5"];
    assert_eq!(done(host.innkeeper(&canary)), "shop: version 2 serves 10 % of the requests\n");
    assert_eq!(host.api("GET", "/v1/apps/shop", "").1["canary"]["error_rate_max"], 0.5);
    let shown = done(host.innkeeper(&["apps"]));
    assert!(has_row(&shown, &["shop", "acme", "1", "2", "(10", "0", "0)", "closed"]), "{shown}");
    // The end of a canary, then a step forth and back.
    assert_eq!(done(host.innkeeper(&["rollback", "shop"])), "shop: version 1 serves all requests\n");
    assert_eq!(done(host.innkeeper(&["activate", "shop", "2"])), "shop: version 2 serves all requests\n");
    let back = documents(host.innkeeper(&["rollback", "shop", "--json"]));
    assert_eq!(back, [json!({ "version": 1 })]);
    let whole = documents(host.innkeeper(&["activate", "shop", "2", "--json"]));
    assert_eq!(whole[0]["current"]["number"], 2);

    let canary = documents(host.innkeeper(&["deploy", "shop", &hello, "--canary", "25", "--json"]));
    let stages: Vec<_> = canary.iter().map(|line| line["stage"].as_str().unwrap_or_default()).collect();
    assert_eq!(stages, ["uploaded", "compiling", "recording", "activating", "done"]);
    assert_eq!(host.api("GET", "/v1/apps/shop", "").1["canary"]["weight_percent"], 25);

    let shown = done(host.innkeeper(&["apps", "shop"]));
    assert!(has_row(&shown, &["1", "operator", "the", "first"]), "{shown}");
    assert!(has_row(&shown, &["2", "current"]) && has_row(&shown, &["3", "canary"]), "{shown}");
    assert!(has_row(&shown, &["operator", "rolled-back", "version"]), "{shown}");
    let shown = documents(host.innkeeper(&["apps", "shop", "--json"]));
    let paths = ["/v1/apps/shop", "/v1/apps/shop/versions", "/v1/apps/shop/history"];
    assert_eq!(shown, paths.map(|path| host.api("GET", path, "").1));
    assert_eq!(documents(host.innkeeper(&["apps", "--json"])), [host.api("GET", "/v1/apps", "").1]);
}

#[test]
fn what_cannot_be_deployed() {
    let host = host();
    let path = |name: &str, bytes: &[u8]| {
        let path = host.directory.path().join(name);
        fs::write(&path, bytes).expect("the folder can be written");
        path.to_string_lossy().into_owned()
    };
    let module = path("module.wasm", &wat::parse_str("(module)").expect("it is a module"));
    let said = failed(host.innkeeper(&["deploy", "shop", &module]));
    assert!(said.contains("module.wasm is a core WebAssembly module, not a component"), "{said}");
    let said = failed(host.innkeeper(&["deploy", "shop", &path("text.wasm", b"text")]));
    assert!(said.contains("text.wasm is not WebAssembly"), "{said}");
    // What only the host can tell.
    let empty = path("empty.wasm", &wat::parse_str("(component)").expect("it is a component"));
    let ran = host.innkeeper(&["deploy", "shop", &empty]);
    let said = failed(ran);
    assert!(said.contains("error: not deployed: ") && said.contains("innkeeper:http/handler"), "{said}");
    let ran = host.innkeeper(&["deploy", "shop", &empty, "--json"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.lines().last().is_some_and(|line| line.contains("\"failed\"")), "{}", ran.stdout);
    assert_eq!(host.api("GET", "/v1/apps/shop/versions", "").1, json!([]));

    let hello = guest("hello");
    let said = failed(host.innkeeper(&["deploy", "nobody", &hello]));
    assert_eq!(said, "error: there is no app nobody\n");
    done(host.innkeeper(&["deploy", "shop", &hello]));
    let said = failed(host.innkeeper(&["activate", "shop", "7"]));
    assert!(said.contains("app shop has no version 7"), "{said}");
    let said = failed(host.innkeeper(&["rollback", "shop"]));
    assert_eq!(said, "error: app shop has no version before this one\n");
    let ran = host.innkeeper(&["deploy", "shop", &hello, "--canary", "0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let ran = host.innkeeper(&["deploy", "shop", &hello, "--error-rate-max", "0.1"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn an_app_of_a_specification_and_its_end() {
    let host = host();
    let hello = guest("hello");
    let spec = |name: &str, text: &str| {
        let path = host.directory.path().join(name);
        fs::write(&path, text).expect("the folder can be written");
        path.to_string_lossy().into_owned()
    };
    let toml = spec("blog.toml", "tenant = \"acme\"\nroutes = [{ host = \"blog.example\" }]\n");
    let deployed = done(host.innkeeper(&["deploy", "blog", &hello, "--spec", &toml]));
    assert_eq!(deployed, "blog: version 1 serves all requests\n");
    let request = "GET /x HTTP/1.1\r\nHost: blog.example\r\n\r\n";
    assert_eq!(host.running.connect().ask(request).status(), Some(200));
    let json =
        spec("blog.json", r#"{ "name": "blog", "routes": [{ "host": "b.example" }], "tenant": "acme" }"#);
    done(host.innkeeper(&["deploy", "blog", &hello, "--spec", &json]));
    assert!(has_row(&done(host.innkeeper(&["apps", "blog"])), &["blog", "acme", "deployed", "2"]));
    assert_eq!(host.running.connect().ask(request).status(), Some(404));

    let other = spec("other.toml", "name = \"other\"\n");
    let said = failed(host.innkeeper(&["deploy", "blog", &hello, "--spec", &other]));
    assert!(said.contains("other.toml describes app other, not blog"), "{said}");
    let said =
        failed(host.innkeeper(&["deploy", "blog", &hello, "--spec", &spec("bad.toml", "colour = 1\n")]));
    assert!(said.contains("bad.toml describes no app") && said.contains("colour"), "{said}");

    let said = failed(host.innkeeper(&["delete", "blog"]));
    assert!(said.contains("say --yes to delete blog"), "{said}");
    assert_eq!(done(host.innkeeper(&["delete", "blog", "--yes"])), "blog: deleted\n");
    let said = failed(host.innkeeper(&["delete", "blog", "--yes"]));
    assert_eq!(said, "error: there is no app blog\n");
    let said = failed(host.innkeeper(&["delete", "fixed", "--yes"]));
    assert!(said.contains("the configuration file's"), "{said}");
}

#[test]
fn tenants_and_their_quotas() {
    let host = host();
    let changed = done(host.innkeeper(&["quota", "acme", "exchanges_max=7", "memory_bytes_max=1GiB"]));
    assert!(has_row(&changed, &["acme", "0/7", "GiB"]), "{changed}");
    assert_eq!(documents(host.innkeeper(&["tenants", "--json"])), [host.api("GET", "/v1/tenants", "").1]);
    let one = documents(host.innkeeper(&["tenants", "acme", "--json"]));
    assert_eq!((&one[0]["exchanges"]["max"], &one[0]["memory_bytes"]["max"]), (&json!(7), &json!(1 << 30)));
    let all = done(host.innkeeper(&["tenants"]));
    assert!(has_row(&all, &["acme", "acme.example"]) && has_row(&all, &["fixed"]), "{all}");
    let reset = documents(host.innkeeper(&["quota", "acme", "--reset", "--json"]));
    assert_ne!(reset[0]["exchanges"]["max"], 7);

    let said = failed(host.innkeeper(&["quota", "acme", "exchange_max=7"]));
    assert!(said.contains("no such quota") && said.contains("exchanges_max"), "{said}");
    let said = failed(host.innkeeper(&["quota", "nobody", "exchanges_max=7"]));
    assert!(said.contains("there is no tenant nobody"), "{said}");
    let said = failed(host.innkeeper(&["tenants", "nobody"]));
    assert_eq!(said, "error: there is no tenant nobody\n");
}

#[test]
fn tokens_and_what_a_tenant_sees() {
    let host = host();
    let ran = host.innkeeper(&["token", "make", "--tenant", "acme", "--label", "for CI"]);
    let token = done(ran).trim().to_owned();
    let list = documents(host.innkeeper(&["token", "list", "--json"]));
    let id = list[0][0]["id"].as_str().expect("a token has an id");
    let shown = done(host.innkeeper(&["token", "list"]));
    assert!(has_row(&shown, &[id, "tenant", "acme", "for", "CI"]) && !shown.contains(&token), "{shown}");

    let apps = done(host.innkeeper_as(&token, &["apps"]));
    assert!(has_row(&apps, &["shop", "acme"]) && !apps.contains("fixed"), "{apps}");
    let tenants = done(host.innkeeper_as(&token, &["tenants"]));
    assert!(has_row(&tenants, &["acme"]) && !tenants.contains("fixed"), "{tenants}");
    assert!(!done(host.innkeeper_as(&token, &["top", "--once", "--interval", "1ms"])).contains("innkeeper"));
    done(host.innkeeper_as(&token, &["deploy", "shop", &guest("hello")]));
    assert_eq!(failed(host.innkeeper_as(&token, &["logs", "fixed"])), "error: there is no app fixed\n");
    for args in [&["drain"][..], &["token", "list"], &["quota", "acme", "exchanges_max=7"]] {
        assert_eq!(failed(host.innkeeper_as(&token, args)), "error: this is for the operator's token\n");
    }

    assert_eq!(done(host.innkeeper(&["token", "revoke", id])), format!("token {id} is revoked\n"));
    let said = failed(host.innkeeper_as(&token, &["apps"]));
    assert!(said.contains("does not take the token of INNKEEPER_TOKEN: this token opens nothing"), "{said}");
    assert!(failed(host.innkeeper(&["token", "revoke", id])).contains("there is no token"));
    let made = documents(host.innkeeper(&["token", "make", "--json"]));
    assert_eq!(made[0]["record"]["tenant"], Value::Null);
}

#[test]
fn which_host_and_which_token() {
    let host = Server::configured(&(APPS.to_owned() + "\n[admin]\nlisten = \"127.0.0.1:0\"\n"));
    let file = host.directory.path().join("state/admin-token").to_string_lossy().into_owned();
    // Flags alone, over TCP; then the environment; then the configuration.
    let mut command = innkeeper();
    done(Ran::of(command.args(["apps", "--admin", &host.admin, "--token-file", &file])));
    let mut command = innkeeper();
    done(Ran::of(command.arg("apps").env("INNKEEPER_ADMIN", &host.admin).env("INNKEEPER_TOKEN_FILE", &file)));
    let said = failed(Ran::of(innkeeper().args(["apps", "--admin", &host.admin])));
    assert!(said.contains("there is no token") && said.contains("--token-file"), "{said}");
    let mut command = innkeeper();
    let said = failed(Ran::of(command.args([
        "apps",
        "--admin",
        &host.admin,
        "--token-file",
        &host.config().to_string_lossy(),
    ])));
    assert!(said.contains("innkeeper.toml has something else than one token"), "{said}");
    let wrong = host.directory.path().join("wrong");
    fs::write(&wrong, "wrong\n").expect("the folder can be written");
    let mut command = innkeeper();
    let said = failed(Ran::of(command.args(["apps", "--admin", &host.admin, "--token-file"]).arg(&wrong)));
    let source = format!("does not take the token of {}: ", wrong.display());
    assert!(said.contains(&source), "the token's source is not named: {said}");

    let on_unix = Server::configured(APPS);
    let config = on_unix.config().to_string_lossy().into_owned();
    // What the flag says goes before the environment, which names the other.
    let ran = Ran::of(host.command().args(["apps", "fixed", "--json", "--config", &config]));
    done(ran);
    let said = failed(Ran::of(innkeeper().args(["apps", "--config", "no/such.toml"])));
    assert!(said.contains("no/such.toml"), "{said}");
    let (directory, _) = on_unix.stop();
    let said = failed(Ran::of(innkeeper().args(["apps", "--config", &config])));
    let socket = format!("unix:{}/admin.sock", directory.path().display());
    assert!(said.contains(&format!("cannot reach a host at {socket}: ")), "{said}");
    assert!(said.contains("start the host, or name its address with --admin"), "{said}");
    let said = failed(Ran::of(
        innkeeper().args(["apps", "--admin", "http://127.0.0.1:1"]).env("INNKEEPER_TOKEN", "x"),
    ));
    assert!(said.contains("http://127.0.0.1:1: Connection refused"), "{said}");
}

#[test]
fn logs_of_the_past_and_of_what_comes() {
    let host = host();
    let log = "GET /log?n=3 HTTP/1.1\r\nHost: fixed.example\r\n\r\n";
    host.running.connect().ask(log);
    host.running.wait_guest_line("line 3 of 3");
    let past = done(host.innkeeper(&["logs", "fixed", "--lines", "2"]));
    let lines: Vec<_> = past.lines().collect();
    assert_eq!(lines.len(), 2, "{past}");
    assert!(lines[0].contains(" stdout ") && lines[0].ends_with(" line 2 of 3"), "{past}");
    let raw = documents(host.innkeeper(&["logs", "fixed", "--json"]));
    let texts: Vec<_> = raw.iter().map(|line| line["text"].as_str().unwrap_or_default()).collect();
    assert_eq!(texts, ["line 1 of 3", "line 2 of 3", "line 3 of 3"]);

    let mut follower = Process::spawn(host.command().args(["logs", "fixed", "--follow", "--lines", "1"]))
        .expect("it starts");
    wait_line(&follower, Output::Stdout, "line 3 of 3");
    host.running.connect().ask("GET /log?n=1 HTTP/1.1\r\nHost: fixed.example\r\n\r\n");
    wait_line(&follower, Output::Stdout, "line 1 of 1");
    // Over a restart.
    let (directory, _) = host.stop();
    wait_line(&follower, Output::Stderr, "the host has gone away");
    let host = ConfiguredHost::start_in(directory, APPS).expect("it starts again");
    wait_line(&follower, Output::Stderr, "the host is back");
    host.running.connect().ask("GET /log?n=2 HTTP/1.1\r\nHost: fixed.example\r\n\r\n");
    wait_line(&follower, Output::Stdout, "line 2 of 2");
    assert_eq!(follower.lines(Output::Stdout).len(), 4);
    follower.signal(Signal::INT).expect("it still runs");
    assert!(follower.wait_exit(DEADLINE).expect("it ends").success());
}

#[track_caller]
fn wait_line(process: &Process, output: Output, part: &str) {
    let found = |lines: &[String]| lines.iter().any(|line| line.contains(part)).then_some(());
    process.wait_lines(output, DEADLINE, found).expect("the line comes");
}

#[test]
fn a_closed_standard_output_ends_quietly() {
    let host = host();
    host.running.connect().ask("GET /log?n=1 HTTP/1.1\r\nHost: fixed.example\r\n\r\n");
    host.running.wait_guest_line("line 1 of 1");
    let mut command = host.command();
    command.args(["logs", "fixed", "--follow"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("its output is piped"));
    out.read_line(&mut first).expect("it prints");
    assert!(first.ends_with("line 1 of 1\n"), "{first}");
    drop(out);
    host.running.connect().ask("GET /log?n=1 HTTP/1.1\r\nHost: fixed.example\r\n\r\n");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn what_is_in_flight_and_cutting_it() {
    let host = host();
    let mut client = host.running.connect();
    client.send("GET /sleep-forever HTTP/1.1\r\nHost: fixed.example\r\n\r\n");
    let mut other = host.running.connect();
    other.send("GET /sleep-forever HTTP/1.1\r\nHost: fixed.example\r\n\r\n");
    let exchanges = loop {
        let listed = documents(host.innkeeper(&["exchanges", "--app", "fixed", "--json"])).remove(0);
        if listed.as_array().is_some_and(|list| list.len() == 2) {
            break listed;
        }
    };
    let number = |index: usize, key: &str| exchanges[index][key].to_string();
    let shown = done(host.innkeeper(&["exchanges"]));
    assert!(has_row(&shown, &[&number(0, "id"), &number(0, "connection"), "fixed", "GET", "/sleep-forever"]));
    assert!(!done(host.innkeeper(&["exchanges", "--app", "shop"])).contains("fixed"));
    let said = done(host.innkeeper(&["top", "--once", "--interval", "1ms"]));
    assert!(said.starts_with("innkeeper ") && said.contains("exchanges 2/"), "{said}");

    let cut = done(host.innkeeper(&["cut", "exchange", &number(0, "id")]));
    assert_eq!(cut, format!("connection {} is cut\n", number(0, "connection")));
    client.read_to_end();
    let cut = documents(host.innkeeper(&["cut", "connection", &number(1, "connection"), "--json"]));
    assert_eq!(cut, [json!({ "connection": exchanges[1]["connection"] })]);
    other.read_to_end();
    let said = failed(host.innkeeper(&["cut", "exchange", "999999"]));
    assert!(said.contains("there is no exchange 999999"), "{said}");
}

#[test]
fn top_without_a_terminal_is_one_table() {
    let host = host();
    for _ in 0..3 {
        host.running.connect().ask(get("/ok").replace("inn", "fixed.example"));
    }
    let top = done(host.innkeeper(&["top", "--interval", "10ms"]));
    assert!(top.contains("REQ/S") && has_row(&top, &["fixed", "0"]), "{top}");
    let raw = documents(host.innkeeper(&["top", "--json"]));
    let fixed = raw[0]["versions"].as_array().expect("a list").iter().find(|row| row["app"] == "fixed");
    assert_eq!(fixed.map(|row| &row["answers"][1]), Some(&json!(3)));
    let ran = host.innkeeper(&["top", "--interval", "0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn drain_and_wait_for_the_end() {
    let host = host();
    let token = token_of_acme(&host);
    assert_eq!(failed(host.innkeeper_as(&token, &["drain"])), "error: this is for the operator's token\n");
    let drained = done(host.innkeeper(&["drain", "--wait"]));
    assert_eq!(drained, "draining: 0 exchanges in flight, 0 waiting\nthe host has ended\n");
    let socket = host.directory.path().join("admin.sock");
    assert!(!socket.exists());
    assert!(host.running.wait_exit(DEADLINE).status.success());
}

#[test]
fn the_harness_reaches_a_configured_host() {
    let host = host();
    let (status, apps) = host.api("GET", "/v1/apps/fixed", "");
    assert_eq!((status, &apps["name"]), (200, &json!("fixed")));
    assert_eq!(host.api_as("wrong", "GET", "/v1/apps", "").0, 401);
    host.rewrite(&APPS.replace("\"fixed\"", "\"again\""));
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    assert_eq!(host.api("GET", "/v1/apps/again", "").0, 200);
    host.rewrite("nonsense");
    assert!(!ConfiguredHost::is_in_effect(&host.reload()));
    let (directory, exit) = host.stop();
    assert!(exit.status.success());
    let host = ConfiguredHost::start_in(directory, APPS).expect("it starts again");
    assert_eq!(host.api("GET", "/v1/apps/fixed", "").0, 200);
}
