//! `connect-handler` (RFC 9110 9.3.6): which requests it is asked about, and
//! where the tunnel begins. How tunnels go on and end is in `tunnels`.

use innkeeper_harness::server::Server;
use serde_json::{Value, json};

use crate::support::{assert_entries, get, refusal, scripted, scripted_on};

const ESTABLISHED: &str = "HTTP/1.1 200 Connection Established\r\n\r\n";

fn connecting(ops: Value) -> Server {
    scripted_on(json!({ "request": [["log", "request ", "url"], ["end", "plain"]], "connect": ops }))
}

fn echo() -> Server {
    connecting(json!([["log", "connect ", "url"], ["tunnel-write", ESTABLISHED], ["tunnel-echo"]]))
}

const CONNECT: &str = "CONNECT origin:443 HTTP/1.1\r\nHost: origin:443\r\n\r\n";

#[test]
fn the_target_is_an_authority() {
    let server = echo().start();
    let targets = ["origin:443", "127.0.0.1:80", "[::1]:8080", "origin.example:65535"];
    for target in targets {
        let mut client = server.connect();
        client.send(CONNECT.replace("origin:443", target)).expect(ESTABLISHED);
        client.send("ping").expect("ping");
    }
    assert_entries(&server, &targets.map(|target| format!("connect {target}")));
}

#[test]
fn what_is_no_authority_is_refused() {
    let server = echo().start();
    for target in
        ["/path", "origin", "origin:", ":443", "origin:x", "http://origin:443/", "user@origin:443", "*"]
    {
        let mut client = server.connect();
        client.send(format!("CONNECT {target} HTTP/1.1\r\nHost: inn\r\n\r\n"));
        client.expect(refusal("400 Bad Request"));
        client.expect_close();
    }
    assert_entries::<&str>(&server, &[]);
}

#[test]
fn bytes_that_come_early_belong_to_the_tunnel() {
    let server = echo().start();
    let bytes = CONNECT.to_owned() + "early";
    for place in 1..bytes.len() {
        let mut client = server.connect();
        client.send_split(&bytes, &[place]).expect(ESTABLISHED).expect("early");
    }
}

#[test]
fn a_request_behind_a_connect_is_bytes_of_the_tunnel() {
    let server = echo().start();
    let second = get("/second");
    let mut client = server.connect();
    client.send(get("/first") + CONNECT + &second).read_until("\r\n\r\nplain");
    client.expect(ESTABLISHED).expect(&second);
    client.send(&second).expect(&second);
    assert_entries(&server, &["request /first", "connect origin:443"]);
}

#[test]
fn content_is_refused() {
    let server = echo().start();
    for framing in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(CONNECT.replace("\r\n\r\n", "\r\n") + framing + &get("/smuggled"));
        client.expect(refusal("400 Bad Request"));
        client.expect_close();
    }
    assert_entries::<&str>(&server, &[]);
    // A length of nothing is no content.
    let mut client = server.connect();
    client.send(CONNECT.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\nearly"));
    client.expect(ESTABLISHED).expect("early");
}

#[test]
fn without_the_export_the_connection_closes_without_a_byte() {
    let server = scripted(json!([["log", "ran"], ["end", "plain"]])).start();
    let mut client = server.connect();
    client.send(CONNECT).expect_close();
    // What was answered before it is not lost.
    let mut client = server.connect();
    client.send(get("/") + CONNECT).read_until("\r\n\r\nplain");
    client.expect_close();
    assert_entries(&server, &["ran"]);
}

#[test]
fn connect_is_no_upgrade() {
    let takes = |name: &str| json!([["log", name], ["tunnel-write", ESTABLISHED], ["tunnel-echo"]]);
    let server = scripted_on(json!({ "connect": takes("connect"), "upgrade": takes("upgrade") })).start();
    let upgrade = "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    server.connect().send(CONNECT.replace("\r\n\r\n", "\r\n") + upgrade).expect(ESTABLISHED);
    server.connect().send("GET / HTTP/1.1\r\nHost: inn\r\n".to_owned() + upgrade).expect(ESTABLISHED);
    assert_entries(&server, &["connect", "upgrade"]);
}

#[test]
fn the_method_is_told_from_others_by_its_case() {
    // RFC 9110 9.1: a method is case-sensitive.
    let server = echo().start();
    let response = server.connect().ask("connect /path HTTP/1.1\r\nHost: inn\r\n\r\n");
    assert_eq!(response.text(), "plain");
}

#[test]
fn a_guest_that_refuses_closes_after_its_words() {
    let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let server = connecting(json!([["tunnel-write", refused]])).start();
    let mut client = server.connect();
    client.send(CONNECT.to_owned() + "bytes that nobody reads").expect(refused);
    client.expect_close();
}
