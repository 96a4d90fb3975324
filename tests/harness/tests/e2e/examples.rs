//! Every example is served and answers, byte for byte, as its text promises.

use innkeeper_harness::guests;
use innkeeper_harness::server::Server;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: inn\r\n\r\n";

/// What a failed handler leaves its client with, up to the length of the body.
const STATUS_500: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\n";

#[test]
fn every_example_has_a_test() {
    let tests = include_str!("examples.rs");
    let folder = innkeeper_harness::workspace::root().join("examples");
    let untested: Vec<_> = guests::names()
        .expect("the guests can be listed")
        .into_iter()
        .filter(|name| folder.join(name).is_dir() && !tests.contains(&format!("Server::of({name:?})")))
        .collect();
    assert!(untested.is_empty(), "no test serves {untested:?}");
}

#[test]
fn hello() {
    let server = Server::of("hello").start();
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(GET).expect(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: <DATE>\r\nConnection: keep-alive\r\n\
              Keep-Alive: timeout=5\r\nContent-Length: 12\r\n\r\nHello world\n",
        );
    }
}

#[test]
fn shortest() {
    let server = Server::of("shortest").start();
    server.connect().send(GET).expect(
        b"HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
          Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    );
}

#[test]
fn echo_collected_tells_type_and_length() {
    let server = Server::of("echo-collected").start();
    let mut client = server.connect();
    client.send(b"POST / HTTP/1.1\r\nHost: inn\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nab").send(b"cde").expect(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nX-Body-Length: 5\r\nDate: <DATE>\r\nConnection: keep-alive\r\n\
          Keep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nabcde",
    );
    client
        .send(b"POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        .expect(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nX-Body-Length: 1\r\nDate: <DATE>\r\n\
          Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 1\r\n\r\nx",
    );
}

#[test]
fn echo_collected_refuses_more_than_a_mebibyte() {
    let server = Server::of("echo-collected").start();
    let mut client = server.connect();
    client.send(b"POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: 1048577\r\n\r\n");
    // It may have answered, and closed, before all of it is sent.
    client.try_send(vec![b'a'; 1_048_577]);
    let response = client.read_response();
    assert_eq!((response.status(), response.text().as_str()), (Some(413), "the body is larger than 1 MiB\n"));
}

#[test]
fn echo_stream_sends_each_piece_as_it_comes() {
    let server = Server::of("echo-stream").start();
    let mut client = server.connect();
    client.send(b"POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    client.expect(
        b"HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
          Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
    );
    client.send(b"3\r\ntwo\r\n").expect(b"3\r\ntwo\r\n");
    client.send(b"0\r\n\r\n").expect(b"0\r\n\r\n");
}

#[test]
fn request_dump() {
    let server = Server::of("request-dump").start();
    let mut client = server.connect();
    let response = client.ask(
        b"PUT /path?q=1 HTTP/1.1\r\nHost: inn\r\nX-Two: a\r\nx-two: b\r\nSet-Cookie: c\r\nTransfer-Encoding: chunked\r\n\r\n\
          4\r\nbody\r\n0\r\nX-End: yes\r\n\r\n",
    );
    assert_eq!((response.status(), response.header("content-type")), (Some(200), Some("application/json")));
    let mut dump: serde_json::Value = serde_json::from_slice(&response.body).expect("the body is JSON");
    let socket = dump["socket"].take();
    assert_eq!(
        dump,
        serde_json::json!({
            "method": "PUT",
            "url": "/path?q=1",
            "httpVersion": "1.1",
            "headers": {"host": "inn", "x-two": "a, b", "set-cookie": ["c"], "transfer-encoding": "chunked"},
            "headersDistinct": {"host": ["inn"], "x-two": ["a", "b"], "set-cookie": ["c"], "transfer-encoding": ["chunked"]},
            "rawHeaders": [["Host", "inn"], ["X-Two", "a"], ["x-two", "b"], ["Set-Cookie", "c"], ["Transfer-Encoding", "chunked"]],
            "body": "body",
            "trailers": {"x-end": "yes"},
            "trailersDistinct": {"x-end": ["yes"]},
            "rawTrailers": [["X-End", "yes"]],
            "complete": true,
            "socket": null,
        })
    );
    assert_eq!(socket["remoteAddress"], "127.0.0.1");
    assert_eq!(socket["remotePort"], client.local_addr().port());
    assert_eq!(socket["localPort"], server.addr().port());
    assert_eq!(
        (&socket["encrypted"], &socket["exchanges"], &socket["bytesWritten"]),
        (&false.into(), &1.into(), &0.into())
    );
}

#[test]
fn basic_auth() {
    let server = Server::of("basic-auth").env("USER", "guest").env("PASSWORD", "secret").start();
    let mut client = server.connect();
    let refused: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"inn\", charset=\"UTF-8\"\r\nDate: <DATE>\r\n\
          Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 13\r\n\r\nWho are you?\n";
    client.send(GET).expect(refused);
    // guest:wrong
    client
        .send(b"GET / HTTP/1.1\r\nHost: inn\r\nAuthorization: Basic Z3Vlc3Q6d3Jvbmc=\r\n\r\n")
        .expect(refused);
    // guest:secret
    client.send(b"GET / HTTP/1.1\r\nHost: inn\r\nAuthorization: basic Z3Vlc3Q6c2VjcmV0\r\n\r\n").expect(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: <DATE>\r\nConnection: keep-alive\r\n\
          Keep-Alive: timeout=5\r\nContent-Length: 15\r\n\r\nWelcome, guest\n",
    );
}

#[test]
fn basic_auth_without_credentials_lets_nobody_in() {
    let server = Server::of("basic-auth").arg("--name", "auth").start();
    let mut client = server.connect();
    client.send(GET).expect(STATUS_500);
    let line = server.wait_log(|line| line.is_guest());
    assert_eq!(line.message, "handler failed: environment variable not found");
    assert_eq!(
        (line.field("stream").as_deref(), line.field("app").as_deref()),
        (Some("stderr"), Some("auth"))
    );
}

#[test]
fn server_sent_events() {
    let server = Server::of("server-sent-events").start();
    let mut client = server.connect();
    client.send(b"GET /?count=2&interval-ms=10 HTTP/1.1\r\nHost: inn\r\n\r\n");
    client.expect(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nDate: <DATE>\r\n\
          Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    client.expect(b"20\r\nid: 1\nevent: tick\ndata: 1 of 2\n\n\r\n20\r\nid: 2\nevent: tick\ndata: 2 of 2\n\n\r\n0\r\n\r\n");
}

#[test]
fn server_sent_events_end_when_the_client_goes() {
    let server = Server::of("server-sent-events").start();
    let mut client = server.connect();
    client.send(b"GET /?count=1000000&interval-ms=1 HTTP/1.1\r\nHost: inn\r\n\r\n");
    client.read_until("id: 3\n");
    client.reset();
    server.wait_log(|line| {
        line.target == "access" && line.field("url").is_some_and(|url| url.contains("count=1000000"))
    });
}

#[test]
fn refuse_upload_answers_before_the_body() {
    let server = Server::of("refuse-upload").start();
    let mut client = server.connect();
    client.send(b"PUT / HTTP/1.1\r\nHost: inn\r\nContent-Length: 2000000\r\n\r\n");
    client.send(vec![b'a'; 100_000]);
    client.expect(
        b"HTTP/1.1 413 Payload Too Large\r\nContent-Type: text/plain\r\nConnection: close\r\nDate: <DATE>\r\n\
          Content-Length: 49\r\n\r\nan upload says its length, and has at most 1 MiB\n",
    );
    client.expect_close();
}

#[test]
fn refuse_upload_takes_a_small_one() {
    let server = Server::of("refuse-upload").start();
    server.connect().send(b"PUT / HTTP/1.1\r\nHost: inn\r\nContent-Length: 3\r\n\r\nabc").expect(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: <DATE>\r\nConnection: keep-alive\r\n\
          Keep-Alive: timeout=5\r\nContent-Length: 8\r\n\r\n3 bytes\n",
    );
}
