//! A proxy in front of another server: what it is asked it asks there, and
//! what comes back goes to the client, both ways at once and piece by piece.
//! `fields.rs` says which header lines go on, `body.rs` carries the bodies,
//! `raw.rs` answers where there is no `ServerResponse`.
//!
//! ```sh
//! innkeeper serve reverse_proxy.wasm --env UPSTREAM=http://127.0.0.1:3000 \
//!     --outbound http://127.0.0.1:3000
//! ```

use innkeeper_guest::client::{Agent, AgentOptions, ClientRequest};
use innkeeper_guest::{
    ErrorCode, IncomingMessage, Result, ServerResponse, Socket, check_continue_handler, handler,
    upgrade_handler,
};

mod body;
mod fields;
mod raw;

use body::Upload;

/// A body of a request for an upgrade is sent at once: hardly any has one.
const UPGRADE_BODY_BYTES_MAX: u64 = 64 * 1024;

#[handler]
fn proxy(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let outcome = ask(&req).and_then(|request| {
        let upload = Upload::begin(&req, &request)?;
        body::carry(&req, &request, &res, upload)
    });
    conclude(&res, outcome)
}

/// The server says whether it wants the body, and not this proxy.
#[check_continue_handler]
fn proxy_expecting(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let outcome = ask(&req).and_then(|request| {
        request.set_header("Expect", "100-continue")?;
        request.flush_headers()?;
        let upload = if request.wait_continue()? {
            res.write_continue()?;
            Upload::Reading
        } else {
            Upload::Ended
        };
        body::carry(&req, &request, &res, upload)
    });
    conclude(&res, outcome)
}

#[upgrade_handler]
fn proxy_upgrade(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    let outcome = ask(&req).and_then(|request| {
        request.set_header("Connection", "Upgrade")?;
        request.set_header("Upgrade", req.header("upgrade").unwrap_or_default())?;
        match req.read_all(UPGRADE_BODY_BYTES_MAX)? {
            body if body.is_empty() => request.end_empty()?,
            body => request.end(body)?,
        }
        Ok((request.upgraded()?, request))
    });
    match outcome {
        Ok((Some(tunnel), _)) => {
            socket.write(raw::switching(&tunnel.response))?;
            tunnel.socket.write(head)?;
            tunnel.relay(&socket)?;
            Ok(())
        }
        Ok((None, request)) => Ok(raw::answer(&socket, &request.response()?)?),
        Err(error) => Ok(raw::refuse(&socket, blame(&error))?),
    }
}

/// The request to the server behind, of which nothing is sent yet. Its
/// connection may be one that an earlier request left.
fn ask(req: &IncomingMessage) -> Result<ClientRequest, ErrorCode> {
    let agent = Agent::open("upstream", AgentOptions::default())?;
    fields::request(req).agent(&agent).start()
}

/// Before the head has gone out there is something to say about a failure.
fn conclude(res: &ServerResponse, outcome: Result<(), ErrorCode>) -> Result<()> {
    match outcome {
        Err(error) if !res.headers_sent() => {
            let (status, text) = blame(&error);
            res.set_status_code(status);
            res.set_header("Content-Type", "text/plain")?;
            Ok(res.end(text)?)
        }
        outcome => Ok(outcome?),
    }
}

/// What the client is told; the log has the reason.
fn blame(error: &ErrorCode) -> (u16, &'static str) {
    eprintln!("no answer: {error}");
    match error {
        ErrorCode::Timeout(_) => (504, "the server behind this one took too long\n"),
        _ => (502, "the server behind this one did not answer\n"),
    }
}
