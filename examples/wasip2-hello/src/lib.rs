//! A handler for the standard `wasi:http`, on its bare bindings, the crate
//! `wasip2`: what frameworks do below. The same file runs under
//! `wasmtime serve`.
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/
//! ```

use std::io::{self, Write};

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(_request: IncomingRequest, response_out: ResponseOutparam) {
        match response() {
            Ok((response, body)) => {
                // The head goes to the host; the body follows it.
                ResponseOutparam::set(response_out, Ok(response));
                // A client that has gone is no concern of a greeting.
                let _ = send(body, b"hello from wasip2\n");
            }
            Err(code) => ResponseOutparam::set(response_out, Err(code)),
        }
    }
}

fn response() -> Result<(OutgoingResponse, OutgoingBody), ErrorCode> {
    let internal = |what: &str| ErrorCode::InternalError(Some(what.to_owned()));
    let headers = Fields::new();
    headers.append("Content-Type", b"text/plain").map_err(|_| internal("a header was refused"))?;
    let response = OutgoingResponse::new(headers);
    let body = response.body().map_err(|()| internal("the body was taken"))?;
    Ok((response, body))
}

fn send(body: OutgoingBody, bytes: &[u8]) -> io::Result<()> {
    let mut stream = body.write().map_err(|()| io::Error::other("the stream was taken"))?;
    stream.write_all(bytes)?;
    Write::flush(&mut stream)?;
    // Its stream has to be gone before a body is finished.
    drop(stream);
    OutgoingBody::finish(body, None).map_err(io::Error::other)
}
