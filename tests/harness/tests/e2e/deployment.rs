//! What tests of deploys do with a host and its administration.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::wire::Client;
use innkeeper_harness::{DEADLINE, guests};
use serde_json::Value;

use crate::support::get;

/// An app of the configuration file whose versions are deployed.
pub const SHOP: &str = "[[app]]\nname = \"shop\"\n";

/// A version of the guest `versions`; see there.
pub fn version(feature: Option<&str>) -> Vec<u8> {
    let features: Vec<_> = feature.into_iter().collect();
    let path = guests::variant("versions", &features).expect("the guests can be built");
    fs::read(path).expect("a component that was built can be read")
}

/// The same component as another version: with a section that says nothing.
pub fn marked(component: &[u8], mark: &str) -> Vec<u8> {
    const NAME: &[u8] = b"mark";
    let length = u8::try_from(1 + NAME.len() + mark.len()).expect("a mark is short");
    assert!(length < 0x80, "one byte of LEB128");
    let name_length = u8::try_from(NAME.len()).expect("a name is short");
    [component, &[0, length, name_length], NAME, mark.as_bytes()].concat()
}

/// Uploads a component and returns the lines that tell of it.
#[track_caller]
pub fn upload(host: &ConfiguredHost, query: &str, component: &[u8]) -> Vec<Value> {
    let (status, lines) = host.api("POST", &format!("/v1/apps/shop/versions{query}"), component);
    match lines {
        Value::Array(lines) if status == 200 => lines,
        other => panic!("{status}: {other}"),
    }
}

/// Deploys a component, and returns its number.
#[track_caller]
pub fn deploy(host: &ConfiguredHost, query: &str, component: &[u8]) -> u64 {
    let lines = upload(host, query, component);
    let number = lines.last().and_then(|line| line.pointer("/version/number")?.as_u64());
    number.unwrap_or_else(|| panic!("it is not deployed: {lines:?}"))
}

/// What answers, and with which status.
#[track_caller]
pub fn answer(client: &mut Client) -> (Option<u16>, String) {
    let message = client.ask(get("/"));
    (message.status(), message.text())
}

/// The name of the version that answers.
#[track_caller]
pub fn name(client: &mut Client) -> String {
    let (status, name) = answer(client);
    assert_eq!(status, Some(200), "{name}");
    name
}

/// How many of so many requests are answered so.
#[track_caller]
pub fn count(client: &mut Client, requests: usize, name: &str) -> usize {
    (0..requests).filter(|_| answer(client).1 == name).count()
}

/// The numbers of an app's versions, the newest first, and what each serves as.
#[track_caller]
pub fn versions(host: &ConfiguredHost) -> Vec<(u64, Option<String>)> {
    let (status, versions) = host.api("GET", "/v1/apps/shop/versions", "");
    assert_eq!(status, 200, "{versions}");
    let one = |version: &Value| {
        let number = version["number"].as_u64().expect("a version has a number");
        (number, version["serves_as"].as_str().map(str::to_owned))
    };
    versions.as_array().expect("versions are listed").iter().map(one).collect()
}

/// What the history of the app calls its changes, the oldest first.
#[track_caller]
pub fn history(host: &ConfiguredHost) -> Vec<String> {
    let (status, lines) = host.api("GET", "/v1/apps/shop/history?limit=1000", "");
    assert_eq!(status, 200, "{lines}");
    let lines = lines.as_array().expect("a history has lines");
    lines.iter().rev().map(|line| line["action"].as_str().expect("an action").to_owned()).collect()
}

/// The files in a folder of the state directory.
pub fn files(host: &ConfiguredHost, folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(host.directory.path().join("state").join(folder)).expect("the state is there");
    entries.map(|entry| entry.expect("the state can be listed").path()).collect()
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "it did not come to this: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends the administration bytes, whole or not, on a connection of its own.
pub fn admin_stream(host: &ConfiguredHost, bytes: &[u8]) -> UnixStream {
    let path = host.admin.strip_prefix("unix:").expect("the administration is on a Unix socket");
    let mut stream = UnixStream::connect(path).expect("the administration can be reached");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time limit can be set");
    // Whoever refuses early does not read all of it.
    let _ = stream.write_all(bytes);
    stream
}

/// The head of a deploy of so many bytes.
pub fn deploy_head(host: &ConfiguredHost, bytes: u64) -> String {
    format!(
        "POST /v1/apps/shop/versions HTTP/1.1\r\nHost: admin\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/wasm\r\nContent-Length: {bytes}\r\n\r\n",
        host.token
    )
}
