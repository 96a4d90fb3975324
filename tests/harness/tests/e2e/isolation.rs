//! Two tenants on one host, each with a token: what is the other's can neither
//! be read nor changed, and nothing of it shows in what is refused. And without
//! a token there is nothing at all.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use innkeeper_harness::configured::{ConfiguredHost, Ran};
use innkeeper_harness::process::Output;
use innkeeper_harness::{message, workspace};
use serde_json::{Value, json};

use crate::deployment::{admin_stream, version};

/// Words of the other tenant, of which none may ever be told: its name, its
/// app's, its host's, what its app prints and what it holds.
const FOREIGN: [&str; 6] = ["acme", "till", "acme.example", "walrus-env", "walrus-secret", "walrus-url"];

const CONFIG: &str = r#"
[tenant.acme]
hosts = ["acme.example"]
exchanges_max = 7

[tenant.evil]
hosts = ["evil.example", "*.evil.example"]

[[app]]
name = "till"
tenant = "acme"
component = "{guest:misbehave}"
routes = [{ host = "acme.example" }]
env = { PLAIN = "walrus-env" }
secrets = { KEY = { file = "{dir}/key" } }

[[app]]
name = "toy"
tenant = "evil"
component = "{guest:misbehave}"
routes = [{ host = "evil.example" }]
env = { OWN = "own-env" }
"#;

/// A host with both tenants, and the token of the second.
fn start() -> (ConfiguredHost, String) {
    let directory = tempfile::tempdir().expect("a folder");
    fs::write(directory.path().join("key"), "walrus-secret\n").expect("the folder can be written");
    let host = ConfiguredHost::start_in(directory, CONFIG).expect("it starts");
    let token = token(&host, Some("evil"));
    (host, token)
}

/// A new token.
fn token(host: &ConfiguredHost, tenant: Option<&str>) -> String {
    let (status, made) =
        host.api("POST", "/v1/tokens", json!({ "tenant": tenant, "label": "x" }).to_string());
    assert_eq!(status, 201, "{made}");
    made["token"].as_str().expect("a token is a text").to_owned()
}

/// What an app of this host answers.
#[track_caller]
fn told(host: &ConfiguredHost, name: &str, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {name}\r\n\r\n");
    host.running.connect().ask(request).text()
}

/// Nothing of the other tenant is in a text, beside what was asked for.
#[track_caller]
fn assert_tells_nothing(text: &str, asked: &str) {
    let asked = asked.to_lowercase();
    for word in FOREIGN.iter().filter(|word| !asked.contains(**word)) {
        assert!(!text.contains(word), "{asked} tells {word}: {text}");
    }
}

#[test]
fn what_is_anothers_is_not_there() {
    let (host, token) = start();
    // An exchange of the other is in flight, and it has printed something.
    let mut client = host.running.connect();
    client.send("GET /sleep-forever?walrus-url HTTP/1.1\r\nHost: acme.example\r\n\r\n");
    told(&host, "acme.example", "/log?n=1");
    let exchange = loop {
        let (_, exchanges) = host.api("GET", "/v1/exchanges", "");
        if let Some(id) = exchanges[0]["id"].as_u64() {
            break id;
        }
    };
    let connection = host.api("GET", "/v1/connections", "").1[0]["id"].clone();

    // What there is for all shows its own, and no word of the other's.
    for (path, own) in [
        ("/v1/apps", "toy"),
        ("/v1/tenants", "evil"),
        ("/v1/top", "toy"),
        ("/metrics", "toy"),
        ("/v1/exchanges", "[]"),
    ] {
        let (status, answer) = host.api_as(&token, "GET", path, "");
        let text = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        assert_eq!(status, 200, "{path}: {text}");
        assert!(text.contains(own), "{path}: {text}");
        assert_tells_nothing(&text, path);
        let (_, all) = host.api("GET", path, "");
        let all = all.as_str().map_or_else(|| all.to_string(), str::to_owned);
        assert!(all.contains("acme"), "the operator sees it: {path}: {all}");
    }
    assert_eq!(host.api_as(&token, "GET", "/v1/top", "").1["host"], Value::Null);
    let by_name = host.api_as(&token, "GET", "/v1/exchanges?app=till", "");
    assert_eq!(by_name, (200, json!([])));

    // What has a name is not there, or not for it.
    let quotas = r#"{ "exchanges_max": 1 }"#;
    let component = version(None);
    let exchange = format!("/v1/exchanges/{exchange}");
    let connection = format!("/v1/connections/{connection}");
    for (method, path, body, expected) in [
        ("GET", "/v1/apps/till", "", 404),
        ("DELETE", "/v1/apps/till", "", 404),
        ("GET", "/v1/apps/till/history", "", 404),
        ("GET", "/v1/apps/till/versions", "", 404),
        ("POST", "/v1/apps/till/versions/1/activate", "{}", 404),
        ("POST", "/v1/apps/till/rollback", "", 404),
        ("GET", "/v1/apps/till/logs", "", 404),
        ("GET", "/v1/apps/till/logs?follow=true", "", 404),
        ("GET", "/v1/tenants/acme", "", 404),
        ("PUT", "/v1/tenants/acme/quotas", quotas, 403),
        ("PUT", "/v1/tenants/evil/quotas", quotas, 403),
        ("DELETE", &exchange, "", 404),
        ("GET", "/v1/connections", "", 403),
        ("DELETE", &connection, "", 403),
        ("GET", "/v1/host", "", 403),
        ("POST", "/v1/drain", "", 403),
        ("GET", "/v1/tokens", "", 403),
        ("POST", "/v1/tokens", r#"{ "tenant": "evil" }"#, 403),
        ("DELETE", "/v1/tokens/00000000", "", 403),
    ] {
        let (status, answer) = host.api_as(&token, method, path, body);
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert_tells_nothing(&answer.to_string(), path);
        // One that there is not is refused in the same words.
        if expected == 404 && path.contains("till") {
            let (status, other) = host.api_as(&token, method, &path.replace("till", "none"), body);
            assert_eq!((status, other.to_string().replace("none", "till")), (404, answer.to_string()));
        }
    }
    let (status, answer) = host.api_as(&token, "POST", "/v1/apps/till/versions", &component);
    assert_eq!(status, 404, "{answer}");
    // Nothing has happened to any of it.
    assert_eq!(host.api("GET", "/v1/tenants/acme", "").1["exchanges"], json!({ "used": 1, "max": 7 }));
    assert!(host.api("GET", "/v1/exchanges", "").1.to_string().contains("walrus-url"));
}

#[test]
fn what_a_tenant_may_not_ask_for() {
    let (host, token) = start();
    let spec = |more: Value| {
        let mut spec = json!({ "name": "mine", "tenant": "evil", "routes": [{ "host": "a.evil.example" }] });
        let fields = more.as_object().expect("fields").clone();
        spec.as_object_mut().expect("fields").extend(fields);
        spec.to_string()
    };
    for (more, status) in [
        (json!({ "tenant": "acme" }), 403),
        (json!({ "tenant": "nobody" }), 403),
        (json!({ "name": "till" }), 403),
        (json!({ "name": "toy" }), 409),
        (json!({ "routes": [{ "host": "acme.example" }] }), 403),
        (json!({ "routes": [{ "host": "a.evil.example" }, { "host": "b.acme.example" }] }), 403),
        (json!({ "routes": [{ "host": "ACME.example.", "path": "/x/*" }] }), 403),
        (json!({ "routes": [{ "path": "/x" }] }), 403),
        (json!({ "routes": [{ "host": "*" }] }), 403),
        (json!({ "routes": [{ "host": "*.example" }] }), 403),
        (json!({ "routes": [{ "host": "*.evil.example" }] }), 200),
        (json!({ "limits": { "cpu_time_max": "off" } }), 403),
        (json!({ "limits": { "request_body_bytes_max": "1TiB" } }), 403),
        (json!({ "limits": { "cpu_time_max": "1s" } }), 200),
        (json!({ "allow": ["server-control"] }), 403),
        (json!({ "outbound": ["https://api.example"] }), 403),
        (json!({ "outbound_tls": { "key": "/etc/shadow" } }), 403),
        (json!({ "limits": { "outbound_requests_max": 1_000_000 } }), 403),
        (json!({ "allow": ["dir=/etc:/etc"] }), 403),
        (json!({ "allow": ["dir=/no/such/folder:/x"] }), 403),
        (json!({ "secrets": { "KEY": { "env": "HOME" } } }), 403),
        (json!({ "secrets": { "KEY": { "file": "/etc/passwd" } } }), 403),
        (json!({ "secrets": { "KEY": { "file": "/no/such/file" } } }), 403),
    ] {
        let body = spec(more);
        let (found, answer) = host.api_as(&token, "PUT", "/v1/apps", &body);
        assert_eq!(found, status, "{body}: {answer}");
        assert_tells_nothing(&answer.to_string(), &body);
    }
    // What a path is or is not shows in no answer.
    let file = |path: &str| spec(json!({ "secrets": { "KEY": { "file": path } } }));
    let answer = |path: &str| host.api_as(&token, "PUT", "/v1/apps", file(path));
    assert_eq!(answer("/etc/passwd"), answer("/no/such/file"));
    // The operator may.
    let directory = host.directory.path().display();
    let granted = spec(json!({ "secrets": { "KEY": { "file": format!("{directory}/key") } } }));
    assert_eq!(host.api("PUT", "/v1/apps", granted).0, 200);
}

#[test]
fn environment_and_secrets_stay_where_they_are() {
    let (host, token) = start();
    assert_eq!(told(&host, "acme.example", "/env?KEY"), "walrus-secret");
    assert_eq!(told(&host, "acme.example", "/env?PLAIN"), "walrus-env");
    assert_eq!(told(&host, "evil.example", "/env?OWN"), "own-env");
    for name in ["KEY", "PLAIN", "HOME", "PATH"] {
        assert_eq!(told(&host, "evil.example", &format!("/env?{name}")), "none");
    }
    assert_eq!(told(&host, "acme.example", "/env?OWN"), "none");
    // What goes wrong does not tell them either, nor does the operator's side.
    told(&host, "acme.example", "/trap");
    told(&host, "acme.example", "/err");
    host.rewrite(&CONFIG.replace("{ host = \"evil.example\" }", "{ host = \"acme.example\" }"));
    assert!(!ConfiguredHost::is_in_effect(&host.reload()));
    host.rewrite(CONFIG);
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    let mut said = host.running.process().lines(Output::Stderr);
    said.extend(host.running.process().lines(Output::Stdout));
    for path in ["/v1/apps", "/v1/apps/till", "/v1/apps/till/history", "/v1/top", "/metrics", "/v1/tenants"] {
        said.push(host.api("GET", path, "").1.to_string());
        said.push(host.api_as(&token, "GET", path, "").1.to_string());
    }
    assert!(said.iter().any(|line| line.contains("till")), "there is something to look at");
    let telling: Vec<_> = said.iter().filter(|line| line.contains("walrus")).collect();
    assert!(telling.is_empty(), "{telling:?}");
    assert!(!said.iter().any(|line| line.contains(&token) || line.contains(&host.token)));
}

#[test]
fn a_name_that_was_anothers_has_no_past() {
    let (host, evil) = start();
    let acme = token(&host, Some("acme"));
    let spec = |tenant: &str| {
        let route = json!({ "host": format!("{tenant}.example"), "path": "/shop/*" });
        json!({ "name": "shop", "tenant": tenant, "routes": [route] }).to_string()
    };
    assert_eq!(host.api_as(&acme, "PUT", "/v1/apps", spec("acme")).0, 200);
    let deployed = host.api_as(&acme, "POST", "/v1/apps/shop/versions?note=walrus-note", version(None));
    assert_eq!(deployed.0, 200, "{}", deployed.1);
    assert_eq!(host.api_as(&evil, "PUT", "/v1/apps", spec("evil")).0, 403);
    // Nor does it become another's because the operator's file has its name.
    let file =
        format!("{CONFIG}\n[[app]]\nname = \"shop\"\ntenant = \"evil\"\nroutes = [{{ path = \"/x\" }}]\n");
    host.rewrite(&file);
    let line = host.reload();
    assert!(!ConfiguredHost::is_in_effect(&line), "{line:?}");
    assert_eq!(told(&host, "acme.example", "/shop/"), "v1");

    assert_eq!(host.api_as(&acme, "DELETE", "/v1/apps/shop", "").0, 204);
    assert_eq!(host.api_as(&evil, "PUT", "/v1/apps", spec("evil")).0, 200);
    let (_, history) = host.api_as(&evil, "GET", "/v1/apps/shop/history", "");
    assert_eq!(history.as_array().map(Vec::len), Some(1), "{history}");
    assert_tells_nothing(&history.to_string(), "");
    assert_eq!(host.api_as(&evil, "GET", "/v1/apps/shop/versions", "").1, json!([]));
    assert_eq!(host.api("GET", "/v1/apps/shop/history", "").1.as_array().map(Vec::len), Some(5));
    // Theirs, not the one of before, goes to no other file either.
    host.rewrite(CONFIG);
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    assert_eq!(host.api_as(&acme, "GET", "/v1/apps/shop", "").0, 404);
}

#[test]
fn a_name_that_nobody_serves_is_still_its_tenants() {
    let shop = "\n[[app]]\nname = \"shop\"\ntenant = \"acme\"\nroutes = [{ host = \"shop.acme.example\" }]\n";
    let (host, evil) = start();
    host.rewrite(&format!("{CONFIG}{shop}"));
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    assert_eq!(host.api("POST", "/v1/apps/shop/versions", version(None)).0, 200);
    // The file has it no more; what was deployed of it is kept.
    host.rewrite(CONFIG);
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    assert_eq!(host.api("GET", "/v1/apps/shop", "").0, 404);
    let spec = json!({ "name": "shop", "tenant": "evil", "routes": [{ "host": "evil.example", "path": "/shop/*" }] });
    let (status, answer) = host.api_as(&evil, "PUT", "/v1/apps", spec.to_string());
    assert_eq!(status, 403, "{answer}");
    assert_tells_nothing(&answer.to_string(), "");
    host.rewrite(&format!("{CONFIG}{shop}"));
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    assert_eq!(told(&host, "shop.acme.example", "/"), "v1");
}

/// The status of a request with this `Authorization` line, or without one.
#[track_caller]
fn status_with(host: &ConfiguredHost, method: &str, path: &str, authorization: &str) -> Option<u16> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: 0\r\n{authorization}\r\n"
    );
    let mut received = Vec::new();
    // Whoever refuses early may reset what it has not read.
    let _ = admin_stream(host, request.as_bytes()).read_to_end(&mut received);
    let answer = message::response(&received, false, true).expect("the administration answers in HTTP");
    answer.and_then(|(message, _)| message.status())
}

#[test]
fn without_a_token_there_is_nothing() {
    let (host, _) = start();
    let (status, document) = host.api("GET", "/openapi.json", "");
    assert_eq!(status, 200);
    let paths = document["paths"].as_object().expect("the document has paths");
    assert!(paths.len() > 20, "{:?}", paths.keys());
    for (path, methods) in paths {
        // A name and a number, whichever it takes.
        let filled = path.replace("{app}", "till").replace("{tenant}", "acme").replace("{token}", "00000000");
        let filled = ["{version}", "{connection}", "{exchange}"]
            .iter()
            .fold(filled, |path, key| path.replace(key, "1"));
        for (method, operation) in methods.as_object().expect("a path has methods") {
            let open = operation["security"] == json!([]);
            assert_eq!(open, ["/livez", "/readyz"].contains(&path.as_str()), "{path}");
            let expected = Some(if open { 200 } else { 401 });
            let method = method.to_uppercase();
            for authorization in ["", "Authorization: Bearer wrong\r\n"] {
                assert_eq!(status_with(&host, &method, &filled, authorization), expected, "{method} {path}");
            }
        }
    }
    let token = &host.token;
    for (authorization, expected) in [
        (format!("Authorization: Bearer {token}\r\n"), 200),
        (format!("Authorization: bearer {token}\r\n"), 200),
        (format!("Authorization: Basic {token}\r\n"), 401),
        (format!("Authorization: {token}\r\n"), 401),
        (format!("Authorization: Bearer{token}\r\n"), 401),
        (format!("Authorization: Bearer {token}x\r\n"), 401),
        (format!("Authorization: Bearer x\r\nAuthorization: Bearer {token}\r\n"), 401),
        (format!("Cookie: token={token}\r\n"), 401),
        ("Authorization: Bearer \r\n".to_owned(), 401),
        ("Authorization: Bearer\r\n".to_owned(), 401),
        ("Authorization: \r\n".to_owned(), 401),
        (format!("Authorization: Bearer {}\r\n", "x".repeat(100_000)), 401),
        (format!("Authorization: Bearer {}\r\n", "x".repeat(1_000_000)), 431),
    ] {
        let begin = authorization.get(..40).unwrap_or(&authorization).to_owned();
        assert_eq!(status_with(&host, "GET", "/v1/apps", &authorization), Some(expected), "{begin}");
    }
    assert_eq!(host.api("GET", &format!("/v1/apps?token={token}"), "").0, 200);
    assert_eq!(status_with(&host, "GET", &format!("/v1/apps?access_token={token}"), ""), Some(401));
}

#[test]
fn a_token_that_is_revoked_is_dead_at_once() {
    let (host, evil) = start();
    let other = token(&host, None);
    assert_eq!(host.api_as(&other, "GET", "/v1/host", "").0, 200);
    let (_, tokens) = host.api("GET", "/v1/tokens", "");
    let listed = tokens.as_array().expect("tokens are listed");
    assert_eq!(listed.len(), 2);
    for secret in [&evil, &other, &host.token] {
        assert!(!tokens.to_string().contains(secret.as_str()));
    }
    for token in listed {
        let path = format!("/v1/tokens/{}", token["id"].as_str().expect("a token has an id"));
        assert_eq!(host.api("DELETE", &path, "").0, 204);
        let dead = if token["tenant"] == "evil" { &evil } else { &other };
        assert_eq!(host.api_as(dead, "GET", "/v1/apps", "").0, 401);
        assert_eq!(host.api("DELETE", &path, "").0, 404);
    }
    let (directory, _) = host.stop();
    let host = ConfiguredHost::start_in(directory, CONFIG).expect("it starts again");
    assert_eq!(host.api_as(&evil, "GET", "/v1/apps", "").0, 401);
}

#[test]
fn the_operators_token_is_for_its_owner_only() {
    let (host, _) = start();
    let path = host.directory.path().join("state/admin-token");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&host.directory.path().join("state")), 0o700);
    assert_eq!(mode(&host.directory.path().join("admin.sock")), 0o600);
    let token = host.token.clone();
    let (directory, _) = host.stop();
    for shared in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(shared)).expect("a mode can be set");
        let config = directory.path().join("innkeeper.toml");
        let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
        let ran = Ran::of(command.args(["serve", "--config"]).arg(config));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("admin-token") && ran.stderr.contains("chmod 600"), "{}", ran.stderr);
        assert!(!ran.stderr.contains(&token), "{}", ran.stderr);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode can be set");
    let host = ConfiguredHost::start_in(directory, CONFIG).expect("it starts again");
    assert_eq!(host.token, token);
}
