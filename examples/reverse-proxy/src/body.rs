//! Carries the body of the request up and the response down, at the same
//! time: a server may answer before it has all, and a client may send on while
//! it is answered.

use innkeeper_guest::client::ClientRequest;
use innkeeper_guest::{ErrorCode, IncomingMessage, Pollable, ServerResponse, poll};

/// One system call's worth.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

/// How far the body of the request is.
#[derive(Clone, Copy, PartialEq)]
pub enum Upload {
    Reading,
    /// The server takes nothing for now.
    Full,
    Ended,
}

impl Upload {
    /// A request without a body is sent whole. Of one with a body the head goes
    /// first, for the body may be long in coming; it has the length, or else
    /// the body is chunked.
    pub fn begin(req: &IncomingMessage, request: &ClientRequest) -> Result<Self, ErrorCode> {
        if req.header("content-length").is_some() || req.header("transfer-encoding").is_some() {
            request.flush_headers()?;
            return Ok(Self::Reading);
        }
        request.end_empty()?;
        Ok(Self::Ended)
    }

    fn wait(self, req: &IncomingMessage, request: &ClientRequest) -> Option<Pollable> {
        match self {
            Self::Reading => Some(req.subscribe()),
            Self::Full => Some(request.subscribe_writable()),
            Self::Ended => None,
        }
    }

    /// Goes one piece on. A server that takes no more may still answer: only
    /// what the client does wrong is an error.
    fn step(self, req: &IncomingMessage, request: &ClientRequest) -> Result<Self, ErrorCode> {
        if self != Self::Reading {
            return Ok(Self::Reading);
        }
        Ok(match req.read_piece(PIECE_BYTES_MAX)? {
            Some(piece) => {
                match request.try_write(&piece).or_else(|code| insist(code, || request.write(&piece))) {
                    Ok(true) => Self::Full,
                    Ok(false) => Self::Reading,
                    Err(_) => Self::Ended,
                }
            }
            None => {
                let trailers = req.raw_trailers();
                if !trailers.is_empty() {
                    // Those that may not be sent are no reason to stop.
                    let _ = request.add_trailers(trailers);
                }
                let _ = request.end_empty();
                Self::Ended
            }
        })
    }
}

/// Carries on until the client has the whole response. What is not uploaded by
/// then is not wanted any more.
pub fn carry(
    req: &IncomingMessage,
    request: &ClientRequest,
    res: &ServerResponse,
    mut upload: Upload,
) -> Result<(), ErrorCode> {
    while !together(req, request, &mut upload, || request.subscribe())? {}
    // Interim responses come first, and are passed on.
    while let Some(interim) = request.information()? {
        res.write_information(interim.status_code, interim.headers)?;
        while !together(req, request, &mut upload, || request.subscribe())? {}
    }
    let answer = request.response()?;
    let status = answer.status_code().unwrap_or(502);
    res.write_head(status, answer.status_message().as_deref(), crate::fields::end_to_end(&answer))?;

    let mut full = false;
    loop {
        let wait = || if full { res.subscribe() } else { answer.subscribe() };
        if !together(req, request, &mut upload, wait)? {
            continue;
        }
        if full {
            full = false;
            continue;
        }
        match answer.read_piece(PIECE_BYTES_MAX)? {
            Some(piece) => full = res.try_write(&piece).or_else(|code| insist(code, || res.write(&piece)))?,
            None => break,
        }
    }
    let trailers = answer.raw_trailers();
    if !trailers.is_empty() {
        let _ = res.add_trailers(trailers);
    }
    res.end_empty()
}

/// Waits for room where the operator has left less than a piece needs.
fn insist(code: ErrorCode, write: impl FnOnce() -> Result<(), ErrorCode>) -> Result<bool, ErrorCode> {
    match code {
        ErrorCode::LimitExceeded(_) => write().map(|()| false),
        code => Err(code),
    }
}

/// Waits for the response or for the upload, whichever is first, and goes on
/// with the upload if it can. Returns whether it is the response's turn, which
/// may wait by itself when nothing is left to upload.
fn together(
    req: &IncomingMessage,
    request: &ClientRequest,
    upload: &mut Upload,
    response: impl Fn() -> Pollable,
) -> Result<bool, ErrorCode> {
    let Some(wait) = upload.wait(req, request) else { return Ok(true) };
    let ready = poll(&[&wait, &response()]);
    if ready.contains(&0) {
        *upload = upload.step(req, request)?;
    }
    Ok(ready.contains(&1))
}
