//! The contract as host functions: one file for each resource of
//! `wit/types.wit`, and one for `wit/server.wit`. They translate, and leave the
//! work to the exchange.

pub mod bindings;
mod incoming_message;
mod joined;
mod server;
mod server_response;
mod socket;

use std::future::poll_fn;
use std::task::Poll;

use anyhow::{Context as _, Result};
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::guest::engine::Engine;
use crate::guest::instance::HostState;
use crate::guest::network::restrict;
use crate::guest::plain;
use crate::wire::error::MessageError;
use crate::wire::exchange::Exchange;
use bindings::innkeeper::http::server as server_interface;
use bindings::innkeeper::http::types::{self, ErrorCode, LengthMismatch};

/// A request that a guest holds (`incoming-message`).
pub struct IncomingMessage(Held);

/// A response that a guest holds (`server-response`).
pub struct ServerResponse(Held);

/// A connection that a guest holds (`socket`).
pub struct Socket(Held);

/// What a guest waits for (`pollable`).
pub struct Readiness {
    held: Held,
    of: Of,
}

#[derive(Clone, Copy)]
enum Of {
    Request,
    Response,
    Tunnel,
}

/// Bytes that one `read` returns at most: what a socket holds, and not so much
/// that a guest's `max` could make the host reserve memory for nothing.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The exchange behind a guest's handle; none once it is over. A pooled
/// instance may keep a handle for longer than its exchange lives.
#[derive(Clone)]
struct Held(Option<Exchange>);

/// Everything that an app may import.
///
/// # Errors
/// None but wasmtime's own, on a name that is defined twice.
pub fn linker(engine: &Engine) -> Result<Linker<HostState>> {
    let mut linker = Linker::new(engine.inner());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)
        .and_then(|()| restrict(&mut linker))
        .map_err(plain)
        .context("cannot link WASI")?;
    types::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)
        .and_then(|()| server_interface::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state))
        .map_err(plain)
        .context("cannot link innkeeper:http")?;
    Ok(linker)
}

/// Makes the two handles of a call that answers.
pub fn hand_over(
    table: &mut ResourceTable,
    exchange: Exchange,
) -> wasmtime::Result<(Resource<IncomingMessage>, Resource<ServerResponse>)> {
    let request = table.push(IncomingMessage(Held(Some(exchange.clone()))))?;
    let response = table.push(ServerResponse(Held(Some(exchange))))?;
    Ok((request, response))
}

/// Makes the handle of a request.
pub fn hand_request(
    table: &mut ResourceTable,
    exchange: Exchange,
) -> wasmtime::Result<Resource<IncomingMessage>> {
    Ok(table.push(IncomingMessage(Held(Some(exchange))))?)
}

/// Makes the handle of a connection.
pub fn hand_socket(table: &mut ResourceTable, exchange: Exchange) -> wasmtime::Result<Resource<Socket>> {
    Ok(table.push(Socket(Held(Some(exchange))))?)
}

/// The most that a `read` of at most `max` bytes returns.
fn read_size(max: u32) -> Result<usize, ErrorCode> {
    if max == 0 {
        return Err(ErrorCode::InvalidArg("read of at most 0 bytes; ask for at least 1".to_owned()));
    }
    Ok(usize::try_from(max).unwrap_or(READ_BYTES_MAX).min(READ_BYTES_MAX))
}

/// Takes the exchange out of every handle that a guest has kept.
pub fn forget_exchange(table: &mut ResourceTable) {
    for entry in table.iter_mut() {
        if let Some(IncomingMessage(held)) = entry.downcast_mut() {
            held.0 = None;
        } else if let Some(ServerResponse(held)) = entry.downcast_mut() {
            held.0 = None;
        } else if let Some(Socket(held)) = entry.downcast_mut() {
            held.0 = None;
        } else if let Some(Readiness { held, .. }) = entry.downcast_mut() {
            held.0 = None;
        }
    }
}

impl Held {
    fn get(&self) -> Result<&Exchange, ErrorCode> {
        self.0.as_ref().ok_or(ErrorCode::Destroyed)
    }

    /// What `look` sees, or the default of a message that is over.
    fn look<T: Default>(&self, look: impl FnOnce(&Exchange) -> T) -> T {
        self.0.as_ref().map(look).unwrap_or_default()
    }
}

impl HostState {
    fn subscribe(&mut self, held: Held, of: Of) -> wasmtime::Result<Resource<DynPollable>> {
        let readiness = self.table.push(Readiness { held, of })?;
        subscribe(&mut self.table, readiness)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Readiness {
    async fn ready(&mut self) {
        let Some(exchange) = &self.held.0 else { return };
        poll_fn(|cx| match self.of {
            Of::Request => exchange.poll_read_ready(cx),
            Of::Tunnel => exchange.poll_tunnel_ready(cx),
            Of::Response => match exchange.poll_room(cx) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            },
        })
        .await;
    }
}

impl From<MessageError> for ErrorCode {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::HeadersSent => ErrorCode::HeadersSent,
            MessageError::InvalidStatusCode(status) => ErrorCode::InvalidStatusCode(status),
            MessageError::InvalidHeaderName(what) => ErrorCode::InvalidHeaderName(what),
            MessageError::InvalidHeaderValue(what) => ErrorCode::InvalidHeaderValue(what),
            MessageError::InvalidChar(what) => ErrorCode::InvalidChar(what),
            MessageError::TrailerInvalid(what) => ErrorCode::TrailerInvalid(what),
            MessageError::ContentLengthMismatch { declared, actual } => {
                ErrorCode::ContentLengthMismatch(LengthMismatch { declared, actual })
            }
            MessageError::BodyNotAllowed => ErrorCode::BodyNotAllowed,
            MessageError::WriteAfterEnd => ErrorCode::WriteAfterEnd,
            MessageError::AlreadyFinished => ErrorCode::AlreadyFinished,
            MessageError::Destroyed => ErrorCode::Destroyed,
            MessageError::InvalidArg(what) => ErrorCode::InvalidArg(what),
            MessageError::ConnectionReset => ErrorCode::ConnectionReset,
            MessageError::Timeout(which) => ErrorCode::Timeout(which.to_owned()),
            MessageError::Parse(what) => ErrorCode::Parse(what.to_owned()),
            MessageError::Denied(what) => ErrorCode::Denied(what.to_owned()),
            MessageError::ServerClosing => ErrorCode::ServerClosing,
            MessageError::ServerNotRunning => ErrorCode::ServerNotRunning,
            MessageError::LimitExceeded(which) => ErrorCode::LimitExceeded(which.to_owned()),
        }
    }
}
