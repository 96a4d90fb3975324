//! Basic authentication (RFC 7617). The credentials come from the environment
//! that the operator sets, `USER` and `PASSWORD`.
//!
//! ```sh
//! curl -i -u guest:secret http://127.0.0.1:8080/
//! ```

use std::env;

use base64::{Engine, prelude::BASE64_STANDARD};
use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn basic_auth(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    // Without credentials in the environment nobody comes in: the client gets
    // a 500 and the log says why.
    let user = env::var("USER")?;
    let password = env::var("PASSWORD")?;
    let expected = format!("{user}:{password}");
    match credentials(&req) {
        Some(given) if equal(&given, expected.as_bytes()) => {
            res.set_header("Content-Type", "text/plain")?;
            res.end(format!("Welcome, {user}\n"))?;
        }
        _ => {
            res.set_status_code(401);
            res.set_header("WWW-Authenticate", "Basic realm=\"inn\", charset=\"UTF-8\"")?;
            res.end("Who are you?\n")?;
        }
    }
    Ok(())
}

/// `user:password`, as the client gave it.
fn credentials(req: &IncomingMessage) -> Option<Vec<u8>> {
    let header = req.header_str("authorization")?;
    let (scheme, token) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    BASE64_STANDARD.decode(token.trim()).ok()
}

/// Compares in a time that depends on what was given and not on how much of it
/// is right, so that a client cannot guess byte by byte.
fn equal(given: &[u8], expected: &[u8]) -> bool {
    let mut difference = given.len() ^ expected.len();
    for (index, byte) in given.iter().enumerate() {
        let other = expected.get(index).copied().unwrap_or(0);
        difference |= usize::from(byte ^ other);
    }
    std::hint::black_box(difference) == 0
}
