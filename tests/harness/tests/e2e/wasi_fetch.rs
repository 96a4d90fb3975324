//! Guests that ask other servers through `wasi:http`: the bytes that go out and
//! come in, what they are told when nothing comes, and that the operator's
//! policy and limits are the same as for our own contract.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use innkeeper_harness::dns::{Answer, DnsServer};
use innkeeper_harness::message::Message;
use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::tls::{Acceptor, Authority, Files};
use innkeeper_harness::upstream::Upstream;
use innkeeper_harness::wire::Client;

use crate::elsewhere::{Elsewhere, wait_refusals};
use crate::outbound_limits::{Full, stuck};
use crate::outbound_tls::speaking;
use crate::support::{get, lasts, promptly};
use crate::wasi_concurrency::meeting;

/// The guests that do the same, each by its own version of the standard.
const GUESTS: &[&str] = &["wasi-fetch-p2", "wasi-fetch-p3"];

const HERE: &str = "http://127.0.0.1:*";

/// One of them that may ask anybody on this machine.
fn fetcher(guest: &str) -> Server {
    Server::of(guest).arg("--outbound", HERE)
}

/// A request that has a guest ask for this, with these header lines and, after
/// an empty one, a body.
fn asking(method: &str, url: &str, more: &str) -> String {
    let (lines, body) = more
        .split_once("\r\n\r\n")
        .map_or((more, ""), |(_, body)| (&more[..more.len() - body.len() - 2], body));
    format!("{method} / HTTP/1.1\r\nHost: inn\r\nfetch-url: {url}\r\n{lines}\r\n{body}")
}

/// A GET of this, with these header lines.
fn getting(url: &str, lines: &str) -> String {
    asking("GET", url, lines)
}

fn fetch(server: &Running, url: &str, lines: &str) -> Message {
    server.connect().ask(getting(url, lines))
}

/// What a guest is told of a request that came to nothing.
#[track_caller]
fn error_of(answer: &Message) -> &str {
    assert_eq!(answer.status(), Some(502), "{answer:?}");
    answer.header("fetch-error").unwrap_or_default()
}

/// How a request ended for a guest that reads the answer itself.
fn end_of(server: &Running, url: &str, lines: &str) -> String {
    server.connect().ask(getting(url, lines).replace("GET /", "GET /each")).text()
}

#[test]
fn a_response_comes_as_it_is_sent() {
    for guest in GUESTS {
        let (server, upstream) = (fetcher(guest).start(), Upstream::start());
        let authority = upstream.authority();
        let mut client = server.connect();
        client.send(getting(&format!("http://{authority}/a?b"), "X-One: 1\r\n"));
        let mut connection = upstream.accept();
        connection.expect(format!(
            "GET /a?b HTTP/1.1\r\nx-one: 1\r\nHost: {authority}\r\nConnection: keep-alive\r\n\r\n"
        ));
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        connection.send("HTTP/1.1 203 Fine\r\nX-Three: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
        // The second half comes once the first has arrived.
        let begun = client.read_until("2\r\nhe\r\n");
        let begun = String::from_utf8(begun).expect("it is text").to_lowercase();
        assert!(begun.starts_with("http/1.1 203 ") && begun.contains("\r\nx-three: 3\r\n"), "{begun}");
        connection.send("3\r\nllo\r\n0\r\nx-sum: 5\r\n\r\n");
        client.expect("3\r\nllo\r\n0\r\nx-sum: 5\r\n\r\n");
    }
}

#[test]
fn a_body_goes_out_while_the_answer_comes_in() {
    for guest in GUESTS {
        let (server, upstream) = (fetcher(guest).start(), Upstream::start());
        let authority = upstream.authority();
        let mut client = server.connect();
        let lines = "Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nhe\r\n";
        client.send(asking("POST", &format!("http://{authority}"), lines));
        let mut connection = upstream.accept();
        connection.expect(format!(
            "POST / HTTP/1.1\r\nHost: {authority}\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n\
             2\r\nhe\r\n"
        ));
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n");
        client.read_until("3\r\nyes\r\n");
        client.send("3\r\nllo\r\n");
        connection.expect("3\r\nllo\r\n");
        client.send("0\r\nx-sum: 5\r\n\r\n");
        connection.expect("0\r\nx-sum: 5\r\n\r\n");
        connection.send("4\r\nsure\r\n0\r\n\r\n");
        client.expect("4\r\nsure\r\n0\r\n\r\n");
    }
}

#[test]
fn a_length_is_kept_and_every_method_has_its_body() {
    for guest in GUESTS {
        let (server, upstream) = (fetcher(guest).start(), Upstream::start());
        let url = format!("http://{}/", upstream.authority());
        let mut client = server.connect();
        let mut connection = None;
        for (method, framing) in [
            ("PUT", "content-length: 5\r\n"),
            ("GET", "content-length: 5\r\n"),
            ("DELETE", "Transfer-Encoding: chunked\r\n"),
        ] {
            let body = if framing.starts_with("Transfer") { "5\r\nhello\r\n0\r\n\r\n" } else { "hello" };
            client.send(asking(method, &url, &format!("{framing}\r\n{body}")));
            let connection = connection.get_or_insert_with(|| upstream.accept());
            let request = connection.read_request();
            assert_eq!((request.method(), request.text().as_str()), (method, "hello"));
            connection.send("HTTP/1.1 204 No Content\r\n\r\n");
            assert_eq!(client.read_response().status(), Some(204));
        }
    }
}

#[test]
fn large_bodies_arrive_whole_in_both_directions() {
    let piece: Vec<u8> = (0..=250_u8).cycle().take(1_000_000).collect();
    for guest in GUESTS {
        let server = fetcher(guest).start();
        let echo = Upstream::start().answering(|request| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
            [head.as_bytes(), &request.body].concat()
        });
        let url = format!("http://{}/", echo.authority());
        let mut request = asking("POST", &url, "Content-Length: 8000000\r\n\r\n").into_bytes();
        (0..8).for_each(|_| request.extend_from_slice(&piece));
        let answer = server.connect().ask(&request);
        assert_eq!((answer.status(), answer.body.len()), (Some(200), 8_000_000));
        assert!(answer.body.chunks(piece.len()).all(|chunk| chunk == piece), "the bytes are others");
    }
}

#[test]
fn connections_serve_instance_after_instance() {
    for guest in GUESTS {
        let server = fetcher(guest).start();
        let elsewhere =
            Upstream::start().answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec());
        for _ in 0..3 {
            let answer = fetch(&server, &format!("http://{}/", elsewhere.authority()), "");
            assert_eq!(answer.text(), "hello");
        }
        assert_eq!(elsewhere.counts(), [3]);
    }
}

#[test]
fn a_server_that_has_http2_is_asked_over_that() {
    let authority = Authority::new("known").expect("an authority can be made");
    let identity = authority.certify(&["127.0.0.1"]).expect("a certificate can be made");
    let files = Files::new().expect("a folder");
    let roots = files.write("roots.pem", &authority.pem()).expect("the folder can be written");
    for guest in GUESTS {
        for (offered, told) in [(&["h2", "http/1.1"][..], "HTTP/2.0hello"), (&["http/1.1"], "HTTP/1.1hello")]
        {
            let elsewhere = speaking(&Acceptor::new(&identity, offered).expect("it can be shown"));
            let server = Server::of(guest)
                .arg("--outbound", "https://127.0.0.1:*")
                .arg("--outbound-roots", &roots)
                .start();
            let lines = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
            let answer = server.connect().ask(asking("POST", &format!("https://{elsewhere}/"), lines));
            assert_eq!(answer.text(), told, "{guest}");
        }
    }
}

#[test]
fn what_is_not_granted_is_denied() {
    let dns = DnsServer::start().expect("a free port");
    dns.set("metadata.example", [Answer::of(60, &["169.254.169.254"])]);
    let elsewhere = Elsewhere::telling("reached");
    let reached = format!("http://{}/", elsewhere.authority());
    for guest in GUESTS {
        let server = Server::of(guest).start();
        assert_eq!(error_of(&fetch(&server, &reached, "")), "HttpRequestDenied");
        assert_eq!(wait_refusals(&server, 1), ["no origin is allowed; add one to outbound"]);
        // Whoever reads the line finds the request that it is about.
        let line = server.wait_log(|line| line.message.starts_with("outbound request refused: "));
        assert_eq!(line.field("exchange").as_deref(), Some("1"));

        let server = Server::of(guest)
            .arg("--outbound", "http://*.example:*")
            .arg("--nameserver", dns.address().to_string())
            .start();
        assert_eq!(error_of(&fetch(&server, &reached, "")), "HttpRequestDenied");
        assert!(wait_refusals(&server, 1)[0].contains("is not among the allowed origins"));
        assert_eq!(error_of(&fetch(&server, "http://metadata.example/", "")), "HttpRequestDenied");
        assert!(wait_refusals(&server, 2)[1].contains("metadata of a cloud"));
    }
    elsewhere.assert_untouched();
}

#[test]
fn what_goes_wrong_has_a_code() {
    let dns = DnsServer::start().expect("a free port");
    dns.set("nowhere.example", [Answer::of(60, &[])]);
    let authority = Authority::new("unknown").expect("an authority can be made");
    let identity = authority.certify(&["127.0.0.1"]).expect("a certificate can be made");
    let acceptor = Acceptor::new(&identity, &["http/1.1"]).expect("it can be shown");
    let secure = Elsewhere::with_tls(&acceptor, "reached");
    let plain = Elsewhere::telling("reached");
    let gone = Upstream::start();
    let nobody = gone.authority();
    gone.stop();
    for guest in GUESTS {
        let server = fetcher(guest)
            .arg("--outbound", "https://127.0.0.1:*")
            .arg("--outbound", "http://*.example")
            .arg("--nameserver", dns.address().to_string())
            .start();
        for (url, code) in [
            (format!("http://{nobody}/"), "ConnectionRefused"),
            ("http://nowhere.example/".to_owned(), "DnsError"),
            (format!("https://{}/", secure.authority()), "TlsCertificateError"),
            (format!("https://{}/", answering("HTTP/1.1 400 Bad Request\r\n\r\n")), "TlsProtocolError"),
            (format!("http://{}/", answering("SSH-2.0-it\r\n\r\n")), "HttpProtocolError"),
            (format!("http://{}/", answering("")), "ConnectionTerminated"),
            (format!("http://{}/", answering("HTTP/1.1 200 OK\r\nCont")), "ConnectionTerminated"),
            (format!("ftp://{}/", plain.authority()), "HttpProtocolError"),
        ] {
            assert_eq!(error_of(&fetch(&server, &url, "")), code, "{url}");
        }
        let url = format!("http://{}/", plain.authority());
        let connect = server.connect().ask(getting(&url, "fetch-method: CONNECT\r\n"));
        assert_eq!(error_of(&connect), "HttpRequestMethodInvalid");
        let url =
            format!("http://{}/", answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe"));
        assert_eq!(end_of(&server, &url, ""), "200+HttpResponseIncomplete");
    }
}

#[test]
fn a_response_that_breaks_is_not_passed_on_as_whole() {
    for guest in GUESTS {
        let (server, upstream) = (fetcher(guest).start(), Upstream::start());
        let mut client = server.connect();
        client.send(getting(&format!("http://{}/", upstream.authority()), ""));
        let mut connection = upstream.accept();
        connection.read_until("\r\n\r\n");
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
        client.read_until("2\r\nhe\r\n");
        drop(connection);
        // That of 0.2 reads it, and says so in its trailers. That of 0.3 gives
        // the body away as a whole, and then it is the host that breaks it off.
        if *guest == "wasi-fetch-p2" {
            client.expect("0\r\nfetch-error: HttpResponseIncomplete\r\n\r\n");
        } else {
            assert_eq!(client.read_to_end().0, b"");
        }
    }
}

/// A server that says this to whoever asks for anything, and closes.
fn answering(words: &str) -> String {
    let words = words.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            // However that ends, it is closed then.
            let _ = stream.read(&mut [0; 16 * 1024]);
            let _ = stream.write_all(words.as_bytes());
        }
    });
    address.to_string()
}

#[test]
fn times_that_a_guest_sets_hold() {
    let full = Full::new();
    for guest in GUESTS {
        let server = fetcher(guest).start();
        let time = Duration::from_millis(300);
        for (authority, line, code) in [
            (full.authority(), "fetch-connect: 300\r\n", "ConnectionTimeout"),
            (stuck(b""), "fetch-first-byte: 300\r\n", "ConnectionReadTimeout"),
            (stuck(b"HTTP/1.1 102 Processing\r\n\r\n"), "fetch-first-byte: 300\r\n", "ConnectionReadTimeout"),
        ] {
            let url = format!("http://{authority}/");
            lasts(time, || assert_eq!(error_of(&fetch(&server, &url, line)), code, "{line}"));
        }
        let begun = stuck(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
        lasts(time, || {
            let end = end_of(&server, &format!("http://{begun}/"), "fetch-between-bytes: 300\r\n");
            assert_eq!(end, "200+ConnectionReadTimeout", "{guest}");
        });
    }
}

#[test]
fn a_guest_has_no_more_time_than_the_operator_gives() {
    let full = Full::new();
    let body = stuck(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
    for guest in GUESTS {
        let server = fetcher(guest)
            .arg("--outbound-connect-timeout", "300ms")
            .arg("--outbound-response-timeout", "300ms")
            .arg("--outbound-idle-timeout", "300ms")
            .start();
        let time = Duration::from_millis(300);
        let long = "fetch-connect: 60000\r\nfetch-first-byte: 60000\r\nfetch-between-bytes: 60000\r\n";
        for (authority, code) in
            [(full.authority(), "ConnectionTimeout"), (stuck(b""), "ConnectionReadTimeout")]
        {
            let url = format!("http://{authority}/");
            lasts(time, || assert_eq!(error_of(&fetch(&server, &url, long)), code, "{authority}"));
        }
        lasts(time, || {
            let end = end_of(&server, &format!("http://{body}/"), long);
            assert_eq!(end, "200+ConnectionReadTimeout", "{guest}");
        });
    }
}

#[test]
fn limits_bite_and_are_logged() {
    let elsewhere = Elsewhere::telling(&"x".repeat(10_000));
    let url = format!("http://{}/", elsewhere.authority());
    for guest in GUESTS {
        let limited = |flag: &str, value: &str| fetcher(guest).arg(flag, value).start();

        let server = limited("--outbound-requests-max", "2");
        let four = getting(&url, "fetch-times: 4\r\n").replace("GET /", "GET /each");
        for _ in 0..2 {
            let answer = server.connect().ask(&four);
            assert_eq!(answer.text(), "200 200 HttpRequestDenied HttpRequestDenied");
        }
        assert_eq!(wait_refusals(&server, 4)[0], "limit outbound_requests_max reached");

        let server = limited("--outbound-response-body-bytes-max", "5000");
        assert_eq!(error_of(&fetch(&server, &url, "")), "HttpResponseBodySize");
        assert_logged(&server, "outbound_response_body_bytes_max");

        let server = limited("--outbound-head-bytes-max", "1000");
        let wide = answering(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1000)));
        assert_eq!(
            error_of(&fetch(&server, &format!("http://{wide}/"), "")),
            "HttpResponseHeaderSectionSize"
        );
        assert_logged(&server, "outbound_head_bytes_max");

        let server = limited("--outbound-request-body-bytes-max", "5000");
        let large = format!("Content-Length: 10000\r\n\r\n{}", "x".repeat(10_000));
        let silent = Elsewhere::silent();
        let url = format!("http://{}/", silent.authority());
        let answer = server.connect().ask(asking("POST", &url, &large));
        assert_eq!(error_of(&answer), "HttpRequestBodySize");
        assert_logged(&server, "outbound_request_body_bytes_max");
    }
}

#[track_caller]
fn assert_logged(server: &Running, limit: &str) {
    let line = server.wait_log(|line| {
        line.message.starts_with("outbound request")
            && line.message.ends_with(&format!("limit {limit} reached"))
    });
    assert_eq!(line.level, "WARN", "{line:?}");
}

#[test]
fn what_a_guest_lets_go_ends_at_once() {
    for guest in GUESTS {
        let server = fetcher(guest).start();
        for (target, begins) in
            [("/leave", ""), ("/leave-body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhe")]
        {
            let upstream = Upstream::start();
            let mut client = server.connect();
            let url = format!("http://{}/", upstream.authority());
            let request = asking("POST", &url, "Transfer-Encoding: chunked\r\n");
            client.send(request.replace("POST /", &format!("POST {target}")));
            let mut connection = upstream.accept();
            connection.read_until("\r\n\r\n");
            connection.send(begins);
            client.send("1\r\na\r\n");
            // The exchange goes on, but not the request.
            promptly(|| connection.read_to_end());
            client.send("0\r\n\r\n");
            assert_eq!(client.read_response().text(), "left");
        }
    }
}

#[test]
fn what_is_under_way_ends_with_its_exchange() {
    for guest in GUESTS {
        for instances in ["per-request", "pooled"] {
            let server = fetcher(guest).arg("--instances", instances).start();
            let upstream = Upstream::start();
            let url = format!("http://{}/", upstream.authority());
            for begins in ["", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhe"] {
                let mut client = server.connect();
                client.send(getting(&url, ""));
                let mut connection = upstream.accept();
                connection.read_until("\r\n\r\n");
                connection.send(begins);
                if !begins.is_empty() {
                    client.read_until("he");
                }
                client.reset();
                promptly(|| connection.read_to_end());
            }
        }
    }
}

#[test]
fn an_instance_that_has_several_exchanges_asks_for_each() {
    let server = fetcher("wasi-fetch-p3").arg("--instances", "pooled").start();
    let (upstream, elsewhere) = (Upstream::start(), Elsewhere::telling("reached"));
    let beside = format!("http://{}/", elsewhere.authority());
    let begin = || {
        let mut client = server.connect();
        client.send(getting(&format!("http://{}/", upstream.authority()), ""));
        let mut connection = upstream.accept();
        connection.read_until("\r\n\r\n");
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
        let head = client.read_response_to_head();
        client.read_until("2\r\nhe\r\n");
        (client, connection, instance(&head))
    };
    let (mut first, mut of_first, shared) = begin();
    ask_in(&server, &shared, &beside);
    // Another exchange that ends at once takes its own request with it only.
    meeting(|| {
        let (client, mut connection, met) = begin();
        client.reset();
        promptly(|| connection.read_to_end());
        (met == shared).then_some(())
    });
    of_first.send("3\r\nllo\r\n0\r\n\r\n");
    first.expect("3\r\nllo\r\n0\r\n\r\n");
}

fn instance(answer: &Message) -> String {
    answer.header("fetch-instance").expect("each answer tells its instance").to_owned()
}

/// Has this instance ask for this.
fn ask_in(server: &Running, shared: &str, url: &str) {
    meeting(|| {
        let answer = fetch(server, url, "");
        assert_eq!(answer.text(), "reached");
        (instance(&answer) == shared).then_some(())
    });
}

#[test]
fn a_client_that_reads_nothing_holds_the_server_back() {
    static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    for guest in GUESTS {
        let server = fetcher(guest).start();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("a bound socket has an address"));
        let mut client = server.connect();
        client.send(getting(&url, ""));
        let (mut stream, _) = listener.accept().expect("the guest connects");
        stream.set_write_timeout(Some(Duration::from_millis(500))).expect("the time is not zero");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").expect("somebody reads");
        let mut written = 0;
        let error = loop {
            match stream.write(&PIECE) {
                Ok(count) => written += count,
                Err(error) => break error,
            }
            // What the system keeps for three sockets, and some more.
            assert!(written < 64 << 20, "{written} bytes and no end");
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        // It is held back, not broken.
        read_some(&mut client, written);
        drop(stream);
    }
}

/// Reads so many bytes of a response.
fn read_some(client: &mut Client, count: usize) {
    let mut missing = count;
    while missing > 0 {
        missing = missing.saturating_sub(client.read_until("xxxxxxxxxxxxxxxx").len());
    }
}

#[test]
fn a_guest_of_our_own_contract_has_it_too() {
    let elsewhere = Elsewhere::telling("reached");
    let server = Server::of("wasi-client").arg("--outbound", HERE).start();
    let answer = server.connect().ask(get(&format!("/{}", elsewhere.authority())));
    assert_eq!(answer.text(), "200 reached");
    let server = Server::of("wasi-client").start();
    server.wait_log(|line| line.message.contains("all of them will be denied"));
    let answer = server.connect().ask(get(&format!("/{}", elsewhere.authority())));
    assert_eq!(answer.text(), "ErrorCode::HttpRequestDenied");
    assert_eq!(wait_refusals(&server, 1).len(), 1);
}
