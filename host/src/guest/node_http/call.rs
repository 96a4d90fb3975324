//! One exchange of a program: its request, collected to its end, and the
//! response that the listener gives, whole. Called in place of the handler of
//! the other contracts.

use std::future::poll_fn;

use wasmtime::{Result, Store};

use crate::guest::call::Stopped;
use crate::guest::instance::HostState;
use crate::guest::node_http::bindings::exports::jco::node::http_callbacks::{
    Header, IncomingRequest, OutgoingResponse,
};
use crate::guest::node_http::start::Listening;
use crate::guest::stdio::printable;
use crate::wire::error::MessageError;
use crate::wire::exchange::Exchange;
use crate::wire::http1::fields::Line;
use crate::wire::ledger::Charge;

/// Bytes of body asked for at a time.
const READ_BYTES: usize = 64 * 1024;

/// Headers that are about the connection of Node's server, which is the
/// host's here: it frames the body and says how long it waits.
const OF_THE_CONNECTION: [&str; 3] = ["keep-alive", "transfer-encoding", "upgrade"];

/// Has the listener answer; dropping the future ends the program and leaves
/// the exchange as it is.
///
/// # Errors
/// A trap. What the program itself makes of it comes back as a value.
pub async fn answer(
    store: &mut Store<HostState>,
    listening: &Listening,
    exchange: &Exchange,
) -> Result<Result<(), Stopped>> {
    // Until the guest has it, the host holds it, too.
    let mut charge = store.data().charge();
    let memory_bytes_max = store.data().limits().memory_bytes_max;
    let body = match collected(exchange, memory_bytes_max, &mut charge).await {
        Ok(Some(body)) => body,
        // The exchange has answered it.
        Ok(None) => return Ok(Ok(())),
        Err(stopped) => return Ok(Err(stopped)),
    };
    store.data_mut().servers.note_local(exchange.socket().local());
    let request = request_of(exchange, body);
    let listener = listening.callbacks.request_listener();
    match listener.call_handle(&mut *store, listening.listener, &request).await? {
        Ok(response) => Ok(send(exchange, response)),
        Err(error) => {
            let said = printable(error.message.as_bytes());
            Ok(Err(Stopped::Trapped(format!("the request listener failed: {said}"))))
        }
    }
}

/// The body, within the limits on what a guest may be given at once; none if
/// it broke.
async fn collected(
    exchange: &Exchange,
    memory_bytes_max: usize,
    charge: &mut Charge,
) -> Result<Option<Vec<u8>>, Stopped> {
    let mut body = Vec::new();
    loop {
        match poll_fn(|cx| exchange.poll_read(cx, &mut body, READ_BYTES)).await {
            Err(_) => return Ok(None),
            Ok(0) => return Ok(Some(body)),
            Ok(_) if body.len() > memory_bytes_max => return Err(Stopped::Limit("memory_bytes_max")),
            Ok(_) if !charge.set(body.capacity() as u64) => return Err(Stopped::TenantMemory),
            Ok(_) => {}
        }
    }
}

fn request_of(exchange: &Exchange, body: Vec<u8>) -> IncomingRequest {
    let head = exchange.head();
    let peer = exchange.socket().peer();
    let header = |(name, value): (&str, &[u8])| Header { name: name.to_owned(), value: value.to_vec() };
    IncomingRequest {
        method: head.method().to_owned(),
        url: head.target().to_owned(),
        http_version: if head.version_1_1 { "1.1" } else { "1.0" }.to_owned(),
        headers: head.lines().map(header).collect(),
        body,
        remote_address: Some(peer.ip().to_string()),
        remote_port: Some(peer.port()),
    }
}

/// Puts the response into the exchange.
fn send(exchange: &Exchange, response: OutgoingResponse) -> Result<(), Stopped> {
    let OutgoingResponse { status_code, status_message, headers, body } = response;
    let reason = (!status_message.is_empty()).then_some(status_message);
    let lines = headers.into_iter().map(|header| (header.name, header.value)).filter(is_of_message);
    let head = exchange.with_response(|response| {
        let (fields, limits) = response.open_fields()?;
        fields.overlay(lines.collect(), limits)?;
        response.status = status_code;
        response.reason = reason;
        Ok(())
    });
    // The head is fixed with the end, which knows the length.
    match head.and_then(|()| exchange.end((!body.is_empty()).then_some(body))) {
        Ok(()) => Ok(()),
        // Whoever waited for it has gone.
        Err(MessageError::ConnectionReset | MessageError::Destroyed) => Ok(()),
        Err(error) => Err(Stopped::Trapped(format!("the response cannot be sent: {error}"))),
    }
}

/// Whether a header is the program's to set.
fn is_of_message((name, value): &Line) -> bool {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("connection") {
        // To close is a wish that the host can meet.
        return value.eq_ignore_ascii_case(b"close");
    }
    !OF_THE_CONNECTION.into_iter().any(is)
}
