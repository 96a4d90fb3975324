//! The command line that administers a host: each command against a real one.

use innkeeper_harness::configured::ConfiguredHost;
use innkeeper_harness::server::Server;
use serde_json::json;

const HELLO: &str = "[[app]]\nname = \"hello\"\ncomponent = \"{guest:hello}\"\n";

#[test]
fn the_harness_reaches_a_configured_host() {
    let host = Server::configured(HELLO);
    let (status, apps) = host.api("GET", "/v1/apps", "");
    assert_eq!((status, &apps[0]["name"]), (200, &json!("hello")));
    assert_eq!(host.api_as("wrong", "GET", "/v1/apps", "").0, 401);
    host.rewrite(&HELLO.replace("\"hello\"", "\"again\""));
    assert!(ConfiguredHost::is_in_effect(&host.reload()));
    assert_eq!(host.api("GET", "/v1/apps", "").1[0]["name"], "again");
    host.rewrite("nonsense");
    assert!(!ConfiguredHost::is_in_effect(&host.reload()));
    let (directory, exit) = host.stop();
    assert!(exit.status.success());
    let host = ConfiguredHost::start_in(directory, HELLO).expect("it starts again");
    assert_eq!(host.api("GET", "/v1/apps", "").1[0]["name"], "hello");
}
