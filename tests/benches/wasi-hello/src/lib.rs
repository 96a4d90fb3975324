//! The same answer as the example `hello`, as a WASI 0.2 component: what the
//! benchmarks serve with `wasmtime serve`.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

const HELLO: &[u8] = b"Hello world\n";

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let length = HELLO.len().to_string().into_bytes();
        let headers = Fields::from_list(&[
            ("content-type".to_owned(), b"text/plain".to_vec()),
            ("content-length".to_owned(), length),
        ]);
        let response = OutgoingResponse::new(headers.expect("both headers are allowed"));
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(out, Ok(response));

        let stream = body.write().expect("the stream is taken once");
        // Fails only if the client has gone, which is nobody's fault.
        let _ = stream.blocking_write_and_flush(HELLO);
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
