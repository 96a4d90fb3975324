//! `upgrade-handler`: which requests it is asked about (RFC 9110 7.8), what it
//! has of them, and where the tunnel begins. How tunnels go on and end is in
//! `tunnels`.

use innkeeper_harness::server::Server;
use innkeeper_harness::wire::Client;
use serde_json::{Value, json};

use crate::support::{SWITCH, assert_entries, get, refusal, scripted_on, upgrade, wait_access};

/// What the guest of [`echo`] answers to an ordinary request.
const PLAIN: &str = "HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
     Content-Length: 5\r\n\r\nplain";

fn upgrading(ops: Value) -> Server {
    scripted_on(json!({ "request": [["log", "request ", "url"], ["end", "plain"]], "upgrade": ops }))
}

/// Takes every upgrade, and echoes.
fn echo() -> Server {
    upgrading(json!([["log", "upgrade ", "url"], ["tunnel-write", SWITCH], ["tunnel-echo"]]))
}

/// Reads the body, then four bytes of the tunnel.
fn body_then_tunnel() -> Server {
    let ops = json!([
        ["read-body"],
        ["log", "body ", "body"],
        ["tunnel-write", SWITCH],
        ["tunnel-read", 4],
        ["tunnel-end"]
    ]);
    upgrading(ops)
}

fn request(lines: &str) -> String {
    format!("GET /up HTTP/1.1\r\nHost: inn\r\n{lines}\r\n")
}

/// An upgrade request with a body; `framing` has the header, and the body.
fn with_body(framing: &str) -> String {
    format!("POST /up HTTP/1.1\r\nHost: inn\r\nConnection: Upgrade\r\nUpgrade: echo\r\n{framing}")
}

#[track_caller]
fn assert_echoes(client: &mut Client) {
    client.send("ping").expect("ping");
}

#[test]
fn lists_and_tokens_in_every_form() {
    let server = echo().start();
    for lines in [
        "Connection: Upgrade\r\nUpgrade: echo\r\n",
        "connection: UPGRADE\r\nupgrade: echo/1.0\r\n",
        "Upgrade: echo\r\nConnection: keep-alive, upgrade\r\n",
        "Connection: keep-alive\r\nConnection: , upgrade ,\r\nUpgrade: echo\r\n",
        "Connection: upgrade, close\r\nUpgrade: echo\r\n",
        "Connection: upgrade\r\nUpgrade: websocket, echo/2\r\n",
        "Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: ,echo\r\n",
    ] {
        let mut client = server.connect();
        client.send(request(lines)).expect(SWITCH);
        assert_echoes(&mut client);
    }
}

#[test]
fn what_asks_for_no_other_protocol_is_an_ordinary_request() {
    let server = echo().start();
    let mut client = server.connect();
    for lines in [
        // One without the other.
        "Upgrade: echo\r\n",
        "Connection: keep-alive\r\nUpgrade: echo\r\n",
        "Connection: upgrade\r\n",
        // Words that are no token `upgrade`.
        "Connection: upgraded\r\nUpgrade: echo\r\n",
        "Connection: \"upgrade\"\r\nUpgrade: echo\r\n",
        "Connection: up grade\r\nUpgrade: echo\r\n",
        "X-Connection: upgrade\r\nUpgrade: echo\r\n",
        // Values that are no list of protocols.
        "Connection: upgrade\r\nUpgrade:\r\n",
        "Connection: upgrade\r\nUpgrade: ,\r\n",
        "Connection: upgrade\r\nUpgrade: ec ho\r\n",
        "Connection: upgrade\r\nUpgrade: echo/\r\n",
        "Connection: upgrade\r\nUpgrade: /1\r\n",
        "Connection: upgrade\r\nUpgrade: echo/1/2\r\n",
        "Connection: upgrade\r\nUpgrade: \"echo\"\r\n",
        "Connection: upgrade\r\nUpgrade: echo;q=1\r\n",
        "Connection: upgrade\r\nUpgrade: echo, b\u{e9}\r\n",
    ] {
        client.send(request(lines)).expect(PLAIN);
    }
    assert_entries(&server, &["request /up"; 16]);
}

#[test]
fn a_client_of_http_1_0_cannot_upgrade() {
    let server = echo().start();
    let mut client = server.connect();
    client
        .send("GET /up HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nGET /more HTTP/1.1\r\n\r\n")
        .expect("HTTP/1.1 200 OK\r\nDate: <DATE>\r\nConnection: close\r\n\r\nplain");
    client.expect_close();
    assert_entries(&server, &["request /up"]);
}

#[test]
fn bytes_that_come_early_belong_to_the_tunnel() {
    let server = echo().start();
    let bytes = upgrade("/up") + "early";
    for place in 1..bytes.len() {
        let mut client = server.connect();
        client.send_split(&bytes, &[place]).expect(SWITCH).expect("early");
        assert_echoes(&mut client);
    }
}

#[test]
fn many_bytes_that_come_early() {
    let server = echo().start();
    let early: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let mut client = server.connect();
    client.send([upgrade("/up").as_bytes(), &early].concat()).expect(SWITCH).expect(&early);
    client.half_close().expect_close();
}

#[test]
fn a_client_that_ends_with_its_request() {
    // Whether half-open connections are served is a matter of requests.
    for half_open in ["true", "false"] {
        let server = echo().arg("--half-open", half_open).start();
        let mut client = server.connect();
        client.send(upgrade("/up") + "early").half_close();
        client.expect(SWITCH).expect("early").expect_close();
    }
}

#[test]
fn a_request_behind_an_upgrade_is_bytes_of_the_tunnel() {
    let server = echo().start();
    let second = get("/second");
    let mut client = server.connect();
    client.send(upgrade("/up") + &second).expect(SWITCH).expect(&second);
    client.send(&second).expect(&second);
    // Nor one that asks for a tunnel of its own, or is none at all.
    for bytes in [upgrade("/up"), "CONNECT a:1 HTTP/1.1\r\n\r\n".to_owned(), "\0\r\n\r\n\n".to_owned()] {
        client.send(&bytes).expect(&bytes);
    }
    assert_entries(&server, &["upgrade /up"]);
}

#[test]
fn an_upgrade_after_other_requests() {
    let server = echo().start();
    let mut client = server.connect();
    client.send(get("/first") + &get("/second") + &upgrade("/up") + "early");
    client.expect(PLAIN).expect(PLAIN).expect(SWITCH).expect("early");
    assert_echoes(&mut client);
    assert_entries(&server, &["request /first", "request /second", "upgrade /up"]);
}

#[test]
fn a_body_of_known_length_comes_before_the_tunnel() {
    let server = body_then_tunnel().start();
    let bytes = with_body("Content-Length: 3\r\n\r\nabcREST");
    let head = bytes.len() - "abcREST".len();
    let cuts: Vec<_> = (head..bytes.len()).map(|place| vec![place]).chain([vec![]]).collect();
    for places in &cuts {
        let mut client = server.connect();
        client.send_split(&bytes, places).expect(SWITCH).expect_close();
    }
    assert_entries(&server, &["body abc", "tunnel-read: REST"].repeat(cuts.len()));
}

#[test]
fn a_chunked_body_comes_before_the_tunnel() {
    let server = body_then_tunnel().start();
    let body = "1\r\na\r\n2;x=y\r\nbc\r\n0\r\nX-Trailer: 1\r\n\r\nREST";
    let bytes = with_body("Transfer-Encoding: chunked\r\n\r\n") + body;
    let head = bytes.len() - body.len();
    let cuts: Vec<_> = (head..bytes.len()).map(|place| vec![place]).chain([vec![]]).collect();
    for places in &cuts {
        let mut client = server.connect();
        client.send_split(&bytes, places).expect(SWITCH).expect_close();
    }
    assert_entries(&server, &["body abc", "tunnel-read: REST"].repeat(cuts.len()));
}

#[test]
fn what_the_guest_leaves_of_the_body_never_reaches_the_tunnel() {
    let server = upgrading(json!([["tunnel-write", SWITCH], ["tunnel-echo"]])).start();
    let smuggled = get("/smuggled");
    for (framing, body) in [
        (format!("Content-Length: {}\r\n\r\n", smuggled.len()), smuggled.clone()),
        (
            "Transfer-Encoding: chunked\r\n\r\n".to_owned(),
            format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len()),
        ),
        // More than is read at once.
        ("Content-Length: 1000000\r\n\r\n".to_owned(), "a".repeat(1_000_000)),
    ] {
        let mut client = server.connect();
        client.send(with_body(&framing) + &body + "tunnel").expect(SWITCH).expect("tunnel");
        assert_echoes(&mut client);
    }
    assert_entries::<&str>(&server, &[]);
}

#[test]
fn an_empty_body_is_none() {
    // What follows is there when the guest begins, as after a GET.
    let server = upgrading(json!([["tunnel-write", SWITCH], ["tunnel-echo"]])).start();
    let mut client = server.connect();
    client.send(with_body("Content-Length: 0\r\n\r\nearly")).expect(SWITCH).expect("early");
}

#[test]
fn an_upgrade_that_could_be_read_in_two_ways_is_refused() {
    let server = echo().start();
    for framing in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: +3\r\n\r\nabc",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "Upgrade : echo\r\n\r\n",
        "Upgrade: echo\r\n folded\r\n\r\n",
        "Upgrade: echo\nX: y\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(with_body(framing) + &get("/smuggled")).expect(refusal("400 Bad Request"));
        client.expect_close();
    }
    assert_entries::<&str>(&server, &[]);
}

#[test]
fn a_body_that_breaks_never_becomes_a_tunnel() {
    let server = body_then_tunnel().start();
    for chunks in
        ["x\r\nabc\r\n0\r\n\r\nREST", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\nno trailer\r\n\r\n"]
    {
        let mut client = server.connect();
        client.send(with_body("Transfer-Encoding: chunked\r\n\r\n") + chunks);
        let response = client.read_response();
        assert_eq!((response.status(), response.header("connection")), (Some(400), Some("close")));
        client.expect_close();
    }
    assert_entries(&server, &["read-body failed: parse"; 3]);
}

#[test]
fn a_body_that_ends_too_early_never_becomes_a_tunnel() {
    let server = body_then_tunnel().start();
    let mut client = server.connect();
    client.send(with_body("Content-Length: 5\r\n\r\nab")).half_close();
    assert_eq!(client.read_response().status(), Some(400));
    client.expect_close();
    assert_entries(&server, &["read-body failed: connection-reset"]);
}

#[test]
fn a_body_that_is_too_large_never_becomes_a_tunnel() {
    let server = body_then_tunnel().arg("--request-body-bytes-max", "4").start();
    for framing in
        ["Content-Length: 5\r\n\r\nabcde", "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"]
    {
        let mut client = server.connect();
        client.send(with_body(framing) + "REST");
        assert_eq!(client.read_response().status(), Some(413));
        client.expect_close();
    }
    assert_entries(&server, &["read-body failed: limit-exceeded"]);
}

#[test]
fn a_body_that_breaks_behind_the_guests_answer_ends_the_tunnel() {
    // The guest has answered before it looks at the body.
    let server = upgrading(json!([["tunnel-write", SWITCH], ["try", ["tunnel-read", 4]]])).start();
    let mut client = server.connect();
    client.send(with_body("Transfer-Encoding: chunked\r\n\r\n")).expect(SWITCH);
    client.send("x\r\n");
    assert_entries(&server, &["tunnel-read failed: parse"]);
    assert_eq!(client.read_to_end().0, b"");
}

#[test]
fn a_client_that_awaits_100_continue_is_told_so_before_the_101() {
    let server = upgrading(json!([["read-body"], ["tunnel-write", SWITCH], ["tunnel-echo"]])).start();
    let mut client = server.connect();
    client
        .send(with_body("Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"))
        .expect("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello").expect(SWITCH);
    assert_echoes(&mut client);
    // Whether or not the guest reads it.
    let server = echo().start();
    let mut client = server.connect();
    client.send(with_body("Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    client.expect("HTTP/1.1 100 Continue\r\n\r\n").expect(SWITCH);
    client.send("hello").send("ping").expect("ping");
}

#[test]
fn a_declined_upgrade_is_an_ordinary_request() {
    let server = upgrading(json!({ "/up": [["tunnel-write", SWITCH], ["tunnel-echo"]] })).start();
    let mut client = server.connect();
    let declined = upgrade("/declined");
    client.send(&declined).expect(PLAIN);
    // The connection goes on, and can be asked again.
    client.send(declined.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc")).expect(PLAIN);
    client.send(get("/ordinary")).expect(PLAIN);
    client.send(upgrade("/up")).expect(SWITCH);
    assert_echoes(&mut client);
    assert_entries(&server, &["request /declined", "request /declined", "request /ordinary"]);
}

#[test]
fn a_declined_upgrade_with_an_expectation() {
    let server = upgrading(json!({ "/up": [] })).start();
    let mut client = server.connect();
    let declined = with_body("Expect: 100-continue\r\nContent-Length: 5\r\n\r\n").replace("/up", "/declined");
    client.send(declined).expect("HTTP/1.1 100 Continue\r\n\r\n").send("hello").expect(PLAIN);
}

#[test]
fn a_tunnel_has_one_line_in_the_access_log() {
    let server = echo().start();
    let mut client = server.connect();
    client.send(upgrade("/up")).expect(SWITCH);
    assert_echoes(&mut client);
    client.half_close().expect_close();
    wait_access(&server, "/up");
    let lines: Vec<_> = server.logs().into_iter().filter(|line| line.target == "access").collect();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((line.number("status"), line.number("bytes")), (Some(101), Some(SWITCH.len() as u64 + 4)));
}
