//! Which app a request reaches, by host, path and method, and that no spelling
//! of one reaches another's. All apps say who they are and what they see;
//! `docs/routing.md` has the rules.

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::wire::Client;
use serde_json::json;

use crate::inns::{routed, script, start};

/// Apps of the guest that answers with its name and the URL that it sees: each
/// with a name and its routes.
#[track_caller]
fn apps(apps: &[(&str, &str)]) -> ConfiguredHost {
    let app = |(name, routes): &(&str, &str)| {
        let ops = script(json!([["write", format!("{name} ")], ["end-with", "url"]]));
        routed(name, "node-case", &format!("routes = [{routes}]\n{ops}"))
    };
    start(&apps.iter().map(app).collect::<String>())
}

/// Sends a request line and a `Host` on a connection that stays: what is
/// answered, as `STATUS` or as the guest's own words.
#[track_caller]
fn asked(client: &mut Client, line: &str, host: &str) -> String {
    let response = client.ask(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    match response.status() {
        Some(200) => response.text(),
        status => status.unwrap_or_default().to_string(),
    }
}

#[test]
fn hosts_exact_by_suffix_and_default() {
    let host = apps(&[
        ("exact", r#"{ host = "shop.example" }"#),
        ("below", r#"{ host = "*.shop.example" }"#),
        ("deeper", r#"{ host = "*.eu.shop.example" }"#),
        ("rest", r#"{ host = "*" }"#),
    ]);
    let mut client = host.running.connect();
    for (name, app) in [
        ("shop.example", "exact"),
        ("a.shop.example", "below"),
        ("a.b.shop.example", "below"),
        ("eu.shop.example", "below"),
        ("a.eu.shop.example", "deeper"),
        ("ashop.example", "rest"),
        ("example", "rest"),
        ("shop.example.evil", "rest"),
        ("127.0.0.1", "rest"),
        ("", "rest"),
    ] {
        assert_eq!(asked(&mut client, "GET /x", name), format!("{app} /x"), "{name}");
    }
    // A request without a host is for the default.
    let response = client.ask("GET /x HTTP/1.0\r\n\r\n");
    assert_eq!(response.text(), "rest /x");
}

#[test]
fn the_most_specific_path_has_it_and_prefixes_end_at_segments() {
    let host = apps(&[
        ("all", r#"{ path = "/*" }"#),
        ("api", r#"{ path = "/api/*" }"#),
        ("v2", r#"{ path = "/api/v2/*" }"#),
        ("about", r#"{ path = "/about" }"#),
    ]);
    let mut client = host.running.connect();
    for (path, app) in [
        ("/", "all"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/api/x?y=/api/v2/", "api"),
        ("/apis", "all"),
        ("/api.", "all"),
        ("/api/v2", "v2"),
        ("/api/v2/x", "v2"),
        ("/api/v20", "api"),
        ("/about", "about"),
        ("/about?x", "about"),
        ("/about/", "all"),
        ("/about/x", "all"),
        ("/ABOUT", "all"),
    ] {
        assert_eq!(asked(&mut client, &format!("GET {path}"), "inn"), format!("{app} {path}"), "{path}");
    }
}

#[test]
fn no_route_is_404_and_another_method_405_with_those_there_are() {
    let host = apps(&[
        ("read", r#"{ host = "shop.example", path = "/items/*", methods = ["GET", "POST"] }"#),
        ("drop", r#"{ host = "shop.example", path = "/items/*", methods = ["DELETE"] }"#),
        ("rest", r#"{ host = "*" }"#),
    ]);
    let mut client = host.running.connect();
    let mut asked = |line: &str| asked(&mut client, line, "shop.example");
    assert_eq!(asked("GET /items/1"), "read /items/1");
    assert_eq!(asked("POST /items/1"), "read /items/1");
    assert_eq!(asked("DELETE /items/1"), "drop /items/1");
    // Its host has routes, and the default is not asked.
    assert_eq!(asked("GET /"), "404");
    assert_eq!(asked("GET /itemsx"), "404");
    for method in ["PUT", "OPTIONS", "get"] {
        let request = format!("{method} /items/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        let response = host.running.connect().ask(request);
        assert_eq!(
            (response.status(), response.header("allow")),
            (Some(405), Some("DELETE, GET, HEAD, POST"))
        );
        assert!(response.text().starts_with("405 Method Not Allowed\nexchange "), "{}", response.text());
    }
    // HEAD is taken by whoever takes GET.
    client.send("HEAD /items/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    assert_eq!(client.read_response_to_head().status(), Some(200));
    // Both leave the connection as it was.
    assert_eq!(self::asked(&mut client, "GET /items/2", "shop.example"), "read /items/2");
}

#[test]
fn a_prefix_that_is_stripped_is_not_seen() {
    let host =
        apps(&[("bare", r#"{ path = "/api/*", strip_prefix = true }"#), ("whole", r#"{ path = "/raw/*" }"#)]);
    let mut client = host.running.connect();
    for (path, seen) in [
        ("/api", "bare /"),
        ("/api/", "bare /"),
        ("/api?a=/../b", "bare /?a=/../b"),
        ("/api/v1/%7euser?q=%7e", "bare /v1/~user?q=%7e"),
        ("/api//evil.example", "bare //evil.example"),
        ("/x/../api/a", "bare /a"),
        ("/api/a%2fb", "bare /a%2Fb"),
        ("/api/%252e%252e/b", "bare /%252e%252e/b"),
        ("/api/../raw/a", "whole /api/../raw/a"),
        ("/raw/%7euser", "whole /raw/%7euser"),
    ] {
        assert_eq!(asked(&mut client, &format!("GET {path}"), "inn"), seen, "{path}");
    }
}

#[test]
fn no_spelling_of_a_path_reaches_another_tenants_app() {
    let host = apps(&[
        ("secret", r#"{ host = "inn.example", path = "/secret/*" }"#),
        ("open", r#"{ host = "inn.example" }"#),
    ]);
    let mut client = host.running.connect();
    let app = |client: &mut Client, path: &str| {
        let answer = asked(client, &format!("GET {path}"), "inn.example");
        answer.split(' ').next().unwrap_or_default().to_owned()
    };
    // What a cache or a guest takes for the same path goes to the same app.
    for same in [
        "/secret",
        "/%73ecret",
        "/secre%74/x",
        "/open/../secret",
        "/open/%2e%2e/secret",
        "/open/.%2E/secret",
        "/./secret",
        "/%2e/secret",
        "/secret/./x",
        "/../secret",
        "/%2e%2e/secret",
        "/secret/a%2f..%2f..%2fopen",
        "/secret/%2F../%2e/x",
        "/secret/x?/../open",
    ] {
        assert_eq!(app(&mut client, same), "secret", "{same}");
    }
    // What leads out of it is not its own, and what only looks like it neither.
    for other in [
        "/secret/..",
        "/secret/%2e%2e/x",
        "/secret/%2E./x",
        "/secret/x/../../open",
        "/%2573ecret",
        "/secret%2fx",
        "/secret%2F..%2Fx",
        "/secret%00",
        "/secret;x",
        "/secret%5cx",
        "//secret",
        "/SECRET",
        "/?/secret",
        "/open#/../secret",
        "/open/%252e%252e/secret",
        "/open/..%2fsecret",
        "/open/..%5csecret",
    ] {
        assert_eq!(app(&mut client, other), "open", "{other}");
    }
}

#[test]
fn no_spelling_of_a_host_reaches_another_tenants_app() {
    let host = apps(&[
        ("mine", r#"{ host = "mine.example" }"#),
        ("yours", r#"{ host = "yours.example" }"#),
        ("rest", r#"{ host = "*" }"#),
    ]);
    let app = |line: &str, name: &str| {
        let answer = asked(&mut host.running.connect(), line, name);
        answer.split(' ').next().unwrap_or_default().to_owned()
    };
    for (line, name, expected) in [
        ("GET /", "MINE.Example", "mine"),
        ("GET /", "mine.example:1", "mine"),
        ("GET /", "mine.example.", "mine"),
        ("GET /", "mine.example.:80", "mine"),
        ("GET http://MINE.example.:80/", "mine.example", "mine"),
        ("GET /", "mine%2eexample", "rest"),
        ("GET /", "mine.example..", "rest"),
        ("GET /", ".mine.example", "rest"),
        ("GET /", "xmine.example", "rest"),
        // A URI of another host than the field's says two things.
        ("GET http://yours.example/", "mine.example", "400"),
        ("GET http://mine.example@yours.example/", "mine.example", "400"),
        ("GET http://mine.example@yours.example/", "yours.example", "400"),
        ("GET http://mine.example:x@yours.example/", "yours.example", "400"),
        ("GET http://mine.example\\@yours.example/", "mine.example", "400"),
        ("GET http://yours.example\\.mine.example/", "mine.example", "400"),
        ("GET http://mine.example:80:90/", "mine.example", "400"),
        ("GET http:///", "mine.example", "400"),
        // So does a field that is no name.
        ("GET /", "mine.example@yours.example", "400"),
        ("GET /", "mine.example/", "400"),
        ("GET /", "mine.example yours.example", "400"),
        ("GET /", "mine.example, yours.example", "400"),
        ("GET /", "mine.example\r\nHost: yours.example", "400"),
    ] {
        assert_eq!(app(line, name), expected, "{line} Host: {name}");
    }
}

#[test]
fn two_apps_answer_on_one_connection_in_turn() {
    let host = apps(&[("one", r#"{ host = "one.example" }"#), ("other", r#"{ host = "other.example" }"#)]);
    let mut client = host.running.connect();
    for turn in 0..20 {
        for app in ["one", "other"] {
            let answer = asked(&mut client, &format!("GET /{turn}"), &format!("{app}.example"));
            assert_eq!(answer, format!("{app} /{turn}"));
        }
    }
    // Pipelined, and with bodies that nobody reads.
    let body = "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n";
    let length = body.len();
    let post = |app: &str| {
        format!("POST /{app} HTTP/1.1\r\nHost: {app}.example\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    client.send(post("one") + &post("other") + &post("one"));
    for app in ["one", "other", "one"] {
        assert_eq!(client.read_response().text(), format!("{app} /{app}"));
    }
    // Each has its own line in the access log.
    for app in ["one", "other"] {
        let url = format!("/{app}");
        host.running.wait_log(|line| {
            line.target == "access"
                && line.field("url").as_deref() == Some(url.as_str())
                && line.field("app").as_deref() == Some(app)
        });
    }
}
