//! The examples that call other servers, with servers whose bytes the test
//! says.

use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::upstream::{Connection, Upstream};
use innkeeper_harness::wire::Client;

use crate::support::{get, upgrade};

/// The guest, in front of this server.
fn in_front_of(upstream: &Upstream, server: Server, variable: &str) -> Server {
    let origin = format!("http://{}", upstream.authority());
    server.env(variable, &format!("{origin}/")).arg("--outbound", origin)
}

#[test]
fn http_get() {
    let upstream = Upstream::start();
    let server = in_front_of(&upstream, Server::of("http-get"), "URL").start();
    let mut client = server.connect();
    client.send(get("/"));
    let mut behind = upstream.accept();
    for _ in 0..2 {
        behind.expect(format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive\r\n\r\n",
            upstream.authority()
        ));
        behind.send(
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/x\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nno\r\n0\r\n\r\n",
        );
        client.expect(
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/x\r\nDate: <DATE>\r\nConnection: keep-alive\r\n\
             Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nno",
        );
        client.send(get("/"));
    }
}

#[test]
fn http_get_of_nobody() {
    let upstream = Upstream::start();
    let server = in_front_of(&upstream, Server::of("http-get"), "URL").start();
    upstream.stop();
    let response = server.connect().ask(get("/"));
    assert_eq!(
        (response.status(), response.text().as_str()),
        (Some(502), "the other server did not answer\n")
    );
    server.wait_log(|line| line.is_guest() && line.message.starts_with("no answer: no connection: "));
}

#[test]
fn http_get_without_the_grant() {
    let server = Server::of("http-get").env("URL", "http://127.0.0.1:1/").start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(502));
    server.wait_log(|line| line.is_guest() && line.message.starts_with("no answer: not granted: "));
}

#[test]
fn form_post() {
    let upstream = Upstream::start();
    let server = in_front_of(&upstream, Server::of("form-post"), "FORM_URL").start();
    let mut client = server.connect();
    let fields = "name=Mrs. Pell\nroom=1 & 2\nnot a field\nn\u{e9}=\u{e0} *-._~+\n";
    client.send(format!("POST / HTTP/1.1\r\nHost: inn\r\nContent-Length: {}\r\n\r\n{fields}", fields.len()));
    let form = "name=Mrs.+Pell&room=1+%26+2&n%C3%A9=%C3%A0+*-._%7E%2B";
    let mut behind = upstream.accept();
    let request = behind.read_request();
    assert_eq!(request.line, "POST / HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.header("content-length"), Some(form.len().to_string().as_str()));
    assert_eq!((request.header("transfer-encoding"), request.text().as_str()), (None, form));
    behind.send("HTTP/1.1 201 Noted\r\nContent-Length: 7\r\n\r\nthanks\n");
    let response = client.read_response();
    assert_eq!((response.status(), response.text().as_str()), (Some(200), "201 Noted\nthanks\n"));
}

/// Three servers that were asked at once, each with its first request read.
fn fan_out(patience: &str) -> (Running, Client, [Connection; 3], [String; 3]) {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    let urls = upstreams.each_ref().map(|upstream| format!("http://{}/", upstream.authority()));
    let server = Server::of("fan-out")
        .env("UPSTREAMS", &urls.join(" "))
        .env("PATIENCE_MS", patience)
        .arg("--outbound", "http://127.0.0.1:*")
        .start();
    let mut client = server.connect();
    client.send(get("/"));
    let behind = upstreams.map(|upstream| {
        let mut behind = upstream.accept();
        behind.read_request();
        behind
    });
    (server, client, behind, urls)
}

#[test]
fn fan_out_asks_all_at_once_and_tells_the_first_first() {
    // None is answered before all were asked.
    let (_server, mut client, mut behind, urls) = fan_out("60000");
    for (place, said) in [(1, "one"), (2, "two"), (0, "three")] {
        let length = said.len();
        behind[place].send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{said}"));
        if place == 1 {
            client.read_until("\r\n\r\n");
        }
        let line = format!("{}: 200 {said}\n", urls[place]);
        client.expect(format!("{:x}\r\n{line}\r\n", line.len()));
    }
    client.expect("0\r\n\r\n");
}

#[test]
fn fan_out_does_not_wait_for_those_who_are_late() {
    let (_server, mut client, mut behind, urls) = fan_out("300");
    behind[0].send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    // It hangs up; the last one says nothing.
    let [kept, gone, silent] = behind;
    gone.reset();
    let response = client.read_response();
    let text = response.text();
    let mut lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.pop(), Some(format!("{}: no answer in 300 ms", urls[2]).as_str()));
    lines.sort_unstable();
    let mut expected = [format!("{}: 200 ", urls[0]), format!("{}: the peer went away", urls[1])];
    expected.sort_unstable();
    assert_eq!(lines, expected);
    drop((kept, silent));
}

#[test]
fn agent_stats() {
    let upstream = Upstream::start();
    let server = in_front_of(&upstream, Server::of("agent-stats"), "URL").start();
    let mut client = server.connect();
    assert_eq!(client.ask(get("/")).text(), "nothing\n");
    client.send(get("/ask"));
    // Two connections, and two requests on each: no more are made.
    let (mut one, mut two) = (upstream.accept(), upstream.accept());
    for _ in 0..2 {
        for behind in [&mut one, &mut two] {
            behind.read_request();
        }
        for behind in [&mut one, &mut two] {
            behind.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
    let said = client.read_response().text();
    let counts: Vec<_> = said.lines().map(|line| line.split_once(": ").unwrap_or_default().1).collect();
    assert_eq!(counts, ["2 in use, 0 free, 2 waiting", "0 in use, 2 free, 0 waiting"], "{said}");
    assert!(said.lines().all(|line| line.contains(&upstream.authority())), "{said}");
    // Another instance finds them, and closes them.
    assert_eq!(client.ask(get("/")).text(), said.lines().last().unwrap_or_default().to_owned() + "\n");
    assert_eq!(client.ask(get("/end")).text(), "nothing\n");
    one.expect_close();
    two.expect_close();
    assert!(!upstream.is_called());
}

fn reverse_proxy(upstream: &Upstream) -> Running {
    in_front_of(upstream, Server::of("reverse-proxy"), "UPSTREAM").start()
}

#[test]
fn reverse_proxy_says_what_it_is_asked_but_for_what_is_of_the_connection() {
    let upstream = Upstream::start();
    let server = reverse_proxy(&upstream);
    let mut client = server.connect();
    client.send(
        "GET /a?b=%20c HTTP/1.1\r\nHost: inn.example\r\nX-Kept: 1\r\nX-Kept: 2\r\nConnection: keep-alive, X-Named\r\n\
         X-Named: 3\r\nTE: trailers\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\nVia: 1.0 before\r\n\
         X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n",
    );
    let mut behind = upstream.accept();
    behind.expect(format!(
        "GET /a?b=%20c HTTP/1.1\r\nX-Kept: 1\r\nX-Kept: 2\r\nVia: 1.0 before\r\nVia: 1.1 innkeeper\r\n\
         X-Forwarded-For: 192.0.2.1, 127.0.0.1\r\nX-Forwarded-Host: inn.example\r\nX-Forwarded-Proto: http\r\n\
         Host: {}\r\nConnection: keep-alive\r\n\r\n",
        upstream.authority()
    ));
    behind.send(
        "HTTP/1.1 404 Gone Fishing\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-One: 1\r\nX-One: 2\r\n\
         Connection: X-Two\r\nX-Two: 3\r\nKeep-Alive: timeout=60\r\nContent-Length: 3\r\n\r\nno\n",
    );
    client.expect(
        "HTTP/1.1 404 Gone Fishing\r\nDate: <DATE>\r\nX-One: 1\r\nX-One: 2\r\nContent-Length: 3\r\n\
         Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nno\n",
    );
    // The connection is kept, for the next instance.
    client.send("GET http://inn.example/abs HTTP/1.1\r\nHost: inn.example\r\n\r\n");
    assert_eq!(behind.read_request().line, "GET /abs HTTP/1.1");
    behind.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.read_response().status(), Some(204));
    client.send("HEAD /head HTTP/1.1\r\nHost: inn.example\r\n\r\n");
    assert_eq!(behind.read_request().line, "HEAD /head HTTP/1.1");
    behind.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(client.read_response_to_head().header("content-length"), Some("9"));
}

#[test]
fn reverse_proxy_streams_both_ways() {
    let upstream = Upstream::start();
    let server = reverse_proxy(&upstream);
    let mut client = server.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\none\r\n",
    );
    let mut behind = upstream.accept();
    let head = String::from_utf8_lossy(&behind.read_until("\r\n\r\n")).into_owned();
    assert!(
        head.contains("\r\nTransfer-Encoding: chunked\r\n") && head.contains("\r\nTrailer: X-Sum\r\n"),
        "{head}"
    );
    behind.expect("3\r\none\r\n");
    // It answers before it has all, with a word in advance.
    behind.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    client.expect("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    behind.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nuno\r\n");
    client.read_until("\r\n\r\n");
    client.expect("3\r\nuno\r\n");
    client.send("3\r\ntwo\r\n");
    behind.expect("3\r\ntwo\r\n");
    behind.send("3\r\ndue\r\n");
    client.expect("3\r\ndue\r\n");
    client.send("0\r\nX-Sum: 6\r\n\r\n");
    behind.expect("0\r\nX-Sum: 6\r\n\r\n");
    behind.send("0\r\nX-Total: 6\r\n\r\n");
    client.expect("0\r\nX-Total: 6\r\n\r\n");
}

#[test]
fn reverse_proxy_carries_large_bodies_with_their_length() {
    let upstream = Upstream::start();
    let server = reverse_proxy(&upstream);
    let mut client = server.connect();
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    client.send(format!("PUT / HTTP/1.1\r\nHost: inn\r\nContent-Length: {}\r\n\r\n", body.len()));
    let mut behind = upstream.accept();
    let reading = std::thread::spawn(move || (behind.read_request(), behind));
    client.send(&body);
    let (request, mut behind) = reading.join().expect("the request comes");
    assert_eq!(request.header("content-length"), Some("3000000"));
    assert!(request.body == body, "the body is another one");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let sent = body.clone();
    let sending = std::thread::spawn(move || {
        behind.send(head).send(sent);
        behind
    });
    let response = client.read_response();
    assert_eq!(response.header("content-length"), Some("3000000"));
    assert!(response.body == body, "the body is another one");
    sending.join().expect("the response goes");
}

#[test]
fn reverse_proxy_lets_the_server_say_whether_it_wants_the_body() {
    let upstream = Upstream::start();
    let server = reverse_proxy(&upstream);
    let mut client = server.connect();
    let put = "PUT / HTTP/1.1\r\nHost: inn\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    client.send(put);
    let mut behind = upstream.accept();
    let head = String::from_utf8_lossy(&behind.read_until("\r\n\r\n")).into_owned();
    assert!(head.contains("\r\nExpect: 100-continue\r\n"), "{head}");
    behind.send("HTTP/1.1 100 Continue\r\n\r\n");
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    behind.expect("hello");
    behind.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.read_response().status(), Some(200));
    client.send(put);
    behind.read_until("\r\n\r\n");
    behind.send("HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n");
    let response = client.read_response();
    assert_eq!((response.status(), response.interim.len()), (Some(413), 0));
}

#[test]
fn reverse_proxy_answers_early_and_does_not_want_the_rest() {
    let upstream = Upstream::start();
    let server = reverse_proxy(&upstream);
    let mut client = server.connect();
    client.send("PUT / HTTP/1.1\r\nHost: inn\r\nContent-Length: 1000000\r\n\r\nsome");
    let mut behind = upstream.accept();
    behind.read_until("some");
    behind.send("HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n");
    behind.close();
    let response = client.read_response();
    assert_eq!((response.status(), response.text().as_str()), (Some(413), "no\n"));
}

#[test]
fn reverse_proxy_passes_upgrades_through() {
    let upstream = Upstream::start();
    let server = reverse_proxy(&upstream);
    let mut client = server.connect();
    client.send(upgrade("/chat") + "early");
    let mut behind = upstream.accept();
    let request = behind.read_request();
    assert_eq!(request.line, "GET /chat HTTP/1.1");
    assert_eq!(request.values("connection"), ["Upgrade"]);
    assert_eq!(request.values("upgrade").len(), 1);
    behind.send("HTTP/1.1 101 Go On\r\nUpgrade: chat\r\nConnection: upgrade\r\nX-Key: 1\r\n\r\nhello");
    client.expect("HTTP/1.1 101 Go On\r\nX-Key: 1\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\nhello");
    behind.expect("early");
    let much = vec![b'a'; 300_000];
    for word in [b"ping".as_slice(), b"\x00\xff", &much] {
        client.send(word);
        behind.expect(word);
        behind.send(word);
        client.expect(word);
    }
    // An end is passed on, and the other direction goes on.
    client.half_close();
    assert!(behind.read_to_end().0.is_empty());
    behind.send("last words");
    behind.close();
    client.expect("last words").expect_close();
}

#[test]
fn reverse_proxy_passes_the_refusal_of_an_upgrade_on() {
    let upstream = Upstream::start();
    let server = reverse_proxy(&upstream);
    let mut client = server.connect();
    client.send(upgrade("/"));
    let mut behind = upstream.accept();
    behind.read_request();
    behind.send("HTTP/1.1 403 No\r\nX-Why: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n");
    client.expect("HTTP/1.1 403 No\r\nX-Why: 1\r\nConnection: close\r\n\r\nno").expect_close();
    upstream.stop();
    drop(behind);
    let mut client = server.connect();
    let response = client.ask(upgrade("/"));
    assert_eq!(response.status(), Some(502));
    client.expect_close();
}

#[test]
fn reverse_proxy_without_a_server_behind_it() {
    let upstream = Upstream::start();
    let server = reverse_proxy(&upstream);
    let mut client = server.connect();
    // A response that breaks in the middle is cut off, and not ended.
    client.send(get("/"));
    let mut behind = upstream.accept();
    behind.read_request();
    behind.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    client.read_until("half");
    behind.close();
    client.read_to_end();
    // One that breaks before it began is told.
    let mut client = server.connect();
    client.send(get("/"));
    let mut behind = upstream.accept();
    behind.read_request();
    behind.send("SSH-2.0-OpenSSH\r\n\r\n");
    let response = client.read_response();
    assert_eq!(
        (response.status(), response.text().as_str()),
        (Some(502), "the server behind this one did not answer\n")
    );
    server.wait_log(|line| {
        line.is_guest() && line.message.starts_with("no answer: the peer sent what is not HTTP")
    });
    upstream.stop();
    assert_eq!(server.connect().ask(get("/")).status(), Some(502));
}
