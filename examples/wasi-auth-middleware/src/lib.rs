//! A middleware for the standard `wasi:http`: it exports the handler and
//! imports the one behind it, which may be of any language, and lets requests
//! through that have the token of the environment variable `TOKEN`.
//!
//! ```sh
//! wac plug wasi_auth_middleware.wasm --plug app.wasm -o guarded.wasm
//! innkeeper serve guarded.wasm --env TOKEN=secret
//! curl -i -H 'Authorization: Bearer secret' http://127.0.0.1:8080/
//! ```

use std::env;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

/// The handler behind this one, which `wasip2` has no bindings for. What it
/// takes are the types of `wasip2`.
mod next {
    #![allow(unsafe_code, clippy::all, reason = "generated code")]

    wit_bindgen::generate!({
        path: "wit",
        world: "behind",
        generate_all,
        with: { "wasi:http/types@0.2.12": wasip2::http::types },
    });
}

struct Guard;

wasip2::http::proxy::export!(Guard);

impl Guest for Guard {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let Ok(token) = env::var("TOKEN") else {
            let code = ErrorCode::InternalError(Some("TOKEN is not set".to_owned()));
            return ResponseOutparam::set(response_out, Err(code));
        };
        if token_of(&request).is_some_and(|given| equal(given.as_bytes(), token.as_bytes())) {
            next::wasi::http::incoming_handler::handle(request, response_out);
        } else {
            ResponseOutparam::set(response_out, refusal());
        }
    }
}

/// 401, without a body.
fn refusal() -> Result<OutgoingResponse, ErrorCode> {
    let internal = || ErrorCode::InternalError(Some("the refusal cannot be written".to_owned()));
    let headers = Fields::new();
    headers.append("WWW-Authenticate", b"Bearer realm=\"inn\"").map_err(|_| internal())?;
    let response = OutgoingResponse::new(headers);
    response.set_status_code(401).map_err(|()| internal())?;
    let body = response.body().map_err(|()| internal())?;
    OutgoingBody::finish(body, None)?;
    Ok(response)
}

/// The token, as the client gave it.
fn token_of(request: &IncomingRequest) -> Option<String> {
    let header = request.headers().get("authorization").into_iter().next()?;
    let header = String::from_utf8(header).ok()?;
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
