//! What a guest asks of others through `wasi:http`.

use std::future::ready;

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// The host's part of `wasi:http`, for one instance.
pub struct Hooks;

/// A request or response as `send_request` gives it back.
type Sending = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _fut: Sending,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Sending), Error>> + Send> {
        Box::new(ready(Err(Error::HttpRequestDenied)))
    }
}
