//! A reverse proxy as a WASI 0.2 component: what the benchmarks serve with
//! `wasmtime serve`, beside the example `reverse-proxy`. `UPSTREAM` in its
//! environment is the server that it asks: `http://` and a host and a port.
//!
//! Bodies go both ways at the same time, trailers with them; the host moves the
//! bytes (`splice`), which is the cheapest way that WASI has. The headers of
//! one connection stay on it.

mod message;
mod pump;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, FutureIncomingResponse, IncomingRequest, IncomingResponse, ResponseOutparam,
};
use wasip2::io::poll::poll;

use pump::Pump;

struct Proxy;

wasip2::http::proxy::export!(Proxy);

impl Guest for Proxy {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let begun = begin(&request).and_then(|(mut upload, future)| {
            let response = response(&future, &mut upload)?;
            Ok((upload, response))
        });
        match begun {
            Ok((upload, response)) => answer(&response, upload, out),
            Err(error) => ResponseOutparam::set(out, Err(error)),
        }
    }
}

/// Sends the head on, and has a pump for the body if there is one.
fn begin(request: &IncomingRequest) -> Result<(Option<Pump>, FutureIncomingResponse), ErrorCode> {
    let upstream = std::env::var("UPSTREAM").map_err(internal)?;
    let outgoing = message::request(request, upstream.trim_start_matches("http://"))?;
    let has_body = message::has_body(request);
    let bodies = if has_body { Some((taken(request.consume())?, taken(outgoing.body())?)) } else { None };
    let future = outgoing_handler::handle(outgoing, None)?;
    let upload = match bodies {
        Some((from, to)) => Some(Pump::new(from, to)?),
        None => None,
    };
    Ok((upload, future))
}

/// Waits for the head of the response, and sends the body meanwhile.
fn response(
    future: &FutureIncomingResponse,
    upload: &mut Option<Pump>,
) -> Result<IncomingResponse, ErrorCode> {
    loop {
        if let Some(response) = future.get() {
            return taken(response)?;
        }
        let answered = future.subscribe();
        match pump::advance(upload)? {
            Some(moves) => drop(poll(&[&answered, &moves])),
            None => answered.block(),
        }
    }
}

/// Sends the response, and what is left of the request's body.
fn answer(response: &IncomingResponse, mut upload: Option<Pump>, out: ResponseOutparam) {
    let sent = message::response(response).and_then(|outgoing| {
        let (from, to) = (taken(response.consume())?, taken(outgoing.body())?);
        Ok((outgoing, from, to))
    });
    let (outgoing, from, to) = match sent {
        Ok(sent) => sent,
        Err(error) => return ResponseOutparam::set(out, Err(error)),
    };
    ResponseOutparam::set(out, Ok(outgoing));
    // The head is gone: whatever fails now cuts the body short, and the client
    // sees that.
    let _ = Pump::new(from, to).and_then(|download| pump::both(&mut Some(download), &mut upload));
}

fn taken<T>(once: Result<T, ()>) -> Result<T, ErrorCode> {
    once.map_err(|()| internal("taken twice"))
}

fn internal(error: impl ToString) -> ErrorCode {
    ErrorCode::InternalError(Some(error.to_string()))
}
