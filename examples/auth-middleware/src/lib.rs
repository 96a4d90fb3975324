//! A middleware: a component that exports the handler and imports the handler
//! behind it, and lets requests through that have the token of the environment
//! variable `TOKEN`. `docs/middleware.md` says how it is put in front of
//! another app.
//!
//! ```sh
//! wac plug auth_middleware.wasm --plug hello.wasm -o guarded.wasm
//! innkeeper serve guarded.wasm --env TOKEN=secret
//! curl -i -H 'Authorization: Bearer secret' http://127.0.0.1:8080/
//! ```

use std::env;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler, next};

#[handler]
fn guard(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    // Without a token in the environment nobody comes in: the client gets a
    // 500 and the log says why.
    let token = env::var("TOKEN")?;
    if token_of(&req).is_some_and(|given| equal(given.as_bytes(), token.as_bytes())) {
        next(req, res);
    } else {
        res.set_status_code(401);
        res.set_header("WWW-Authenticate", "Bearer realm=\"inn\"")?;
        res.end("Who are you?\n")?;
    }
    Ok(())
}

/// The token, as the client gave it.
fn token_of(req: &IncomingMessage) -> Option<String> {
    let header = req.header_str("authorization")?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
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
