//! A guest of `wasi:http` 0.2 that asks the server of the header `fetch-url`
//! with the request that it has got, and answers with what comes: bodies and
//! trailers as they come, an error code in `fetch-error`. Headers that begin
//! with `x-` go both ways; `fetch-connect`, `fetch-first-byte` and
//! `fetch-between-bytes` are timeouts in milliseconds, `fetch-method` may be
//! CONNECT.
//!
//! `/each` asks `fetch-times` times, reads the answers, and tells how each of
//! them ended: with a status, a code, or a status and the code that broke it;
//! `/leave` and `/leave-body` give up a request with the first byte of their
//! own, before or after its answer, and answer with the last.

mod call;
mod pump;

use wasip2::http::proxy;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingRequest, IncomingResponse, OutgoingBody,
    OutgoingResponse, ResponseOutparam, http_error_code,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, StreamError};

use call::{Call, name, passed_on};
use pump::Pump;

struct Fetch;

proxy::export!(Fetch);

impl wasip2::exports::http::incoming_handler::Guest for Fetch {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let call = Call::of(&request);
        let body = request.consume().expect("nobody has taken it");
        match request.path_with_query().as_deref() {
            Some("/each") => tell(out, &each(&call)),
            Some("/leave") => leave(&call, body, out, false),
            Some("/leave-body") => leave(&call, body, out, true),
            _ => pass(&call, body, out),
        }
    }
}

/// Passes both messages on.
fn pass(call: &Call, body: IncomingBody, out: ResponseOutparam) {
    let (outgoing, future) = match call.send() {
        Ok(sent) => sent,
        Err(code) => return fail(out, &code),
    };
    let mut upload = outgoing.map(|outgoing| Pump::new(body, outgoing));
    let answer = loop {
        let waits = upload.as_mut().and_then(Pump::step);
        if let Some(answer) = future.get() {
            break answer.expect("it was not taken before");
        }
        wait(waits.into_iter().chain([future.subscribe()]).collect());
    };
    let response = match answer {
        Ok(response) => response,
        Err(code) => return fail(out, &code),
    };
    let mut download = begin(&response, out);
    loop {
        let waits: Vec<_> =
            [upload.as_mut().and_then(Pump::step), download.step()].into_iter().flatten().collect();
        if waits.is_empty() {
            return;
        }
        wait(waits);
    }
}

/// Answers with the head of a response; its body is to follow.
fn begin(response: &IncomingResponse, out: ResponseOutparam) -> Pump {
    let own = OutgoingResponse::new(passed_on(&response.headers()));
    own.set_status_code(response.status()).expect("it came as one");
    let to = own.body().expect("nobody has taken it");
    ResponseOutparam::set(out, Ok(own));
    Pump::new(response.consume().expect("nobody has taken it"), to)
}

/// Says how each of several requests ended.
fn each(call: &Call) -> String {
    let one = |_| match call.send().and_then(|(_, future)| answered(&future)) {
        Ok(response) => {
            let body = response.consume().expect("nobody has taken it");
            let stream = body.stream().expect("nobody has taken it");
            match read_to_end(&stream) {
                Ok(()) => response.status().to_string(),
                Err(code) => format!("{}+{code}", response.status()),
            }
        }
        Err(code) => name(&code),
    };
    (0..call.times).map(one).collect::<Vec<_>>().join(" ")
}

/// Gives a request up as soon as a byte comes.
fn leave(call: &Call, body: IncomingBody, out: ResponseOutparam, after_head: bool) {
    let stream = body.stream().expect("nobody has taken it");
    {
        let (_upload, future) = call.send().expect("it is allowed");
        let _response = after_head.then(|| {
            let response = answered(&future).expect("it is answered");
            let body = response.consume().expect("nobody has taken it");
            let stream = body.stream().expect("nobody has taken it");
            let _first = stream.blocking_read(1);
            (stream, body)
        });
        let _byte = stream.blocking_read(1);
    }
    read_to_end(&stream).expect("it is whole");
    tell(out, "left");
}

fn answered(future: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    future.subscribe().block();
    future.get().expect("it is ready").expect("it was not taken before")
}

/// Reads all of it; the name of an error code if that breaks.
fn read_to_end(stream: &InputStream) -> Result<(), String> {
    loop {
        match stream.blocking_read(1024) {
            Ok(_) => {}
            Err(StreamError::Closed) => return Ok(()),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = http_error_code(&error);
                return Err(code.map_or_else(|| error.to_debug_string(), |code| name(&code)));
            }
        }
    }
}

fn wait(waits: Vec<Pollable>) {
    poll(&waits.iter().collect::<Vec<_>>());
}

fn fail(out: ResponseOutparam, code: &ErrorCode) {
    let headers = Fields::new();
    headers.append("fetch-error", name(code).as_bytes()).expect("it is a header");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(502).expect("it is a status");
    ResponseOutparam::set(out, Ok(response));
}

fn tell(out: ResponseOutparam, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("nobody has taken it");
    ResponseOutparam::set(out, Ok(response));
    {
        let stream = body.write().expect("nobody has taken it");
        stream.blocking_write_and_flush(text.as_bytes()).expect("somebody reads it");
    }
    OutgoingBody::finish(body, None).expect("it is whole");
}
