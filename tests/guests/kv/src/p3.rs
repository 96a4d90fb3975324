//! The guest of `wasi:http` 0.3.

use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::spawn_local;
use wasip3::{wit_future, wit_stream};

struct Kv;

wasip3::http::service::export!(Kv);

impl wasip3::exports::http::handler::Guest for Kv {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let script = request.get_headers().get("script").concat();
        let told = crate::play(&String::from_utf8_lossy(&script));
        let (mut writer, body) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        drop(trailers);
        spawn_local(async move {
            writer.write_all(told.into_bytes()).await;
        });
        Ok(Response::new(Fields::new(), Some(body), no_trailers).0)
    }
}
