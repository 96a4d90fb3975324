//! What a server answers: interim responses, the response, its body.

use innkeeper_guest::{Error, ErrorCode, Field, IncomingMessage, Result, poll};

use crate::asked::Asked;
use crate::body::pattern;
use crate::run::{Run, number};

/// Bytes of a body that is told as text.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes that are asked for at a time where they are counted.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

/// `continue` tells whether there was a 100, `information` the next of the
/// others.
pub fn wait_for_interim(run: &Run, name: &str, asked: &Asked, what: &str) -> Result<()> {
    if what == "continue" {
        return run.tell(name, what, &asked.request.wait_continue());
    }
    match asked.request.information() {
        Ok(Some(information)) => {
            run.line(name, format!("information {}", information.status_code))?;
            tell_lines(run, name, &information.headers)
        }
        Ok(None) => run.line(name, "information none"),
        Err(error) => run.tell(name, what, &Err::<(), _>(error)),
    }
}

/// `response`: its version, status and reason, and its header lines.
pub fn wait_for_response(run: &mut Run, name: &str) -> Result<()> {
    let asked = run.requests.get_mut(name).ok_or_else(|| Error::msg("no such request"))?;
    match asked.request.response() {
        Ok(response) => {
            let head = head_of(&response);
            let lines = response.raw_headers();
            asked.response = Some(response);
            run.line(name, format!("response {head}"))?;
            tell_lines(run, name, &lines)
        }
        Err(error) => run.tell(name, "response", &Err::<(), _>(error)),
    }
}

pub fn head_of(response: &IncomingMessage) -> String {
    let status = response.status_code().unwrap_or_default();
    let reason = response.status_message().unwrap_or_default();
    let text = format!("{} {status} {}", response.http_version(), reason.escape_default());
    text.trim_end().to_owned()
}

pub fn tell_lines(run: &Run, name: &str, lines: &[Field]) -> Result<()> {
    for (header, value) in lines {
        run.line(name, format!("> {header}: {}", value.escape_ascii()).trim_end())?;
    }
    Ok(())
}

/// `body`: all that is left, as text, or what came before it broke; and the
/// trailers.
pub fn read_body(run: &Run, name: &str, asked: &Asked) -> Result<()> {
    let response = response_of(asked)?;
    let mut body = Vec::new();
    let end = loop {
        match response.read_piece(PIECE_BYTES_MAX) {
            Ok(Some(piece)) => body.extend(piece),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        if body.len() as u64 > TEXT_BYTES_MAX {
            break Err(ErrorCode::LimitExceeded("the guest's own".to_owned()));
        }
    };
    run.line(name, format!("body {}", body.escape_ascii()).trim_end())?;
    match end {
        Ok(()) => tell_trailers(run, name, asked),
        Err(error) => run.tell(name, "body", &Err::<(), _>(error)),
    }
}

/// `trailing`: the trailers, and if the response is not complete, that.
pub fn tell_trailers(run: &Run, name: &str, asked: &Asked) -> Result<()> {
    let response = response_of(asked)?;
    for (header, value) in response.raw_trailers() {
        run.line(name, format!(">> {header}: {}", value.escape_ascii()))?;
    }
    if response.complete() { Ok(()) } else { run.line(name, "incomplete") }
}

/// `count`: how many bytes the rest of the body has, and how many of them are
/// not their place modulo 251.
pub fn count_body(run: &Run, name: &str, asked: &Asked) -> Result<()> {
    let response = response_of(asked)?;
    let (mut bytes, mut wrong) = (0_u64, 0_u64);
    loop {
        match response.read_piece(PIECE_BYTES_MAX) {
            Ok(Some(piece)) => {
                for byte in piece {
                    wrong += u64::from(u64::from(byte) != bytes % 251);
                    bytes += 1;
                }
            }
            Ok(None) => return run.line(name, format!("count {bytes}, {wrong} wrong")),
            Err(error) => {
                run.line(name, format!("count {bytes}, {wrong} wrong"))?;
                return run.tell(name, "count", &Err::<(), _>(error));
            }
        }
    }
}

/// `echo-pattern BYTES`: ends the request with so many bytes, of which each is
/// its place modulo 251, and reads the response at the same time; how many of
/// what came are others.
pub fn echo_pattern(run: &Run, name: &str, asked: &Asked, argument: &str) -> Result<()> {
    let (request, response) = (&asked.request, response_of(asked)?);
    let bytes: u64 = number(argument)?;
    let (room, news) = (request.subscribe_writable(), response.subscribe());
    let (mut written, mut read, mut wrong) = (0, 0, 0);
    while read < bytes {
        let waited_for = if written < bytes { vec![&news, &room] } else { vec![&news] };
        let ready = poll(&waited_for);
        if ready.contains(&1) {
            let piece = pattern(written, (bytes - written).min(PIECE_BYTES_MAX.into()));
            written += piece.len() as u64;
            request.try_write(piece)?;
            if written == bytes {
                request.end_empty()?;
            }
        }
        if ready.contains(&0) {
            let piece =
                response.read_piece(PIECE_BYTES_MAX)?.ok_or_else(|| Error::msg("it ends too early"))?;
            wrong += piece
                .iter()
                .zip(pattern(read, piece.len() as u64))
                .filter(|(one, other)| **one != *other)
                .count();
            read += piece.len() as u64;
        }
    }
    run.line(name, format!("echo-pattern {read}, {wrong} wrong"))?;
    read_piece(run, name, asked, "1")
}

/// `piece BYTES`: some of the body, at most so much.
pub fn read_piece(run: &Run, name: &str, asked: &Asked, argument: &str) -> Result<()> {
    match response_of(asked)?.read_piece(number(argument)?) {
        Ok(Some(piece)) => run.line(name, format!("piece {}", piece.escape_ascii())),
        Ok(None) => run.line(name, "piece none"),
        Err(error) => run.tell(name, "piece", &Err::<(), _>(error)),
    }
}

fn response_of(asked: &Asked) -> Result<&IncomingMessage> {
    asked.response.as_ref().ok_or_else(|| Error::msg("there is no response"))
}
