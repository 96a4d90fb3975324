//! What `serve` says: the addresses it is bound to, a line for each exchange,
//! and the form of its log.

use std::process::Command;

use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::listening_on;
use innkeeper_harness::wire::Client;
use innkeeper_harness::{DEADLINE, guests, workspace};

use crate::support::{assert_serves, get, misbehave, wait_access};

#[test]
fn several_addresses_are_served_and_told() {
    let server = misbehave().listen("127.0.0.1:0").listen("127.0.0.1:0").start();
    let [first, second] = server.addrs() else { panic!("{:?}", server.addrs()) };
    assert_ne!(first.port(), second.port());
    assert!(first.port() != 0 && second.port() != 0);
    for address in server.addrs() {
        assert_eq!(Client::connect(*address).ask(get("/ok")).text(), "ok");
    }
}

#[test]
fn every_exchange_has_a_line() {
    let server = misbehave().arg("--name", "inn").start();
    let mut client = server.connect();
    client.ask("POST /never-read?x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc");
    wait_access(&server, "/never-read?x");
    let line = server.wait_log(|line| line.target == "access");
    let field = |name| line.field(name).unwrap_or_default();
    assert_eq!(line.level, "INFO");
    assert_eq!(
        ["app", "method", "url", "version", "status", "bytes", "sent", "exchange", "peer"].map(field),
        ["inn", "POST", "/never-read?x", "1.0", "200", "8", "true", "1", &client.local_addr().to_string()]
    );
    assert!(line.number("micros").is_some());
}

#[test]
fn an_exchange_that_failed_says_why() {
    let server = misbehave().start();
    let mut client = server.connect();
    client.send(get("/set-timeout?ms=0")).read_until("\r\n\r\n");
    client.reset();
    wait_access(&server, "/set-timeout?ms=0");
    let line = server.wait_log(|line| line.target == "access");
    assert_eq!(line.field("sent").as_deref(), Some("false"));
    assert_eq!(line.field("failure").as_deref(), Some("the peer closed the connection"));
}

#[test]
fn a_request_that_was_refused_has_a_line_too() {
    let server = misbehave().start();
    assert_eq!(server.connect().ask("GET / HTTP/1.1\r\n\r\n").status(), Some(400));
    let line = server.wait_log(|line| line.target == "access");
    assert_eq!(line.number("status"), Some(400));
    assert_eq!(line.field("refused").as_deref(), Some("bad request: Host header"));
}

#[test]
fn the_access_log_can_be_switched_off() {
    let server = misbehave().arg("--access-log", "off").start();
    assert_serves(&server);
    assert_eq!(server.connect().ask(get("/log?n=1")).text(), "logged");
    server.wait_guest_line("line 1 of 1");
    assert!(!server.logs().iter().any(|line| line.target == "access"));
}

#[test]
fn a_log_for_people() {
    let guest = guests::component("misbehave").expect("the guests can be built");
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    command.arg("serve").arg(guest).args(["--listen", "127.0.0.1:0"]);
    let process = Process::spawn(&mut command).expect("the host starts");
    let bound = |lines: &[String]| listening_on(lines.first()?);
    let address = process.wait_lines(Output::Stdout, DEADLINE, bound).expect("it tells its address");
    assert_eq!(Client::connect(address).ask(get("/ok")).text(), "ok");
    let access = |lines: &[String]| lines.iter().find(|line| line.contains("access:")).cloned();
    let line = process.wait_lines(Output::Stderr, DEADLINE, access).expect("it has a line");
    assert!(line.contains("INFO") && line.contains("url=\"/ok\""), "{line}");
    // Into a pipe it writes no colours.
    assert!(!line.contains('\x1b'), "{line}");
}
