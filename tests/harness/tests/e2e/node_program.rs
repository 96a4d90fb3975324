//! A program on `jco:node/http`, the interface that jco gives in place of
//! Node's `http`: what it sees and may say, how it starts, and what it cannot
//! do. That what jco makes is such a program is shown in `languages`.

use innkeeper_harness::message::Message;
use innkeeper_harness::server::{Running, Server};

use crate::elsewhere::Elsewhere;
use crate::support::{get, wait_access};

/// See `tests/guests/node-program`.
fn program() -> Server {
    Server::of("node-program")
}

/// A request with these lines of headers.
fn with(target: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: inn\r\n{lines}\r\n")
}

fn post(target: &str, lines: &str, body: &str) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: inn\r\nContent-Length: {}\r\n{lines}\r\n{body}", body.len())
}

#[track_caller]
fn assert_500(server: &Running, request: impl AsRef<[u8]>, cause: &str) {
    let answer = server.connect().ask(request);
    assert_eq!(answer.status(), Some(500), "{answer:?}");
    assert!(!answer.text().contains(cause), "the client is told the cause: {}", answer.text());
    server.wait_log(|line| !line.is_guest() && line.message.contains(cause));
    assert_eq!(server.connect().ask(get("/")).text(), "a program\n");
}

fn names(message: &Message) -> Vec<&str> {
    message.headers.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_request_comes_whole_and_as_it_was_sent() {
    let server = program().start();
    let mut client = server.connect();
    let seen = client.ask(
        "PUT /seen HTTP/1.1\r\nHost: inn\r\nX-Case: Kept\r\nx-case: twice\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    let expected = "PUT /seen 1.1\nfrom 127.0.0.1, with a port: true\nHost: inn\nX-Case: Kept\nx-case: twice\n\
                    Transfer-Encoding: chunked\n5 bytes\n";
    assert_eq!(seen.text(), expected);
    let echoed = client.ask(post("/echo", "Content-Type: a/b\r\n", "hello"));
    assert_eq!(
        (echoed.status(), echoed.reason(), echoed.text().as_str()),
        (Some(201), Some("Echoed"), "hello")
    );
    assert_eq!((echoed.header("content-type"), echoed.header("seen")), (Some("a/b"), Some("5")));
    assert_eq!(client.ask("HEAD / HTTP/1.1\r\nHost: inn\r\n\r\n").status(), Some(200));
    let old = server.connect().ask("GET /seen HTTP/1.0\r\n\r\n");
    assert!(old.text().starts_with("GET /seen 1.0\n"), "{}", old.text());
}

#[test]
fn a_body_that_is_too_large_does_not_reach_it() {
    let server = program().arg("--request-body-bytes-max", "4").start();
    assert_eq!(server.connect().ask(post("/echo", "", "hello")).status(), Some(413));
    assert_eq!(server.connect().ask(post("/echo", "", "hell")).text(), "hell");
}

#[test]
fn an_instance_is_started_once_and_serves_as_long_as_it_may() {
    let fresh = program().start();
    let pooled = program().arg("--instances", "pooled").start();
    for (server, counts) in [(&fresh, ["1", "1"]), (&pooled, ["1", "2"])] {
        let mut client = server.connect();
        assert_eq!([(); 2].map(|()| client.ask(get("/count")).text()), counts);
    }
    // A trap ends its instance.
    assert_500(&pooled, get("/trap"), "trapped");
    assert_eq!(pooled.connect().ask(get("/count")).text(), "2", "it was asked for / before");
}

#[test]
fn a_program_that_does_not_listen_serves_nothing() {
    for (start, cause) in [
        ("deaf", "no server of it listens; call listen"),
        ("nobody", "has no listener"),
        ("fails", "its start failed: no room in the inn"),
        ("traps", "trapped"),
    ] {
        let server = program().env("START", start).start();
        let answer = server.connect().ask(get("/"));
        assert_eq!(answer.status(), Some(500), "{start}");
        server.wait_log(|line| !line.is_guest() && line.message.contains(cause));
    }
    let server = program().env("START", "spins").arg("--cpu-time-max", "100ms").start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(500));
    server.wait_log(|line| line.message.contains("cpu_time_max"));
}

#[test]
fn failures_cost_their_own_exchange() {
    let server = program().arg("--cpu-time-max", "200ms").arg("--instances", "pooled").start();
    assert_500(&server, get("/fail"), "the request listener failed: the listener gave up");
    assert_500(&server, get("/trap"), "trapped");
    assert_500(&server, get("/spin"), "cpu_time_max");
    let small = program().arg("--memory-bytes-max", "8MiB").start();
    assert_500(&small, with("/large", "bytes: 100000000\r\n"), "memory_bytes_max");
}

#[test]
fn a_client_that_goes_ends_its_listener() {
    let server = program().arg("--cpu-time-max", "off").arg("--wall-time-max", "off").start();
    let mut client = server.connect();
    client.send(get("/spin"));
    server.wait_guest_line("spins");
    client.reset();
    wait_access(&server, "/spin");
}

#[test]
fn a_response_is_checked_like_any_other() {
    let server = program().start();
    for (lines, cause) in [
        ("name: x\\r\\nEvil\r\nvalue: y\r\n", "the response cannot be sent"),
        ("name: x\r\nvalue: y\\r\\nEvil: z\r\n", "the response cannot be sent"),
        ("reason: fine\\r\\nEvil: z\r\n", "the response cannot be sent"),
        ("status: 99\r\n", "the response cannot be sent"),
        ("status: 1000\r\n", "the response cannot be sent"),
        ("status: 101\r\n", "the response cannot be sent"),
        ("name: Content-Length\r\nvalue: 3\r\nbody: five!\r\n", "the response cannot be sent"),
        ("name: Content-Length\r\nvalue: 9\r\nbody: five!\r\n", "the response cannot be sent"),
    ] {
        assert_500(&server, with("/raw", lines), cause);
    }
    // What is about the connection is the host's, but for the wish to close it.
    for name in ["Transfer-Encoding", "Keep-Alive", "Upgrade", "Connection"] {
        let answer =
            server.connect().ask(with("/raw", &format!("name: {name}\r\nvalue: chunked\r\nbody: all\r\n")));
        assert_eq!((answer.status(), answer.text().as_str()), (Some(200), "all"));
        assert_eq!(names(&answer), ["Date", "Connection", "Keep-Alive", "Content-Length"]);
    }
    let last = server.connect().ask(with("/raw", "name: connection\r\nvalue: Close\r\n"));
    assert_eq!(last.header("connection"), Some("Close"));
    let empty = server.connect().ask(with("/raw", "status: 204\r\nbody: none\r\n"));
    assert_eq!((empty.status(), empty.text().as_str()), (Some(204), ""));
}

#[test]
fn what_no_host_has_of_node_is_refused_when_it_is_called() {
    let server = program().start();
    let refused = server.connect().ask(get("/os"));
    assert_eq!(
        refused.text(),
        "ERR_ACCESS_DENIED: jco:node/os@0.2.0.hostname is not available on this host\n"
    );
    // A function that cannot fail has nothing else to say.
    assert_500(&server, get("/uptime"), "jco:node/os@0.2.0.uptime is not available on this host");
}

#[test]
fn a_program_has_one_server_and_what_was_granted_over_it() {
    let told = "another EADDRINUSE\non a pipe EACCES\nsecure ERR_METHOD_NOT_IMPLEMENTED\n\
                closing what never listened goes\nhas a port true\n";
    let server = program().start();
    let denied = "connections ERR_ACCESS_DENIED\nidle ones ERR_ACCESS_DENIED\nall ERR_ACCESS_DENIED\n\
                  close ERR_ACCESS_DENIED\n";
    assert_eq!(server.connect().ask(get("/servers")).text(), format!("{told}{denied}"));
    assert_eq!(server.connect().ask(get("/")).text(), "a program\n");
}

#[test]
fn there_is_no_terminal() {
    let server = program().start();
    let mut client = server.connect();
    let told = "is one Ok(false), opens Ok(()), size Err(\"ENOTTY\"), raw Err(\"ENOTTY\"), input Ok([]), \
                environment Ok([]), fd 3 Err(\"ENOTTY\")\n";
    assert_eq!(client.ask(get("/terminal")).text(), told);
    assert_eq!(client.ask(post("/print", "", "one\nsecond\u{1b}[0m")).text(), "true\n");
    server.wait_guest_line("one");
    server.wait_log(|line| {
        line.is_guest() && line.message.starts_with("second") && !line.message.contains('\u{1b}')
    });
}

#[test]
fn its_requests_go_where_they_may() {
    let elsewhere = Elsewhere::telling("reached");
    let to = |server: &Running, lines: &str| {
        let lines = format!("authority: {}\r\n{lines}", elsewhere.authority());
        server.connect().ask(post("/ask", &lines, "a body")).text()
    };
    let alone = program().start();
    assert!(to(&alone, "").starts_with("ERR_ACCESS_DENIED "), "{}", to(&alone, ""));
    elsewhere.assert_untouched();
    let server = program().arg("--outbound", elsewhere.origin()).start();
    assert_eq!(to(&server, ""), "1.1 200 OK: reached\n");
    let asked = elsewhere.requests();
    assert_eq!((asked.len(), asked[0].text().as_str()), (1, "a body"));
    for (lines, code) in [
        ("secure: yes\r\n", "ERR_METHOD_NOT_IMPLEMENTED"),
        ("scheme: ftp\r\n", "ERR_INVALID_PROTOCOL"),
        ("name: x\\r\\nEvil\r\n", "ERR_HTTP_INVALID_MESSAGE"),
        ("name: x\r\nvalue: y\\r\\nEvil: z\r\n", "ERR_HTTP_INVALID_MESSAGE"),
        ("path: /a b\r\n", "ERR_UNESCAPED_CHARACTERS"),
    ] {
        assert!(to(&server, lines).starts_with(&format!("{code} ")), "{lines:?}: {}", to(&server, lines));
    }
    assert_eq!(elsewhere.requests().len(), 1, "nothing else was sent");
    let silent = Elsewhere::silent();
    let server = program().arg("--outbound", silent.origin()).start();
    let lines = format!("authority: {}\r\nfirst-byte: 100\r\n", silent.authority());
    let told = server.connect().ask(post("/ask", &lines, "")).text();
    assert!(told.starts_with("ETIMEDOUT "), "{told}");
}
