//! A guest of WASI 0.3 whose requests see one another, as far as they have the
//! same instance: what the path says is what it does. The header `Instance` of
//! an answer tells which it was.
//!
//! - `/counter`: the requests that this instance has had.
//! - `/hold`: begins its answer with `held`, and ends it with `let go` once the
//!   instance has had a `/release`.
//! - `/release`: that.
//! - `/release-later`: begins its answer with `ready`, releases once its own
//!   body has ended, and says so.
//! - `/wait`: the same as `/hold`, without an answer before; prints `waiting in`
//!   the instance.
//! - `/late`: answers, and prints `late` a moment after.
//! - `/echo`: the body, by passing its stream on; trailers with it.
//! - `/trap`, `/spin`, `/grow`, `/denied`: a trap, an endless loop, memory
//!   without end, an error code.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::random::random::get_random_u64;
use wasip3::wit_bindgen::{StreamWriter, spawn_local};
use wasip3::{wit_future, wit_stream};

/// How often a request looks for what it waits for, in nanoseconds.
const LOOK_EVERY: u64 = 5_000_000;

static REQUESTS: AtomicU32 = AtomicU32::new(0);
static RELEASED: AtomicBool = AtomicBool::new(false);
static INSTANCE: LazyLock<String> = LazyLock::new(|| format!("{:016x}", get_random_u64()));

struct Guest;

wasip3::http::service::export!(Guest);

impl wasip3::exports::http::handler::Guest for Guest {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
        let target = request.get_path_with_query().unwrap_or_default();
        match target.as_str() {
            "/counter" => Ok(text(number.to_string())),
            "/hold" => Ok(streamed(async |mut body| {
                body.write_all(b"held\n".to_vec()).await;
                released().await;
                body.write_all(b"let go\n".to_vec()).await;
            })),
            "/wait" => {
                println!("waiting in {}", *INSTANCE);
                released().await;
                Ok(text("let go\n".to_owned()))
            }
            "/release" => {
                RELEASED.store(true, Ordering::Relaxed);
                Ok(text("released\n".to_owned()))
            }
            "/release-later" => Ok(streamed(async |mut answer| {
                let (_, done) = wit_future::new(|| Ok(()));
                let (body, _trailers) = Request::consume_body(request, done);
                answer.write_all(b"ready\n".to_vec()).await;
                body.collect().await;
                RELEASED.store(true, Ordering::Relaxed);
                answer.write_all(b"released\n".to_vec()).await;
            })),
            "/late" => {
                spawn_local(async {
                    wait_for(LOOK_EVERY).await;
                    println!("late");
                });
                Ok(text("early\n".to_owned()))
            }
            "/echo" => {
                let (_, done) = wit_future::new(|| Ok(()));
                let (body, trailers) = Request::consume_body(request, done);
                Ok(Response::new(Fields::new(), Some(body), trailers).0)
            }
            "/trap" => panic!("as it was asked to"),
            "/spin" => loop {
                // Not a loop that could be left out.
                std::hint::spin_loop();
            },
            "/grow" => {
                let mut held = Vec::new();
                loop {
                    held.push(vec![1_u8; 1 << 20]);
                }
            }
            "/denied" => Err(ErrorCode::HttpRequestDenied),
            _ => Ok(text("ok".to_owned())),
        }
    }
}

async fn released() {
    while !RELEASED.load(Ordering::Relaxed) {
        wait_for(LOOK_EVERY).await;
    }
}

fn text(body: String) -> Response {
    streamed(async |mut writer| {
        writer.write_all(body.into_bytes()).await;
    })
}

/// A response whose body is what `write` writes.
fn streamed(write: impl AsyncFnOnce(StreamWriter<u8>) + 'static) -> Response {
    let (writer, body) = wit_stream::new();
    let (trailers, no_trailers) = wit_future::new(|| Ok(None));
    drop(trailers);
    spawn_local(async move { write(writer).await });
    let headers = Fields::new();
    headers.append("Instance", INSTANCE.as_bytes()).expect("a header of any name but the host's");
    Response::new(headers, Some(body), no_trailers).0
}
