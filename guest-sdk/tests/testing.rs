//! Handlers called in process: what [`testing`] promises.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::rc::Rc;
use std::time::Duration;

use innkeeper_guest::client::{self, AgentOptions};
use innkeeper_guest::testing::{self, Reply};
use innkeeper_guest::{
    ErrorCode, IncomingMessage, JoinedValue, Result, ServerResponse, Socket, handler, poll, timer,
};

/// A plain function is a handler, too.
fn nothing(_req: IncomingMessage, _res: ServerResponse) -> Result<()> {
    Ok(())
}

#[handler]
fn echo(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_status_code(201);
    Ok(res.end(req.read_all(1024)?)?)
}

#[test]
fn a_handler_is_called_by_its_name() {
    let answer = testing::request("POST", "/items").body("{}").send(echo);
    assert_eq!((answer.status(), answer.reason(), answer.text().as_str()), (201, "Created", "{}"));
    assert_eq!(answer.header("CONTENT-LENGTH"), Some("2"));
    assert!(answer.is_whole() && answer.error().is_none());
}

#[test]
fn the_request_is_as_it_was_made() {
    let answer = testing::request("PUT", "/a%20b?c=d")
        .header("X-Two", ["a", "b"])
        .header("Cookie", "a=1")
        .header("cookie", "b=2")
        .header("Set-Cookie", ["c", "d"])
        .header("Host", "inn")
        .header("hOST", "other")
        .body("abc")
        .send(|req, res| {
            assert_eq!((req.method().as_str(), req.url().as_str()), ("PUT", "/a%20b?c=d"));
            assert_eq!(req.http_version(), "1.1");
            assert_eq!((req.status_code(), req.status_message()), (None, None));
            assert_eq!(req.header_str("x-two").as_deref(), Some("a, b"));
            assert_eq!(req.header_str("COOKIE").as_deref(), Some("a=1; b=2"));
            assert_eq!(req.header_str("host").as_deref(), Some("inn"));
            assert_eq!(req.header_str("set-cookie").as_deref(), Some("c, d"));
            let cookies = req.headers().into_iter().find(|(name, _)| name == "set-cookie");
            assert!(matches!(cookies, Some((_, JoinedValue::Multiple(values))) if values == [b"c", b"d"]));
            assert_eq!(req.headers_distinct()[0], ("x-two".to_owned(), vec![b"a".to_vec(), b"b".to_vec()]));
            assert_eq!(req.raw_headers()[0], ("X-Two".to_owned(), b"a".to_vec()));
            assert_eq!(req.raw_headers().last(), Some(&("Content-Length".to_owned(), b"3".to_vec())));
            assert!(!req.complete());
            assert_eq!(req.read_piece(2)?.as_deref(), Some(&b"ab"[..]));
            assert_eq!(req.read_piece(2)?.as_deref(), Some(&b"c"[..]));
            assert!(req.complete());
            assert_eq!(req.read_piece(2)?, None);
            assert_eq!(req.socket().remote_address(), "127.0.0.1");
            res.end_empty()
        });
    assert_eq!(answer.error(), None);
    assert_eq!((answer.status(), answer.header("content-length")), (200, Some("0")));
}

#[test]
fn pieces_and_trailers_come_one_after_the_other() {
    let request = testing::request("POST", "/").piece("one").piece("two").trailer("X-End", "yes");
    let answer = request.send(|mut req, res| -> Result<()> {
        assert_eq!(req.header_str("transfer-encoding").as_deref(), Some("chunked"));
        let mut buffer = [0; 8];
        while let count @ 1.. = req.read(&mut buffer)? {
            assert!(req.trailers().is_empty());
            res.write(&buffer[..count])?;
        }
        assert_eq!(req.raw_trailers(), [("X-End".to_owned(), b"yes".to_vec())]);
        res.add_trailers([("X-Sum", "6")])?;
        Ok(res.end_empty()?)
    });
    assert_eq!(answer.pieces(), [b"one", b"two"]);
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.trailer("x-sum"), Some("6"));
}

#[test]
fn a_handler_that_does_not_end_is_answered_for() {
    let answer = testing::get("/").send(nothing);
    assert_eq!((answer.status(), answer.text().as_str()), (500, "500 Internal Server Error\n"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let answer = testing::get("/").send(|_, res| {
        res.set_header("X-Secret", "1")?;
        res.write("buffered only")?;
        Err::<(), _>(innkeeper_guest::Error::msg("no room"))
    });
    assert_eq!((answer.status(), answer.error()), (500, Some("no room")));
    assert_eq!(answer.header("x-secret"), None);
}

#[test]
fn what_has_left_is_cut() {
    let answer = testing::get("/").send(|_, res| -> Result<()> {
        res.flush_headers()?;
        res.write("half")?;
        Ok(())
    });
    assert!(answer.is_answered() && !answer.is_whole());
    assert_eq!((answer.status(), answer.text().as_str()), (200, "half"));
    // Whoever waits lets go what was written.
    let answer = testing::get("/").send(|_, res| {
        res.write("sent")?;
        poll(&[&timer(Duration::from_millis(1))]);
        Err::<(), _>(innkeeper_guest::Error::msg("too late"))
    });
    assert_eq!((answer.status(), answer.is_whole()), (200, false));
}

#[test]
fn calls_are_refused_as_a_host_refuses_them() {
    let answer = testing::get("/").send(|req, res| -> Result<()> {
        assert!(matches!(res.set_header("a b", "1"), Err(ErrorCode::InvalidHeaderName(_))));
        assert!(matches!(res.set_header("a", "1\n2"), Err(ErrorCode::InvalidChar(_))));
        assert!(matches!(res.set_header("content-length", "x"), Err(ErrorCode::InvalidHeaderValue(_))));
        assert_eq!(res.write_head(99, None, ()), Err(ErrorCode::InvalidStatusCode(99)));
        assert!(matches!(req.read_piece(0), Err(ErrorCode::InvalidArg(_))));
        assert!(matches!(res.finished(), Err(ErrorCode::InvalidArg(_))));
        assert!(matches!(res.add_trailers([("Host", "x")]), Err(ErrorCode::TrailerInvalid(_))));
        res.set_header("Content-Length", 3)?;
        assert_eq!(res.write("four"), Err(ErrorCode::ContentLengthMismatch { declared: 3, actual: 4 }));
        assert!(!res.headers_sent());
        res.write("ab")?;
        assert_eq!(res.set_header("x", "y"), Err(ErrorCode::HeadersSent));
        assert_eq!(res.write_continue(), Err(ErrorCode::HeadersSent));
        res.end("c")?;
        assert_eq!(res.end_empty(), Err(ErrorCode::AlreadyFinished));
        assert_eq!(res.write("d"), Err(ErrorCode::WriteAfterEnd));
        assert!(matches!(req.socket().write("x"), Err(ErrorCode::Denied(_))));
        res.finished()?;
        assert!(res.writable_finished());
        Ok(())
    });
    assert_eq!((answer.error(), answer.text().as_str()), (None, "abc"));
}

#[test]
fn clients_differ() {
    let two_pieces = |_: IncomingMessage, res: ServerResponse| -> Result<()> {
        res.write("a")?;
        Ok(res.end("b")?)
    };
    let answer = testing::request("HEAD", "/").send(two_pieces);
    assert_eq!((answer.body(), answer.is_whole()), (Vec::new(), true));
    let answer = testing::get("/").http_1_0().send(two_pieces);
    assert_eq!((answer.header("transfer-encoding"), answer.header("connection")), (None, Some("close")));
    let answer = testing::get("/").header("Connection", "close").send(two_pieces);
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn clients_go_away() {
    let answer = testing::request("POST", "/").piece("one").goes_away().send(echo);
    assert_eq!((answer.error(), answer.is_answered()), (Some("the peer went away"), false));
    let answer = testing::get("/").send(|req, res| -> Result<()> {
        req.destroy();
        assert_eq!(res.write("x"), Err(ErrorCode::Destroyed));
        assert_eq!(req.read_piece(1), Err(ErrorCode::Destroyed));
        Ok(())
    });
    assert!(answer.is_destroyed() && !answer.is_answered());
    let too_large = ErrorCode::LimitExceeded("request_body_bytes_max".to_owned());
    let answer = testing::request("POST", "/").piece("one").breaks(too_large).send(|req, res| {
        let status = if req.read_all(1024).is_err() { 413 } else { 200 };
        res.set_status_code(status);
        res.end_empty()
    });
    assert_eq!(answer.status(), 413);
}

#[test]
fn interim_responses_come_first() {
    let answer = testing::get("/").send(|_, res| -> Result<()> {
        res.write_early_hints(&["</a.css>; rel=preload"], [("X-A", "1")])?;
        res.write_processing()?;
        Ok(res.end("x")?)
    });
    let interim = answer.interim();
    assert_eq!((interim[0].status, interim[1].status), (103, 102));
    assert_eq!(interim[0].headers[0], ("Link".to_owned(), b"</a.css>; rel=preload".to_vec()));
    let expecting = || testing::request("POST", "/").header("Expect", "100-continue").body("abc");
    assert_eq!(expecting().send(echo).interim()[0].status, 100);
    // Who does not ask for the body cannot keep the connection.
    let answer = expecting().send_expecting(|_, res| res.end_empty());
    assert_eq!((answer.interim().len(), answer.header("connection")), (0, Some("close")));
    let answer = expecting().send_expecting(|req, res| {
        res.write_continue()?;
        res.end(req.read_all(16)?)
    });
    assert_eq!((answer.interim()[0].status, answer.header("connection")), (100, Some("keep-alive")));
}

#[test]
fn servers_of_the_test_answer() {
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let answer = testing::get("/")
        .upstream("http://API.internal:80/", move |call| {
            counted.set(counted.get() + 1);
            assert_eq!((call.method(), call.url()), ("POST", "/x?y"));
            assert_eq!(call.header("host"), Some("api.internal"));
            assert_eq!(call.header("authorization"), Some("Basic dXNlcjpwYXNz"));
            assert_eq!((call.header("content-length"), call.body()), (Some("2"), &b"hi"[..]));
            Reply::new(202).header("X-A", "1").piece("a").piece("b").trailer("X-T", "t")
        })
        .upstream("https://down.internal", |_| ErrorCode::Connect("refused".to_owned()))
        .send(|_, res| -> Result<()> {
            let message = client::request("POST", "http://user:pass@api.internal/x?y").send("hi")?;
            assert_eq!(
                (message.status_code(), message.status_message().as_deref()),
                (Some(202), Some("Accepted"))
            );
            assert_eq!(message.header_str("x-a").as_deref(), Some("1"));
            let body = message.read_all(10)?;
            assert_eq!(message.raw_trailers().len(), 1);
            assert!(matches!(client::get("https://down.internal/"), Err(ErrorCode::Connect(_))));
            assert!(matches!(client::get("http://elsewhere/"), Err(ErrorCode::Denied(_))));
            Ok(res.end(body)?)
        });
    assert_eq!((answer.error(), answer.text().as_str(), calls.get()), (None, "ab", 1));
    assert_eq!(client::Agent::get_name("https", "[::1]").as_deref(), Ok("https:::1:443:"));
    assert!(client::Agent::new(AgentOptions::default()).is_ok());
}

#[test]
fn a_server_may_be_another_handler() {
    let gate = |req: IncomingMessage, res: ServerResponse| -> Result<()> {
        let inner = client::get(&format!("http://app{}", req.url()))?;
        Ok(res.end(inner.read_all(64)?)?)
    };
    let answer = testing::get("/deep")
        .upstream("http://app", |call| {
            testing::get(call.url()).send(|req, res| res.end(format!("at {}", req.url()))).body()
        })
        .send(gate);
    assert_eq!(answer.text(), "at /deep");
}

#[test]
fn connections_are_taken_over() {
    let shout = |_: IncomingMessage, mut socket: Socket, head: Vec<u8>| -> Result<()> {
        assert!(head.is_empty());
        loop {
            match socket.read_piece(64) {
                Ok(Some(piece)) => socket.write_all(&piece.to_ascii_uppercase())?,
                Ok(None) => return Ok(socket.end_empty()?),
                Err(ErrorCode::ServerClosing) => socket.write("bye")?,
                Err(error) => return Err(error.into()),
            }
        }
    };
    let tunnel = testing::get("/").take_over(shout, [Ok("a"), Err(ErrorCode::ServerClosing), Ok("b")]);
    assert_eq!((tunnel.text(), tunnel.is_ended(), tunnel.error()), ("AbyeB", true, None));
    let tunnel = testing::get("/").take_over(shout, [Ok("a"), Err(ErrorCode::ConnectionReset)]);
    assert_eq!((tunnel.written(), tunnel.error()), (&b"A"[..], Some("the peer went away")));
}
