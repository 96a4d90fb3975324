//! Deploys through the administration: what takes over when, what is refused,
//! going back, canaries, and apps that are made there.

use std::io::Read;

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::logs::LogLine;
use innkeeper_harness::server::Server;
use innkeeper_harness::wire::Client;
use serde_json::{Value, json};

use crate::deployment::{
    SHOP, admin_stream, answer, count, deploy, deploy_head, files, history, marked, name, until, upload,
    version, versions,
};
use crate::load::handler;

/// The begin of a request that is in flight until one more byte is sent.
const HOLD: &str = "POST /hold HTTP/1.1\r\nHost: inn\r\nContent-Length: 1\r\n\r\n";

fn stages(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["stage"].as_str()).collect()
}

fn is_unloading(line: &LogLine, sha256: &str) -> bool {
    line.message.starts_with("version unloaded")
        && line.field("version").is_some_and(|version| sha256.starts_with(&version))
}

/// Reads up to what is to be told.
#[track_caller]
fn read_to(stream: &mut impl Read, wanted: &str) -> String {
    let mut told = String::new();
    while !told.contains(wanted) {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece).expect("the administration answers");
        assert!(read > 0, "{told}");
        told.push_str(&String::from_utf8_lossy(piece.get(..read).unwrap_or_default()));
    }
    told
}

#[test]
fn a_deploy_tells_how_far_it_is_and_takes_over() {
    let host = Server::configured(SHOP);
    let mut client = host.running.connect();
    assert_eq!(answer(&mut client).0, Some(503));
    let lines = upload(&host, "?note=the%20first", &version(None));
    assert_eq!(stages(&lines), ["uploaded", "compiling", "recording", "activating", "done"]);
    let done = lines.last().expect("there are lines");
    assert_eq!((&done["active"], &done["version"]["number"]), (&json!(true), &json!(1)));
    assert_eq!((&done["version"]["note"], &done["version"]["by"]), (&json!("the first"), &json!("operator")));
    assert_eq!(lines[0]["bytes"], version(None).len());
    // On the connection that was there before.
    assert_eq!(name(&mut client), "v1");
    assert_eq!(deploy(&host, "", &version(Some("v2"))), 2);
    assert_eq!(name(&mut client), "v2");
    assert_eq!(versions(&host), [(2, Some("current".to_owned())), (1, Some("previous".to_owned()))]);
}

#[test]
fn an_exchange_in_flight_finishes_on_the_version_it_began_with() {
    let host = Server::configured(SHOP);
    let lines = upload(&host, "", &version(None));
    let sha256 = lines[0]["sha256"].as_str().expect("a component has a SHA-256").to_owned();
    let (mut held, mut other) = (host.running.connect(), host.running.connect());
    held.send(HOLD).read_until("v1");
    deploy(&host, "", &version(Some("v2")));
    assert_eq!(name(&mut other), "v2");
    // From here on nothing goes back to the first one, so that only the
    // exchange in flight keeps it.
    deploy(&host, "", &marked(&version(Some("v2")), "again"));
    assert_eq!(name(&mut other), "v2");
    assert!(!host.running.logs().iter().any(|line| is_unloading(line, &sha256)));
    held.send("x").read_until("v1\r\n0\r\n\r\n");
    host.running.wait_log(|line| is_unloading(line, &sha256));
    assert_eq!(name(&mut held), "v2");
    // What was only tried out is not said to be unloaded.
    let unloaded = host.running.logs().iter().filter(|line| line.message.starts_with("version un")).count();
    assert_eq!(unloaded, 1);
}

#[test]
fn a_component_that_does_not_fit_changes_nothing() {
    let host = Server::configured(SHOP);
    deploy(&host, "", &version(None));
    let (before, mut client) = (host.api("GET", "/v1/apps/shop", "").1, host.running.connect());
    let import = r#"(import "other:things/shop@1.0.0" (instance (export "buy" (func))))"#;
    let text = |text: &str| wat::parse_str(text).expect("the text is a component");
    for (component, told) in [
        (b"this is no component".to_vec(), "component"),
        (text("(module)"), "core WebAssembly module, not a component"),
        (text("(component)"), "does not export innkeeper:http/handler"),
        (text(&handler(import, "")), "other:things/shop@1.0.0"),
        (text(&handler("", ") (func $trap unreachable) (start $trap")), "does not start"),
    ] {
        let lines = upload(&host, "", &component);
        assert_eq!(stages(&lines), ["uploaded", "compiling", "failed"]);
        let last = lines.last().expect("there are lines");
        assert_eq!(last["status"], 422, "{last}");
        assert!(
            last["error"].as_str().is_some_and(|error| error.contains(told)),
            "{last} does not say {told}"
        );
        assert_eq!(name(&mut client), "v1");
    }
    assert_eq!(host.api("GET", "/v1/apps/shop", "").1, before);
    assert_eq!(versions(&host), [(1, Some("current".to_owned()))]);
    assert_eq!(history(&host), ["created", "deployed", "activated"]);
    assert_eq!((files(&host, "components").len(), files(&host, "uploads").len()), (1, 0));
}

#[test]
fn what_cannot_be_a_deploy_is_refused_before_anything_is_kept() {
    let host = Server::configured(&format!(
        "{SHOP}routes = [{{ path = \"/shop/*\" }}]\n\n[[app]]\nname = \"filed\"\ncomponent = \"{{guest:hello}}\"\n\
         routes = [{{ path = \"/filed/*\" }}]\n"
    ));
    let component = version(None);
    for (path, body, status, told) in [
        ("shop/versions", &b""[..], 400, "no component"),
        ("shop/versions?weight_percent=0", &component, 400, "weight_percent"),
        ("shop/versions?error_rate_max=2", &component, 400, "error_rate_max"),
        ("filed/versions", &component, 409, "configuration file"),
        ("none/versions", &component, 404, "no app none"),
    ] {
        let (found, told_us) = host.api("POST", &format!("/v1/apps/{path}"), body);
        assert!(found == status && told_us.to_string().contains(told), "{path}: {found} {told_us}");
    }
    for (method, path) in [("POST", "filed/rollback"), ("DELETE", "filed"), ("DELETE", "shop")] {
        assert_eq!(host.api(method, &format!("/v1/apps/{path}"), "").0, 409, "{method} {path}");
    }
    // A canary beside nothing, which shows only when it would be written down.
    let last = upload(&host, "?weight_percent=10", &component).pop().expect("there are lines");
    assert_eq!((&last["stage"], &last["status"]), (&json!("failed"), &json!(400)), "{last}");
    // One that is too large is not even taken in.
    let mut stream = admin_stream(&host, deploy_head(&host, (256 << 20) + 1).as_bytes());
    let told = read_to(&mut stream, "debug information");
    assert!(told.starts_with("HTTP/1.1 413 "), "{told}");
    assert_eq!(versions(&host), []);
    assert_eq!((files(&host, "components").len(), files(&host, "uploads").len()), (0, 0));
}

#[test]
fn a_client_that_goes_away() {
    let host = Server::configured(SHOP);
    let component = version(None);
    // In the midst of its upload: nothing is left.
    let half = component.get(..component.len() / 2).unwrap_or_default();
    let stream = admin_stream(&host, &[deploy_head(&host, component.len() as u64).as_bytes(), half].concat());
    until("the upload has begun", || !files(&host, "uploads").is_empty());
    drop(stream);
    until("the upload is removed", || files(&host, "uploads").is_empty());
    assert_eq!(files(&host, "components").len(), 0);
    // After it: the deploy goes on.
    let whole = [deploy_head(&host, component.len() as u64).as_bytes(), component.as_slice()].concat();
    let mut stream = admin_stream(&host, &whole);
    read_to(&mut stream, "uploaded");
    drop(stream);
    host.running.wait_log(|line| line.message == "deployed");
    assert_eq!(name(&mut host.running.connect()), "v1");
}

#[test]
fn going_back_and_forth() {
    let host = Server::configured(SHOP);
    assert_eq!(host.api("POST", "/v1/apps/shop/rollback", "").0, 409);
    deploy(&host, "", &version(None));
    assert_eq!(host.api("POST", "/v1/apps/shop/rollback", "").0, 409);
    deploy(&host, "", &version(Some("v2")));
    let mut client = host.running.connect();
    for (number, expected) in [(1, "v1"), (2, "v2"), (1, "v1")] {
        assert_eq!(host.api("POST", "/v1/apps/shop/rollback", ""), (200, json!({ "version": number })));
        assert_eq!(name(&mut client), expected);
    }
    // By its number, any version takes over again; one that is not there does not.
    assert_eq!(deploy(&host, "?activate=false", &version(Some("failing"))), 3);
    assert_eq!(name(&mut client), "v1");
    assert_eq!(host.api("POST", "/v1/apps/shop/versions/3/activate", "{}").0, 200);
    assert_eq!(answer(&mut client), (Some(500), "failing".to_owned()));
    assert_eq!(host.api("POST", "/v1/apps/shop/versions/4/activate", "{}").0, 404);
    assert_eq!(host.api("POST", "/v1/apps/shop/rollback", "").0, 200);
    assert_eq!(name(&mut client), "v1");
    let told = [
        "created",
        "deployed",
        "activated",
        "deployed",
        "activated",
        "rolled-back",
        "rolled-back",
        "rolled-back",
        "deployed",
        "activated",
        "rolled-back",
    ];
    assert_eq!(history(&host), told);
    // So it is after a restart.
    let (directory, _) = host.stop();
    let host = ConfiguredHost::start_in(directory, SHOP).expect("it starts again");
    let mut client = host.running.connect();
    assert_eq!((name(&mut client), history(&host).len()), ("v1".to_owned(), told.len()));
    assert_eq!(host.api("POST", "/v1/apps/shop/rollback", "").0, 200);
    assert_eq!(answer(&mut client).1, "failing");
}

#[test]
fn a_canary_has_its_share_and_is_promoted() {
    let host = Server::configured(SHOP);
    deploy(&host, "", &version(None));
    deploy(&host, "?weight_percent=20", &version(Some("v2")));
    let mut client = host.running.connect();
    assert_eq!(count(&mut client, 100, "v2"), 20);
    let activate = "/v1/apps/shop/versions/2/activate";
    let (status, app) = host.api("POST", activate, r#"{ "weight_percent": 55 }"#);
    assert_eq!((status, &app["canary"]["weight_percent"]), (200, &json!(55)));
    assert_eq!(count(&mut client, 100, "v2"), 55);
    assert_eq!(versions(&host), [(2, Some("canary".to_owned())), (1, Some("current".to_owned()))]);
    assert_eq!(host.api("POST", activate, "{}").0, 200);
    assert_eq!(count(&mut client, 20, "v2"), 20);
    // It answers all of them already.
    assert_eq!(host.api("POST", activate, r#"{ "weight_percent": 5 }"#).0, 400);
    assert_eq!(history(&host).split_off(3), ["deployed", "canary", "canary", "promoted"]);
    // A canary is ended by going back, and what it was beside stays.
    deploy(&host, "?weight_percent=50", &version(None));
    assert_eq!(host.api("POST", "/v1/apps/shop/rollback", "").1, json!({ "version": 2 }));
    assert_eq!(count(&mut client, 20, "v2"), 20);
}

/// Asks until the canary has had so many requests.
#[track_caller]
fn until_failed(client: &mut Client, requests: usize) {
    let mut failed = 0;
    while failed < requests {
        failed += usize::from(answer(client).0 == Some(500));
    }
}

#[test]
fn a_canary_that_fails_is_taken_back_by_itself() {
    let host = Server::configured(SHOP);
    deploy(&host, "", &version(None));
    deploy(&host, "?weight_percent=50&error_rate_max=0.2&requests_min=10", &version(Some("failing")));
    let mut client = host.running.connect();
    // Nine answers say nothing yet, and are not forgotten when the
    // configuration is read again.
    until_failed(&mut client, 9);
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    until("nine answers are counted", || host.api("GET", "/v1/apps/shop", "").1["canary"]["answers"] == 9);
    until_failed(&mut client, 1);
    let line = host.running.wait_log(|line| line.message.starts_with("canary rolled back"));
    let told = (line.level.as_str(), line.number("answers"), line.number("errors"));
    assert_eq!(told, ("ERROR", Some(10), Some(10)));
    assert_eq!(count(&mut client, 50, "v1"), 50);
    until("it is written down", || history(&host).last().is_some_and(|action| action == "auto-rolled-back"));
    assert_eq!(versions(&host), [(2, None), (1, Some("current".to_owned()))]);
    // It is tried again from nothing, and stays away after a restart.
    let canary = r#"{ "weight_percent": 50, "error_rate_max": 0.2, "requests_min": 10 }"#;
    let (status, app) = host.api("POST", "/v1/apps/shop/versions/2/activate", canary);
    assert_eq!((status, &app["canary"]["answers"]), (200, &json!(0)));
    assert!(count(&mut client, 100, "failing") >= 10);
    until("it is taken back again", || {
        history(&host).iter().filter(|action| *action == "auto-rolled-back").count() == 2
    });
    let (directory, _) = host.stop();
    let host = ConfiguredHost::start_in(directory, SHOP).expect("it starts again");
    assert_eq!(count(&mut host.running.connect(), 20, "v1"), 20);
}

#[test]
fn deploys_at_once() {
    let host = Server::configured(SHOP);
    deploy(&host, "", &version(None));
    let component = version(Some("v2"));
    let mut numbers: Vec<_> = std::thread::scope(|scope| {
        let deploys: Vec<_> = (0..4)
            .map(|which| {
                let (host, component) = (&host, marked(&component, &which.to_string()));
                scope.spawn(move || deploy(host, "", &component))
            })
            .collect();
        assert!(ConfiguredHost::is_in_effect(&host.reload()));
        deploys.into_iter().map(|deploy| deploy.join().expect("it is deployed")).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5]);
    assert_eq!(name(&mut host.running.connect()), "v2");
    let serving = versions(&host).into_iter().filter(|(_, serves_as)| serves_as.is_some()).count();
    assert_eq!(serving, 2);
}

#[test]
fn an_app_that_is_made_and_deleted_here() {
    let host = Server::configured("");
    let mut client = host.running.connect();
    let mut asked = move || {
        let message = client.ask("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        (message.status().unwrap_or_default(), message.text())
    };
    assert_eq!(asked().0, 404);
    let spec = json!({ "name": "shop", "tenant": "acme", "routes": [{ "host": "shop.example" }] });
    let (status, app) = host.api("PUT", "/v1/apps", spec.to_string());
    assert_eq!((status, &app["origin"], &app["tenant"]), (200, &json!("deployed"), &json!("acme")), "{app}");
    assert_eq!(asked().0, 503);
    deploy(&host, "", &version(None));
    assert_eq!(asked(), (200, "v1".to_owned()));
    // Another route; the version stays.
    let other = json!({ "name": "shop", "tenant": "acme", "routes": [{ "host": "other.example" }] });
    assert_eq!(host.api("PUT", "/v1/apps", other.to_string()).0, 200);
    assert_eq!(asked().0, 404);
    assert_eq!(host.api("PUT", "/v1/apps", spec.to_string()).0, 200);
    assert_eq!(asked(), (200, "v1".to_owned()));
    assert_eq!(versions(&host), [(1, Some("current".to_owned()))]);
    for (wrong, status) in [
        (json!({ "name": "shop", "tenant": "acme", "component": "x.wasm" }), 422),
        (json!({ "name": "/shop", "tenant": "acme" }), 400),
        (json!({ "name": "again", "routes": [{ "host": "shop.example" }] }), 422),
    ] {
        let (found, told) = host.api("PUT", "/v1/apps", wrong.to_string());
        assert_eq!(found, status, "{wrong}: {told}");
    }
    // Deleted under a request, which is still answered.
    let mut held = host.running.connect();
    held.send(HOLD.replace("inn", "shop.example")).read_until("v1");
    assert_eq!(host.api("DELETE", "/v1/apps/shop", "").0, 204);
    assert_eq!((asked().0, host.api("GET", "/v1/apps/shop", "").0), (404, 404));
    assert_eq!(files(&host, "components").len(), 0);
    held.send("x").read_until("v1\r\n0\r\n\r\n");
    host.running.wait_log(|line| line.message.starts_with("version unloaded"));
    // Nor is it there after a restart.
    let (directory, _) = host.stop();
    let host = ConfiguredHost::start_in(directory, "").expect("it starts again");
    assert_eq!(host.api("GET", "/v1/apps", "").1, json!([]));
}
