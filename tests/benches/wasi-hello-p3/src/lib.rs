//! The same answer as the example `hello`, as a WASI 0.3 component: what the
//! benchmarks serve here and with `wasmtime serve`.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::spawn_local;
use wasip3::{wit_future, wit_stream};

const HELLO: &[u8] = b"Hello world\n";

struct Hello;

wasip3::http::service::export!(Hello);

impl Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let length = HELLO.len().to_string().into_bytes();
        let headers = Fields::from_list(&[
            ("content-type".to_owned(), b"text/plain".to_vec()),
            ("content-length".to_owned(), length),
        ]);
        let (mut body, reader) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        drop(trailers);
        // What is left over is left by a client that has gone, which is
        // nobody's fault.
        spawn_local(async move { drop(body.write_all(HELLO.to_vec()).await) });
        Ok(Response::new(headers.expect("both headers are allowed"), Some(reader), no_trailers).0)
    }
}
