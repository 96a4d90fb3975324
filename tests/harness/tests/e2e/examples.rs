//! Every example is served and answers, byte for byte, as its text promises.
//! Those that call other servers have a file of their own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use innkeeper_harness::server::Server;
use innkeeper_harness::wire::Client;
use innkeeper_harness::{DEADLINE, guests};
use rustix::process::Signal;

use crate::support::{get, upgrade};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: inn\r\n\r\n";

/// What a failed handler leaves its client with, up to the length of the body.
const STATUS_500: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\n";

#[test]
fn every_example_has_a_test() {
    let tests = concat!(
        include_str!("examples.rs"),
        include_str!("examples_client.rs"),
        include_str!("middleware.rs")
    );
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
fn counter() {
    let server = Server::of("counter").arg("--keyvalue", "default").start();
    let mut client = server.connect();
    for (target, told) in [
        ("/a", "visit 1 of /a\n"),
        ("/a", "visit 2 of /a\n"),
        ("/b", "visit 1 of /b\n"),
        ("/", "2 /a\n1 /b\n"),
    ] {
        assert_eq!(client.ask(get(target)).text(), told);
    }
    // Without the grant there is nothing to count with.
    let server = Server::of("counter").start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(500));
    server.wait_log(|line| line.message.contains("the bucket is not granted"));
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

/// The request of RFC 6455 1.2, and the answer to it.
const WEBSOCKET: &[u8] = b"GET /chat HTTP/1.1\r\nHost: inn\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const WEBSOCKET_ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// `Hello`, masked and not, as in RFC 6455 5.7.
const HELLO: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
const HELLO_ANSWER: &[u8] = b"\x81\x05Hello";

#[test]
fn websocket_echo() {
    let server = Server::of("websocket-echo").start();
    let mut client = server.connect();
    client.send(WEBSOCKET).expect(WEBSOCKET_ANSWER);
    client.send(HELLO).expect(HELLO_ANSWER);
    // A ping, and a close with the code 1000, of either side.
    client.send(b"\x89\x80\0\0\0\0").expect(b"\x8a\x00");
    client.send(b"\x88\x82\0\0\0\0\x03\xe8").expect(b"\x88\x02\x03\xe8").expect_close();
}

#[test]
fn websocket_echo_takes_frames_that_come_early() {
    let server = Server::of("websocket-echo").start();
    let bytes = [WEBSOCKET, HELLO].concat();
    for place in [WEBSOCKET.len() - 1, WEBSOCKET.len(), WEBSOCKET.len() + 1, bytes.len() - 1] {
        server.connect().send_split(&bytes, &[place]).expect(WEBSOCKET_ANSWER).expect(HELLO_ANSWER);
    }
}

#[test]
fn websocket_echo_serves_its_page() {
    let server = Server::of("websocket-echo").start();
    let response = server.connect().ask(GET);
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(response.text().contains("window.converse"));
}

#[test]
fn websocket_echo_refuses_other_versions_and_bad_keys() {
    let server = Server::of("websocket-echo").start();
    let request = String::from_utf8_lossy(WEBSOCKET);
    for (bad, status) in [
        (request.replace("Version: 13", "Version: 8"), 426),
        (request.replace("Key: dGhlIHNhbXBsZSBub25jZQ==", "Key: short"), 400),
    ] {
        let mut client = server.connect();
        assert_eq!(client.ask(bad).status(), Some(status));
        client.expect_close();
    }
}

#[test]
fn websocket_echo_says_farewell_when_the_server_closes() {
    let server = Server::of("websocket-echo").start();
    let mut client = server.connect();
    client.send(WEBSOCKET).expect(WEBSOCKET_ANSWER);
    client.send(HELLO).expect(HELLO_ANSWER);
    server.signal(Signal::TERM);
    // 1001: going away.
    client.expect(b"\x88\x17\x03\xe9the server is closing");
    client.send(b"\x88\x82\0\0\0\0\x03\xe9").expect_close();
    drop(client);
    assert_eq!(server.wait_exit(DEADLINE).status.code(), Some(0));
}

#[test]
fn upgrade_raw() {
    let server = Server::of("upgrade-raw").start();
    let mut client = server.connect();
    client.send(upgrade("/") + "early").expect(
        b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\nearly",
    );
    client.send(b"\x00\xff").expect(b"\x00\xff");
    client.half_close().expect_close();
    assert_eq!(server.connect().ask(GET).text(), "okay");
}

#[test]
fn connect_tunnel() {
    let (origin, address) = origin();
    let server = Server::of("connect-tunnel").arg("--allow", format!("tcp={address}")).start();
    let mut client = server.connect();
    client.send(format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\nearly"));
    client.expect(b"HTTP/1.1 200 Connection Established\r\n\r\n");
    let (mut stream, _) = origin.accept().expect("the proxy connects");
    assert_eq!(read(&mut stream, 5), b"early");
    for word in [&b"ping"[..], b"\x00\xff", &[b'a'; 100_000]] {
        client.send(word);
        assert_eq!(read(&mut stream, word.len()), word);
        stream.write_all(word).expect("the proxy takes it");
        client.expect(word);
    }
    // An end is passed on, and the other direction goes on.
    client.half_close();
    assert_eq!(stream.read(&mut [0]).expect("the end comes"), 0);
    stream.write_all(b"last words").expect("the proxy takes it");
    drop(stream);
    client.expect(b"last words").expect_close();
}

#[test]
fn connect_tunnel_goes_only_where_it_may() {
    let ((origin, address), (other, elsewhere)) = (origin(), origin());
    let server = Server::of("connect-tunnel").arg("--allow", format!("tcp={address}")).start();
    let mut client = server.connect();
    client.send(format!("CONNECT {elsewhere} HTTP/1.1\r\nHost: {elsewhere}\r\n\r\n")).expect(
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 41\r\nConnection: close\r\n\r\n\
          the operator does not allow this address\n"
            .as_slice(),
    );
    client.expect_close();
    drop((origin, other));
    // Nobody listens there any more.
    let response = server.connect().ask(format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    assert_eq!(response.status(), Some(502));
    assert_eq!(server.connect().ask(GET).header("allow"), Some("CONNECT"));
}

/// A server to tunnel to.
fn origin() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

fn read(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    stream.set_read_timeout(Some(DEADLINE)).expect("the time is not zero");
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).expect("the bytes come");
    bytes
}

#[test]
fn early_hints() {
    let server = Server::of("early-hints").start();
    let mut client = server.connect();
    let links = "</style.css>; rel=preload; as=style, </script.js>; rel=preload; as=script";
    client.send(GET).expect(format!("HTTP/1.1 103 Early Hints\r\nLink: {links}\r\n\r\n"));
    let response = client.read_response();
    assert_eq!((response.status(), response.interim.len()), (Some(200), 0));
    assert_eq!(response.values("link").join(", "), links);
    for (target, content_type) in [("/style.css", "text/css"), ("/script.js", "text/javascript")] {
        let response = client.ask(get(target));
        assert_eq!((response.status(), response.header("content-type")), (Some(200), Some(content_type)));
        assert!(response.interim.is_empty());
    }
}

#[test]
fn continue_gate() {
    // The host would refuse as much by itself.
    let server = Server::of("continue-gate").arg("--request-body-bytes-max", "8GiB").start();
    // 5 GB, from its head alone.
    let mut client = server.connect();
    let put = |length: u64| {
        format!("PUT / HTTP/1.1\r\nHost: inn\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    let refused = b"HTTP/1.1 413 Payload Too Large\r\nContent-Type: text/plain\r\nDate: <DATE>\r\nConnection: close\r\n\
        Content-Length: 33\r\n\r\na body has at most 1048576 bytes\n";
    client.send(put(5_000_000_000)).expect(refused).expect_close();
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(put(5)).expect("HTTP/1.1 100 Continue\r\n\r\n");
        client.send("hello").expect(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: <DATE>\r\nConnection: keep-alive\r\n\
              Keep-Alive: timeout=5\r\nContent-Length: 8\r\n\r\n5 bytes\n",
        );
    }
    // Who does not ask is told as well.
    let mut client = server.connect();
    client.send("PUT / HTTP/1.1\r\nHost: inn\r\nContent-Length: 2000000\r\n\r\n");
    client.try_send(vec![b'a'; 2_000_000]);
    assert_eq!(client.read_response().status(), Some(413));
}

#[test]
fn continue_gate_of_another_size() {
    let server = Server::of("continue-gate").env("BODY_MAX", "4").start();
    let mut client = server.connect();
    let response =
        client.ask("PUT / HTTP/1.1\r\nHost: inn\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!((response.interim.len(), response.text().as_str()), (0, "a body has at most 4 bytes\n"));
}

#[test]
fn close_down() {
    let server = Server::of("close-down").arg("--allow", "server-control").start();
    let mut idle = server.connect();
    assert_eq!(idle.ask(GET).text(), "1 connections\n");
    let mut client = server.connect();
    assert_eq!(client.ask(GET).text(), "2 connections\n");
    client.send(get("/end")).expect(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: <DATE>\r\nConnection: close\r\n\
          Content-Length: 8\r\n\r\ngoodbye\n",
    );
    client.expect_close();
    idle.expect_close();
    drop((client, idle));
    assert_eq!(server.wait_exit(DEADLINE).status.code(), Some(0));
}

#[test]
fn close_down_without_the_grant() {
    let server = Server::of("close-down").start();
    server.connect().send(get("/end")).expect(STATUS_500);
    server.wait_log(|line| line.is_guest() && line.message.contains("handler failed"));
    server.connect().send(GET).expect(STATUS_500);
}

#[test]
fn custom_400() {
    let server = Server::of("custom-400").arg("--head-timeout", "300ms").start();
    let told = |client: &mut Client| -> serde_json::Value {
        let response = client.read_response();
        assert_eq!(response.header("content-type"), Some("application/json"));
        let told: serde_json::Value = serde_json::from_slice(&response.body).expect("the body is JSON");
        assert_eq!(response.status().map(u64::from), told["status"].as_u64());
        client.expect_close();
        told
    };
    let bad = told(server.connect().send(b"GET / HTTP/1.1\r\nbad header\r\n\r\n"));
    assert_eq!((&bad["status"], &bad["code"]), (&400.into(), &"parse".into()));
    assert!(bad["reason"].is_string(), "{bad}");
    let late = told(server.connect().send(b"GET / HTTP/1.1\r\n"));
    assert_eq!((&late["status"], &late["code"]), (&408.into(), &"timeout".into()));
    assert_eq!(server.connect().ask(GET).text(), "a good request\n");
}

#[test]
fn router() {
    let server = Server::of("router").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/rooms/12")).text(), "room 12\n");
    let refused = client.ask("DELETE /rooms HTTP/1.1\r\nHost: inn\r\n\r\n");
    assert_eq!((refused.status(), refused.header("Allow")), (Some(405), Some("GET, HEAD, POST, OPTIONS")));
}

#[test]
fn static_site() {
    let server = Server::of("static-site").start();
    let mut client = server.connect();
    let page = client.ask(get("/"));
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("Welcome to the inn."));
    let part = client.ask("GET /index.html HTTP/1.1\r\nHost: inn\r\nRange: bytes=0-14\r\n\r\n");
    assert_eq!((part.status(), part.text().as_str()), (Some(206), "<!doctype html>"));
}

#[test]
fn session() {
    let server = Server::of("session").arg("--keyvalue", "sessions").start();
    let mut client = server.connect();
    let first = client.ask(get("/"));
    assert_eq!(first.text(), "visit 1\n");
    let cookie = first.header("Set-Cookie").expect("a session begins").split(';').next().unwrap_or_default();
    let again = client.ask(format!("GET / HTTP/1.1\r\nHost: inn\r\nCookie: {cookie}\r\n\r\n"));
    assert_eq!((again.text().as_str(), again.header("Set-Cookie")), ("visit 2\n", None));
    let made_up = format!("GET / HTTP/1.1\r\nHost: inn\r\nCookie: session={}\r\n\r\n", "0".repeat(32));
    assert_eq!(client.ask(made_up).text(), "visit 1\n");
}

#[test]
fn json_api() {
    let server = Server::of("json-api").start();
    let body = r#"{"nights": 2, "guests": 3}"#;
    let request = format!(
        "POST /price HTTP/1.1\r\nHost: inn\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(server.connect().ask(request).text(), r#"{"coins":24}"#);
}
