//! The guest of `wasi:http` 0.2.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// Bytes that one write may have.
const WRITE_BYTES_MAX: usize = 4096;

struct Kv;

wasip2::http::proxy::export!(Kv);

impl Guest for Kv {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let script = request.headers().get("script").concat();
        let told = crate::play(&String::from_utf8_lossy(&script));
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("it is asked for once");
        ResponseOutparam::set(answer, Ok(response));
        let stream = body.write().expect("it is asked for once");
        for piece in told.as_bytes().chunks(WRITE_BYTES_MAX) {
            stream.blocking_write_and_flush(piece).expect("the client takes it");
        }
        drop(stream);
        OutgoingBody::finish(body, None).expect("it is as long as it is");
    }
}
