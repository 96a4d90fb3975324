//! Hosts of several apps: their configuration put together, and what several
//! modules ask of them.

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::message::Message;
use innkeeper_harness::server::Server;
use innkeeper_harness::wire::Client;
use innkeeper_harness::workspace;
use serde_json::{Value, json};

use crate::support::promptly;

/// A host of this configuration. Compiled components are kept from test to
/// test: a fresh folder would have each of them compile its guests again.
#[track_caller]
pub fn start(toml: &str) -> ConfiguredHost {
    Server::configured(&with_cache(toml))
}

/// A configuration with the cache of the tests.
pub fn with_cache(toml: &str) -> String {
    let cache = workspace::target_dir().expect("cargo tells it").join("e2e-cache");
    format!("cache = {:?}\n{toml}", cache.display().to_string())
}

/// An app that its own tenant has, on a host of its name, `one.example` for
/// the app `one`. `more` are lines of its table.
pub fn app(name: &str, guest: &str, more: &str) -> String {
    let routes = format!("routes = [{{ host = \"{name}.example\" }}]\n");
    routed(name, guest, &(routes + more))
}

/// The same with routes of its own among the lines.
pub fn routed(name: &str, guest: &str, more: &str) -> String {
    format!("[[app]]\nname = \"{name}\"\ncomponent = \"{{guest:{guest}}}\"\n{more}\n")
}

/// The line that has the guest `node-case` run these ops for every request.
pub fn script(ops: Value) -> String {
    // A JSON string is one of TOML, too.
    format!("env = {{ CASE_ON = {} }}\n", Value::String(json!({ "request": ops }).to_string()))
}

/// Two apps of the guest `misbehave`, and of a tenant each: `greedy`, which has
/// these quotas, and `modest`.
pub fn greedy_and_modest(quotas: &str) -> String {
    format!("[tenant.greedy]\n{quotas}\n{}{}", app("greedy", "misbehave", ""), app("modest", "misbehave", ""))
}

/// A request without a body for an app of [`app`].
pub fn of(app: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {app}.example\r\n\r\n")
}

/// The answer to such a request on a new connection.
#[track_caller]
pub fn ask(host: &ConfiguredHost, app: &str, target: &str) -> Message {
    host.running.connect().ask(of(app, target))
}

/// The app of the guest `misbehave` is served, at once.
#[track_caller]
pub fn assert_served(host: &ConfiguredHost, app: &str) {
    promptly(|| {
        let response = ask(host, app, "/ok");
        assert_eq!((response.status(), response.text().as_str()), (Some(200), "ok"));
    });
}

/// A 503 of the host that says when to come again; in how many seconds.
#[track_caller]
pub fn assert_told_to_wait(response: &Message) -> u64 {
    assert_eq!(response.status(), Some(503), "{}", response.text());
    let seconds = response.header("retry-after").and_then(|seconds| seconds.parse().ok());
    seconds.expect("a 503 has Retry-After")
}

/// Begins an exchange of the guest `node-case` that waits for its body; it has
/// its place as soon as this returns.
#[track_caller]
pub fn hold(host: &ConfiguredHost, app: &str) -> Client {
    let mut client = host.running.connect();
    send_hold(&mut client, app);
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client
}

/// Asks for such an exchange; the 100 tells that it has its place.
pub fn send_hold(client: &mut Client, app: &str) {
    client.send(format!(
        "POST /hold HTTP/1.1\r\nHost: {app}.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    ));
}

/// Ends such an exchange.
#[track_caller]
pub fn release(client: &mut Client) {
    assert_eq!(client.ask("hello").text(), "hello");
}

/// The line for a guest that [`hold`] can hold.
pub fn holding() -> String {
    script(json!([["read-body"], ["end-with", "body"]]))
}

/// What the administration says of a tenant.
#[track_caller]
pub fn tenant(host: &ConfiguredHost, name: &str) -> Value {
    let (status, view) = host.api("GET", &format!("/v1/tenants/{name}"), "");
    assert_eq!(status, 200, "{view}");
    view
}

/// Asks the administration until it says so of a tenant.
#[track_caller]
pub fn until_tenant(host: &ConfiguredHost, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until(|| Some(tenant(host, name)).filter(&wanted))
}

/// Looks until something is there, which must be at once.
#[track_caller]
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    promptly(|| {
        let begun = std::time::Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(begun.elapsed() < innkeeper_harness::DEADLINE, "it did not come");
        }
    })
}
