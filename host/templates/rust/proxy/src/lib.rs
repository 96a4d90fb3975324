//! Passes each request on to the server that `UPSTREAM` names, and its answer
//! back, piece by piece.

use std::env;
use std::time::Duration;

use innkeeper_guest::{ErrorCode, Field, IncomingMessage, Result, ServerResponse, client, handler};

/// The body of a request is read before it goes on; that of the answer is not.
const BODY_BYTES_MAX: u64 = 1024 * 1024;

/// How much of an answer is in memory at a time.
const PIECE_BYTES: u32 = 64 * 1024;

/// Time without a byte from the server behind.
const PATIENCE: Duration = Duration::from_secs(10);

/// Header lines that are of one connection, or are said anew.
const LEFT_OUT: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "host",
];

#[handler]
fn proxy(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let upstream = env::var("UPSTREAM").unwrap_or_default();
    pass_on(&req, &res, &upstream)
}

fn pass_on(req: &IncomingMessage, res: &ServerResponse, upstream: &str) -> Result<()> {
    match ask(req, upstream) {
        Ok(answer) => pass_back(&answer, res),
        Err(error) => {
            // The log has the reason; the client is told whose fault it is.
            eprintln!("no answer: {error}");
            res.set_status_code(if matches!(error, ErrorCode::Timeout(_)) { 504 } else { 502 });
            res.set_header("Content-Type", "text/plain")?;
            Ok(res.end("the server behind this one did not answer\n")?)
        }
    }
}

fn ask(req: &IncomingMessage, upstream: &str) -> Result<IncomingMessage, ErrorCode> {
    let request = client::request(&req.method(), upstream)
        .path(&req.url())
        .headers(end_to_end(req))
        .header("X-Forwarded-For", req.socket().remote_address())
        .timeout(PATIENCE);
    match req.read_all(BODY_BYTES_MAX)? {
        body if body.is_empty() => request.send_empty(),
        body => request.send(body),
    }
}

fn pass_back(answer: &IncomingMessage, res: &ServerResponse) -> Result<()> {
    res.set_status_code(answer.status_code().unwrap_or(502));
    for (name, value) in end_to_end(answer) {
        res.append_header(&name, value)?;
    }
    while let Some(piece) = answer.read_piece(PIECE_BYTES)? {
        res.write(piece)?;
    }
    Ok(res.end_empty()?)
}

/// The header lines that go on (RFC 9110 7.6.1).
fn end_to_end(message: &IncomingMessage) -> Vec<Field> {
    let named = message.header_str("connection").unwrap_or_default().to_ascii_lowercase();
    let named: Vec<_> = named.split(',').map(str::trim).collect();
    let mut lines = message.raw_headers();
    lines.retain(|(name, _)| {
        let name = name.to_ascii_lowercase();
        !LEFT_OUT.contains(&name.as_str()) && !named.contains(&name.as_str())
    });
    lines
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing::{self, Reply};

    use super::*;

    const UPSTREAM: &str = "http://upstream.internal";

    #[test]
    fn requests_and_answers_are_passed_on() {
        let answer = testing::request("POST", "/items?a=b")
            .header("X-Own", "1")
            .header("Connection", "close, X-Hop")
            .header("X-Hop", "2")
            .body("tea")
            .upstream(UPSTREAM, |call| {
                assert_eq!((call.method(), call.url(), call.body()), ("POST", "/items?a=b", &b"tea"[..]));
                assert_eq!((call.header("x-own"), call.header("x-hop")), (Some("1"), None));
                assert_eq!(call.header("x-forwarded-for"), Some("127.0.0.1"));
                Reply::new(201).header("X-Answer", "3").body("done")
            })
            .send(|req, res| pass_on(&req, &res, UPSTREAM));
        assert_eq!((answer.status(), answer.text().as_str()), (201, "done"));
        assert_eq!(answer.header("x-answer"), Some("3"));
    }

    #[test]
    fn a_server_that_may_not_be_asked_is_a_bad_gateway() {
        let answer = testing::get("/").send(|req, res| pass_on(&req, &res, UPSTREAM));
        assert_eq!(answer.status(), 502);
    }
}
