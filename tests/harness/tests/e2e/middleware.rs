//! Components composed of two are served: an authentication in front of
//! another app, for each of the contracts. And the guests of the standard
//! world in Rust that are behind it. Those in other languages have a file of
//! their own.

use std::path::Path;

use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::{composing, guests};
use tempfile::TempDir;

use crate::support::get;

const WITH_TOKEN: &[u8] = b"GET / HTTP/1.1\r\nHost: inn\r\nAuthorization: Bearer secret\r\n\r\n";

/// What has the composition, and the server of it.
type Guarded = (TempDir, Running);

#[track_caller]
fn guarded(middleware: &str, app: &Path) -> Guarded {
    let middleware = guests::component(middleware).expect("the middleware is built");
    let bytes = composing::in_front(middleware, app).expect("they fit");
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("guarded.wasm");
    std::fs::write(&path, bytes).expect("there is room");
    let server = Server::at(path).env("TOKEN", "secret").start();
    (folder, server)
}

#[track_caller]
fn lets_the_token_through(server: &Running, greeting: &str) {
    let mut client = server.connect();
    let wrong = "GET / HTTP/1.1\r\nHost: inn\r\nAuthorization: Bearer secre\r\n\r\n";
    for request in [get("/"), wrong.to_owned()] {
        let refused = client.ask(&request);
        assert_eq!(refused.status(), Some(401), "{request}");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"inn\""));
    }
    let let_in = client.ask(WITH_TOKEN);
    assert_eq!((let_in.status(), let_in.text().as_str()), (Some(200), greeting));
}

#[test]
fn a_middleware_stands_in_front_of_an_app() {
    let hello = guests::component("hello").expect("the app is built");
    let (_folder, server) = guarded("auth-middleware", hello);
    lets_the_token_through(&server, "Hello world\n");
}

#[test]
fn what_a_middleware_has_set_the_app_sees() {
    // It hands the exchange on as it is: a body streams through it.
    let echo = guests::component("echo-stream").expect("the app is built");
    let (_folder, server) = guarded("auth-middleware", echo);
    let mut client = server.connect();
    client.send(
        b"POST / HTTP/1.1\r\nHost: inn\r\nAuthorization: Bearer secret\r\nTransfer-Encoding: chunked\r\n\r\n\
          3\r\none\r\n",
    );
    client.read_until("\r\n\r\n3\r\none\r\n");
    client.send(b"3\r\ntwo\r\n").expect(b"3\r\ntwo\r\n");
    client.send(b"0\r\n\r\n").expect(b"0\r\n\r\n");
}

#[test]
fn a_middleware_without_its_token_lets_nobody_in() {
    let hello = guests::component("hello").expect("the app is built");
    let middleware = guests::component("auth-middleware").expect("the middleware is built");
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("guarded.wasm");
    std::fs::write(&path, composing::in_front(middleware, hello).expect("they fit")).expect("there is room");
    let server = Server::at(path).start();
    assert_eq!(server.connect().ask(WITH_TOKEN).status(), Some(500));
}

#[test]
fn a_middleware_stands_in_front_of_a_standard_handler() {
    for (app, greeting) in [("wstd-hello", "hello from wstd\n"), ("wasip2-hello", "hello from wasip2\n")] {
        let app = guests::component(app).expect("the app is built");
        let (_folder, server) = guarded("wasi-auth-middleware", app);
        lets_the_token_through(&server, greeting);
    }
}

#[test]
fn a_middleware_alone_is_told_what_it_lacks() {
    // The examples are components that nothing stands behind yet.
    for (server, import) in [
        (Server::of("auth-middleware"), "innkeeper:http/handler@0.1.0"),
        (Server::of("wasi-auth-middleware"), "wasi:http/incoming-handler@0.2"),
    ] {
        let error = format!("{:#}", server.try_start().err().expect("it does not start"));
        assert!(error.contains(import), "{error}");
    }
}

#[test]
fn wstd_hello_answers_and_streams() {
    let server = Server::of("wstd-hello").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/")).text(), "hello from wstd\n");
    client.send(b"POST /echo HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    client.read_until("\r\n\r\n3\r\none\r\n");
    client.send(b"0\r\n\r\n").expect(b"0\r\n\r\n");
    assert_eq!(client.ask(get("/nowhere")).status(), Some(404));
}

#[test]
fn wasip2_hello_answers() {
    let server = Server::of("wasip2-hello").start();
    let response = server.connect().ask(get("/"));
    assert_eq!((response.status(), response.header("content-type")), (Some(200), Some("text/plain")));
    assert_eq!(response.text(), "hello from wasip2\n");
}
