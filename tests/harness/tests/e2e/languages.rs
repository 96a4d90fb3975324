//! Components in other languages, built by their own tools: JavaScript with a
//! fetch handler, Express on Node's `http`, Python.
//! `cargo xtask test --languages off` leaves them out.

use std::process::Command;
use std::time::Duration;

use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::upstream::Upstream;
use innkeeper_harness::{composing, guests, languages, workspace};
use tempfile::TempDir;

use crate::elsewhere::Elsewhere;
use crate::support::get;

/// Their components are large, and compiled when they are loaded first.
const START: Duration = Duration::from_secs(180);

#[track_caller]
fn server(name: &str) -> Server {
    let component = languages::component(name).unwrap_or_else(|error| panic!("{error:#}"));
    Server::at(component).arg("--instances", "pooled").start_within(START)
}

#[track_caller]
fn post(server: &Running, target: &str, kind: &str, body: &str) -> innkeeper_harness::message::Message {
    let length = body.len();
    server.connect().ask(format!(
        "POST {target} HTTP/1.1\r\nHost: inn\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

#[test]
fn a_fetch_handler_answers_streams_and_asks_others() {
    let upstream = Upstream::start().answering(|request| {
        assert_eq!(request.method(), "GET");
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nasked".to_vec()
    });
    let there = format!("http://{}", upstream.authority());
    let server = server("fetch").arg("--outbound", &there).start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/")).text(), "hello from JavaScript\n");
    let json = client.ask(get("/json?a=1"));
    assert_eq!(json.header("content-type"), Some("application/json"));
    assert_eq!(json.text(), r#"{"path":"/json","query":{"a":"1"}}"#);
    assert_eq!(post(&server, "/echo", "text/plain", "some bytes").text(), "some bytes");
    assert_eq!(client.ask(get("/nowhere")).status(), Some(404));
    // One after another, and each at once.
    client.send(get("/stream"));
    for piece in ["3\n", "2\n", "1\n", "0\r\n\r\n"] {
        client.read_until(piece);
    }
    let relayed = client.ask(get(&format!("/relay?url={there}/x")));
    assert_eq!((relayed.status(), relayed.text().as_str()), (Some(202), "asked"));
}

#[test]
fn a_fetch_handler_asks_nobody_that_was_not_granted() {
    let server = server("fetch").start();
    let refused = server.connect().ask(get("/relay?url=http://127.0.0.1:9/"));
    assert_eq!(refused.status(), Some(502));
}

#[test]
fn a_middleware_stands_in_front_of_javascript() {
    let middleware = guests::component("wasi-auth-middleware").expect("the middleware is built");
    let app = languages::component("fetch").unwrap_or_else(|error| panic!("{error:#}"));
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("guarded.wasm");
    std::fs::write(&path, composing::in_front(middleware, &app).expect("they fit")).expect("there is room");
    let server = Server::at(path).env("TOKEN", "secret").start_within(START).start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(401));
    let let_in = server
        .connect()
        .ask(b"GET / HTTP/1.1\r\nHost: inn\r\nAuthorization: Bearer secret\r\n\r\n".as_slice());
    assert_eq!(let_in.text(), "hello from JavaScript\n");
}

#[test]
fn an_express_app_is_served() {
    let upstream =
        Upstream::start().answering(|_| b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nasked".to_vec());
    let there = format!("http://{}", upstream.authority());
    let server = server("express").arg("--outbound", &there).start();
    let mut client = server.connect();
    for _ in 0..2 {
        let hello = client.ask(get("/"));
        assert_eq!((hello.status(), hello.text().as_str()), (Some(200), "hello from Express\n"));
        assert_eq!(hello.header("x-powered-by"), Some("Express"));
        assert!(hello.header("etag").is_some(), "{hello:?}");
    }
    assert_eq!(client.ask(get("/users/7?a=1")).text(), r#"{"id":"7","query":{"a":"1"}}"#);
    let echoed = post(&server, "/echo", "application/json", r#"{"a":[1,2]}"#);
    assert_eq!((echoed.status(), echoed.text().as_str()), (Some(201), r#"{"a":[1,2]}"#));
    assert_eq!(post(&server, "/echo", "application/json", "{bad").status(), Some(400));
    assert_eq!(client.ask(get("/nowhere")).status(), Some(404));
    let relayed = client.ask(get(&format!("/relay?url={there}/x")));
    assert_eq!((relayed.status(), relayed.text().as_str()), (Some(202), "asked"));
    let head = client.send("HEAD / HTTP/1.1\r\nHost: inn\r\n\r\n").read_response_to_head();
    assert_eq!((head.status(), head.header("content-length")), (Some(200), Some("19")));
}

#[test]
fn an_express_app_asks_nobody_that_was_not_granted_and_logs_it() {
    let server = server("express").start();
    let refused = server.connect().ask(get("/relay?url=http://127.0.0.1:9/"));
    assert_eq!(refused.status(), Some(502));
    assert!(refused.text().contains("the operator grants them with outbound"), "{}", refused.text());
}

#[test]
fn a_body_beyond_the_limit_does_not_reach_express() {
    let server = server("express").arg("--request-body-bytes-max", "10").start();
    assert_eq!(post(&server, "/echo", "application/json", r#"{"a":"0123456789"}"#).status(), Some(413));
}

#[test]
fn a_program_that_does_not_get_ready_in_time_is_not_served() {
    let server = server("express").arg("--cpu-time-max", "1ms").start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(500));
    server.wait_log(|line| line.message.contains("cpu_time_max"));
}

#[test]
fn a_python_handler_answers_and_streams() {
    let server = server("python").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/")).text(), "hello from Python\n");
    assert_eq!(client.ask(get("/json?a=1")).text(), r#"{"path": "/json", "query": "a=1"}"#);
    assert_eq!(client.ask(get("/nowhere")).status(), Some(404));
    client.send("POST /echo HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    client.read_until("3\r\none\r\n");
    client.send("3\r\ntwo\r\n").read_until("3\r\ntwo\r\n");
    client.send("0\r\n\r\n").read_until("0\r\n\r\n");
}

#[test]
fn memory_that_does_not_suffice_is_named() {
    let error =
        server("python").arg("--memory-bytes-max", "2MiB").try_start().err().expect("it does not start");
    assert!(format!("{error:#}").contains("memory"), "{error:#}");
}

/// A project that was begun from a template, and built, in a folder of its own.
struct Project(TempDir);

impl Project {
    #[track_caller]
    fn built(language: &str, template: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let host = workspace::host_binary().expect("the host can be built");
        for args in [&["new", "try", "--lang", language, "--template", template][..], &["build", "try"]] {
            let mut command = Command::new(&host);
            workspace::run(command.args(args).current_dir(folder.path()))
                .unwrap_or_else(|error| panic!("{error:#}"));
        }
        Project(folder)
    }

    fn server(&self) -> Server {
        Server::at(self.0.path().join("try/app.wasm")).start_within(START)
    }
}

#[test]
fn apis_of_the_templates_are_built_and_answer() {
    for language in ["js", "python"] {
        let project = Project::built(language, "api");
        let server = project.server().start();
        let told = r#"{"text":"Hello, Ada!","language":"en"}"#;
        let answer = server.connect().ask(get("/greetings/Ada"));
        assert_eq!(answer.text().replace(": ", ":").replace(", \"", ",\""), told, "{language}");
        let wish = r#"{"name": "Ada", "language": "fr"}"#;
        let made = post(&server, "/greetings", "application/json", wish);
        assert_eq!(made.status(), Some(201), "{language}: {}", made.text());
        assert!(made.text().contains("Bonjour, Ada!"), "{language}: {}", made.text());
        assert_eq!(post(&server, "/greetings", "application/json", "{").status(), Some(400), "{language}");
        if language == "python" {
            let long = format!(r#"{{"name": "{}"}}"#, "a".repeat(100_000));
            assert_eq!(post(&server, "/greetings", "application/json", &long).status(), Some(413));
            assert_eq!(server.connect().ask(get("/greetings/Ada")).status(), Some(200));
        }
    }
}

#[test]
fn proxies_of_the_templates_pass_requests_on() {
    for language in ["js", "python"] {
        let elsewhere = Elsewhere::answering(|request| {
            let answer = format!("{}: {}", request.line, request.text());
            let length = answer.len();
            let head = format!("HTTP/1.1 201 Created\r\nX-Answer: 3\r\nContent-Length: {length}\r\n\r\n");
            Some((head + &answer).into_bytes())
        });
        let project = Project::built(language, "proxy");
        let upstream = elsewhere.origin();
        let server = project.server().env("UPSTREAM", &upstream).arg("--outbound", &upstream).start();
        let answer = post(&server, "/items?a=b", "text/tea", "a cup");
        assert_eq!(answer.text(), "POST /items?a=b HTTP/1.1: a cup", "{language}");
        assert_eq!((answer.status(), answer.header("x-answer")), (Some(201), Some("3")), "{language}");
        assert_eq!(server.connect().ask(get("/x")).text(), "GET /x HTTP/1.1: ", "{language}");
        assert_eq!(elsewhere.requests()[0].header("content-type"), Some("text/tea"), "{language}");

        let alone = project.server().env("UPSTREAM", &upstream).start();
        for refused in [alone.connect().ask(get("/")), post(&alone, "/", "text/tea", "a cup")] {
            assert_eq!(refused.status(), Some(502), "{language}: {}", refused.text());
        }
        alone.wait_log(|line| line.is_guest() && line.message.contains("no answer from"));
        assert_eq!(elsewhere.requests().len(), 2, "{language}");
    }
}
