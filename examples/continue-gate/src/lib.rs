//! Decides about an upload before it is sent: a client that says
//! `Expect: 100-continue` waits for the word, and one whose upload is too large
//! gets a 413 for its head alone. The bound comes from the environment,
//! `BODY_MAX` in bytes, 1 MiB if it is not set.
//!
//! ```sh
//! head -c 2000000 /dev/zero | curl -i -H 'Expect: 100-continue' --data-binary @- http://127.0.0.1:8080/
//! ```

use std::env;

use innkeeper_guest::{ErrorCode, IncomingMessage, Result, ServerResponse, check_continue_handler, handler};

const BODY_BYTES_MAX: u64 = 1024 * 1024;

#[check_continue_handler]
fn gate(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let declared = req.header_str("content-length").and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|length| length > body_bytes_max()) {
        // The body does not come, or is for nobody: the connection closes.
        return too_large(&res);
    }
    res.write_continue()?;
    receive(req, res)
}

/// For clients that do not ask.
#[handler]
fn receive(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let body = match req.read_all(body_bytes_max()) {
        Ok(body) => body,
        Err(ErrorCode::LimitExceeded(_)) => return too_large(&res),
        Err(error) => return Err(error.into()),
    };
    res.set_header("Content-Type", "text/plain")?;
    Ok(res.end(format!("{} bytes\n", body.len()))?)
}

fn too_large(res: &ServerResponse) -> Result<()> {
    res.set_status_code(413);
    res.set_header("Content-Type", "text/plain")?;
    Ok(res.end(format!("a body has at most {} bytes\n", body_bytes_max()))?)
}

/// What is set and is no number counts as not set.
fn body_bytes_max() -> u64 {
    let set = env::var("BODY_MAX").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(BODY_BYTES_MAX)
}
