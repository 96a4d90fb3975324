//! A handler for the standard `wasi:http`, with `wstd` and nothing of this
//! project: the same file runs under `wasmtime serve`.
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/
//! curl -i -d 'some bytes' http://127.0.0.1:8080/echo
//! ```

use wstd::http::{Body, Error, Request, Response, StatusCode};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    match request.uri().path() {
        "/" => {
            Ok(Response::builder().header("Content-Type", "text/plain").body("hello from wstd\n".into())?)
        }
        // Streams: each piece goes back as it comes.
        "/echo" => Ok(Response::new(request.into_body())),
        _ => Ok(Response::builder().status(StatusCode::NOT_FOUND).body("there is nothing here\n".into())?),
    }
}
