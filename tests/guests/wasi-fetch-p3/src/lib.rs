//! What `wasi-fetch-p2` does, by `wasi:http` 0.3; see there. The header
//! `fetch-instance` of an answer that is passed on says whose it is.

mod call;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::LazyLock;
use std::task::Poll;

use wasip3::http::types::{ErrorCode, Fields, Request, Response, Trailers};
use wasip3::random::random::get_random_u64;
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, spawn_local};
use wasip3::{wit_future, wit_stream};

use call::{Call, name, passed_on};

static INSTANCE: LazyLock<String> = LazyLock::new(|| format!("{:016x}", get_random_u64()));

struct Fetch;

wasip3::http::service::export!(Fetch);

/// The end of a body.
type End = FutureReader<Result<Option<Trailers>, ErrorCode>>;

impl wasip3::exports::http::handler::Guest for Fetch {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let call = Call::of(&request);
        let target = request.get_path_with_query();
        let (_, read) = wit_future::new(|| Ok(()));
        let (body, end) = Request::consume_body(request, read);
        Ok(match target.as_deref() {
            Some("/each") => text(each(&call).await),
            Some("/leave") => leave(&call, body, false).await,
            Some("/leave-body") => leave(&call, body, true).await,
            _ => pass(&call, body, end).await,
        })
    }
}

/// Passes both messages on.
async fn pass(call: &Call, body: StreamReader<u8>, end: End) -> Response {
    let response = match call.send(Some((body, end))).await {
        Ok(response) => response,
        Err(code) => return failure(&code),
    };
    let (headers, status) = (passed_on(&response.get_headers()), response.get_status_code());
    headers.append("fetch-instance", INSTANCE.as_bytes()).expect("it is a header");
    let (body, end) = consume(response);
    let (told, trailers) = wit_future::new(|| Ok(None));
    spawn_local(async move {
        let end = match end.await {
            Err(code) => Ok(Some(failed(&code))),
            whole => whole,
        };
        // Nobody may want to know.
        let _ = told.write(end).await;
    });
    let (own, _) = Response::new(headers, Some(body), trailers);
    own.set_status_code(status).expect("it came as one");
    own
}

/// Says how each of several requests ended.
async fn each(call: &Call) -> String {
    let mut told = Vec::new();
    for _ in 0..call.times {
        told.push(match call.send(None).await {
            Ok(response) => {
                let status = response.get_status_code().to_string();
                let (body, end) = consume(response);
                body.collect().await;
                match end.await {
                    Ok(_) => status,
                    Err(code) => format!("{status}+{}", name(&code)),
                }
            }
            Err(code) => name(&code),
        });
    }
    told.join(" ")
}

/// Gives a request up as soon as a byte comes.
async fn leave(call: &Call, mut body: StreamReader<u8>, after_head: bool) -> Response {
    {
        let (_writer, never) = wit_stream::new();
        let (_told, end) = wit_future::new(|| Ok(None));
        let mut sending = pin!(call.send(Some((never, end))));
        let _response = if after_head {
            let (mut body, end) = consume(sending.as_mut().await.expect("it is answered"));
            let _first = body.read(Vec::with_capacity(1)).await;
            Some((body, end))
        } else {
            None
        };
        let mut byte = pin!(body.read(Vec::with_capacity(1)));
        poll_fn(|cx| {
            if !after_head && let Poll::Ready(_) = sending.as_mut().poll(cx) {
                panic!("it is not answered");
            }
            byte.as_mut().poll(cx).map(|_| ())
        })
        .await;
    }
    while !matches!(body.read(Vec::with_capacity(1024)).await.0, StreamResult::Dropped) {}
    text("left".to_owned())
}

fn consume(response: Response) -> (StreamReader<u8>, End) {
    let (_, read) = wit_future::new(|| Ok(()));
    Response::consume_body(response, read)
}

fn failed(code: &ErrorCode) -> Fields {
    let fields = Fields::new();
    fields.append("fetch-error", name(code).as_bytes()).expect("it is a header");
    fields
}

fn failure(code: &ErrorCode) -> Response {
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(failed(code), None, trailers);
    response.set_status_code(502).expect("it is a status");
    response
}

fn text(text: String) -> Response {
    let (mut writer, body) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    spawn_local(async move {
        writer.write_all(text.into_bytes()).await;
    });
    Response::new(Fields::new(), Some(body), trailers).0
}
