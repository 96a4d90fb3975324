//! The contract as host functions: one file for each resource of
//! `wit/types.wit` and `wit/client.wit`, and one for `wit/server.wit`. They
//! translate, and leave the work to the exchange, or to the request that the
//! guest itself makes.

pub mod bindings;
mod incoming_message;
mod joined;
mod server_response;
mod socket;
mod server;
mod client_request;
mod agent;

use std::future::poll_fn;
use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::guest::instance::HostState;
use crate::outbound::error::OutboundError;
use crate::outbound::http1::head::ResponseHead;
use crate::outbound::request::ClientRequest;
use crate::wire::error::MessageError;
use crate::wire::exchange::Exchange;
use bindings::innkeeper::http::types::{self, ErrorCode, LengthMismatch};
use bindings::innkeeper::http::{client as client_interface, server as server_interface};
use client_request::HeldRequest;

/// A message that a guest reads (`incoming-message`).
pub enum IncomingMessage {
    /// The request that it answers.
    Request(Held),
    /// The response to one of its own; none once its call is over.
    Response(Option<Response>),
}

/// A response to a guest's request.
pub struct Response {
    request: ClientRequest,
    head: Arc<ResponseHead>,
}

/// A response that a guest holds (`server-response`).
pub struct ServerResponse(Held);

/// A connection that a guest holds (`socket`).
pub enum Socket {
    /// The one that an exchange came on.
    Exchange(Held),
    /// The one that a request of the guest's went out on; none once its call
    /// is over.
    Request(Option<ClientRequest>),
}

/// What a guest waits for (`pollable`).
pub enum Readiness {
    /// Of an exchange.
    Exchange(Held, Of),
    /// Of a request of its own; none once its call is over.
    Request(Option<ClientRequest>, OfOwn),
}

/// What of an exchange.
#[derive(Clone, Copy)]
pub enum Of {
    /// Bytes of the request's body.
    Request,
    /// Room in the response's buffer.
    Response,
    /// Bytes of a tunnel.
    Tunnel,
}

/// What of a request that a guest makes.
#[derive(Clone, Copy)]
pub enum OfOwn {
    /// Whatever comes from the server.
    Event,
    /// Room in its buffer.
    Room,
    /// Bytes of the response's body.
    Body,
    /// Bytes of a tunnel.
    Tunnel,
    /// Room in the buffer of a tunnel.
    TunnelRoom,
}

/// Bytes that one `read` returns at most: what a socket holds, and not so much
/// that a guest's `max` could make the host reserve memory for nothing.
const READ_BYTES_MAX: usize = 64 * 1024;

/// The exchange behind a guest's handle; none once it is over. A pooled
/// instance may keep a handle for longer than its exchange lives.
#[derive(Clone)]
pub struct Held(Option<Exchange>);

/// Links the contract.
///
/// # Errors
/// None but wasmtime's own.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    server_interface::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    client_interface::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

/// Makes the two handles of a call that answers.
pub fn hand_over(
    table: &mut ResourceTable,
    exchange: Exchange,
) -> wasmtime::Result<(Resource<IncomingMessage>, Resource<ServerResponse>)> {
    let request = table.push(IncomingMessage::Request(Held(Some(exchange.clone()))))?;
    let response = table.push(ServerResponse(Held(Some(exchange))))?;
    Ok((request, response))
}

/// Makes the handle of a request.
pub fn hand_request(
    table: &mut ResourceTable,
    exchange: Exchange,
) -> wasmtime::Result<Resource<IncomingMessage>> {
    Ok(table.push(IncomingMessage::Request(Held(Some(exchange))))?)
}

/// Makes the handle of a connection.
pub fn hand_socket(table: &mut ResourceTable, exchange: Exchange) -> wasmtime::Result<Resource<Socket>> {
    Ok(table.push(Socket::Exchange(Held(Some(exchange))))?)
}

/// The most that a `read` of at most `max` bytes returns.
fn read_size(max: u32) -> Result<usize, ErrorCode> {
    if max == 0 {
        return Err(ErrorCode::InvalidArg("read of at most 0 bytes; ask for at least 1".to_owned()));
    }
    Ok(usize::try_from(max).unwrap_or(READ_BYTES_MAX).min(READ_BYTES_MAX))
}

/// Takes the exchange out of every handle that a guest has kept, and ends what
/// it has asked of others.
pub fn forget_exchange(table: &mut ResourceTable) {
    for entry in table.iter_mut() {
        if let Some(message) = entry.downcast_mut() {
            match message {
                IncomingMessage::Request(held) => held.0 = None,
                IncomingMessage::Response(response) => *response = None,
            }
        } else if let Some(ServerResponse(held)) = entry.downcast_mut() {
            held.0 = None;
        } else if let Some(socket) = entry.downcast_mut() {
            match socket {
                Socket::Exchange(held) => held.0 = None,
                Socket::Request(request) => *request = None,
            }
        } else if let Some(readiness) = entry.downcast_mut() {
            match readiness {
                Readiness::Exchange(held, _) => held.0 = None,
                Readiness::Request(request, _) => *request = None,
            }
        } else if let Some(HeldRequest(request)) = entry.downcast_mut() {
            *request = None;
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
        let readiness = self.table.push(Readiness::Exchange(held, of))?;
        subscribe(&mut self.table, readiness)
    }

    fn subscribe_own(
        &mut self,
        request: Option<ClientRequest>,
        of: OfOwn,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let readiness = self.table.push(Readiness::Request(request, of))?;
        subscribe(&mut self.table, readiness)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Readiness {
    async fn ready(&mut self) {
        match self {
            Readiness::Exchange(Held(None), _) | Readiness::Request(None, _) => {}
            Readiness::Exchange(Held(Some(exchange)), of) => {
                poll_fn(|cx| match of {
                    Of::Request => exchange.poll_read_ready(cx),
                    Of::Tunnel => exchange.poll_tunnel_ready(cx),
                    Of::Response => exchange.poll_room(cx).map(|_| ()),
                })
                .await;
            }
            Readiness::Request(Some(request), of) => {
                poll_fn(|cx| match of {
                    OfOwn::Event => request.poll_event(cx),
                    OfOwn::Room => request.poll_room(cx).map(|_| ()),
                    OfOwn::Body => request.poll_readable(cx),
                    OfOwn::Tunnel => request.poll_tunnel_readable(cx),
                    OfOwn::TunnelRoom => request.poll_tunnel_room(cx).map(|_| ()),
                })
                .await;
            }
        }
    }
}

impl From<OutboundError> for ErrorCode {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::Message(error) => error.into(),
            OutboundError::UnescapedPath(what) => ErrorCode::UnescapedPath(what),
            OutboundError::InvalidProtocol(what) => ErrorCode::InvalidProtocol(what),
            OutboundError::Denied(denial) => ErrorCode::Denied(denial.told),
            OutboundError::Dns(what) => ErrorCode::Dns(what),
            OutboundError::Connect(what) => ErrorCode::Connect(what),
            OutboundError::Tls(what) | OutboundError::Certificate(what) => ErrorCode::Tls(what),
            OutboundError::Timeout(which) => ErrorCode::Timeout(which.to_owned()),
            OutboundError::HangUp => ErrorCode::ConnectionReset,
            OutboundError::Aborted => ErrorCode::Aborted,
            OutboundError::Parse(what) => ErrorCode::Parse(what.to_owned()),
            OutboundError::Limit(which) => ErrorCode::LimitExceeded(which.to_owned()),
        }
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
