//! One request and its response on a connection. The exchange travels: the
//! connection makes it, the handler and the guest's host functions work on it,
//! the connection takes up again what is left. It is the only thing of `wire`
//! that the rest of the host sees of a request.
//!
//! It is shared by reference count, and locked for the length of one call; the
//! task that drives the connection is the only one that does so.

mod adopted;
pub mod deadlines;
mod reading;
mod responding;
mod tunnel;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::Limits;
use crate::wire::drain::{Drain, Phase, Told};
use crate::wire::error::MessageError;
use crate::wire::exchange::tunnel::Tunnel;
use crate::wire::http1::body::Body;
use crate::wire::http1::fields::FieldLimits;
use crate::wire::http1::head::RequestHead;
use crate::wire::http1::response::Response;
use crate::wire::http1::response_head::ResponseContext;
use crate::wire::ledger::Charge;
use crate::wire::owner::Owner;
use crate::wire::refusal::Refusal;
use crate::wire::site::Site;
use crate::wire::socket::Socket;
use crate::wire::watch::Interruption;

/// One request and its response.
#[derive(Debug, Clone)]
pub struct Exchange {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: u64,
    started: Instant,
    number: u64,
    head: RequestHead,
    socket: Arc<Socket>,
    site: Arc<Site>,
    /// What connections had been told when it began.
    told: Told,
    owner: OnceLock<Arc<Owner>>,
    cpu_nanos: AtomicU64,
    queued_nanos: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    body: Body,
    /// Bytes received and not yet used: of this body, then of what follows.
    buffer: BytesMut,
    /// Why the body cannot be read on; see `reading`.
    broken: Option<MessageError>,
    /// Whether somebody words the answer to a body that breaks, and what broke.
    defers_refusal: bool,
    refusal: Option<Refusal>,
    /// What the connection became, if a guest has taken it over.
    tunnel: Option<Tunnel>,
    /// Whether somebody waits for the body, so that its timeout counts.
    body_wanted: bool,
    request_deadline: Option<Instant>,
    response: Response,
    /// Since when the socket has taken nothing, and its count at that time.
    stalled: Option<(Instant, u64)>,
    idle_timeout: Option<Duration>,
    /// What the guest has asked for.
    wanted_idle_timeout: Option<Duration>,
    idle_since: Instant,
    grace: Option<Duration>,
    /// What connections had been told when the last byte left.
    sent: Option<Told>,
    /// What its owner is charged for what is buffered.
    charge: Option<Charge>,
}

/// Where a connection hands a request over.
#[derive(Debug)]
pub struct ExchangeParts {
    /// Unique in this process.
    pub id: u64,
    /// Which exchange of its connection this is, from 1.
    pub number: u64,
    /// When the head was complete.
    pub received: Instant,
    /// The request head.
    pub head: RequestHead,
    /// The connection's socket.
    pub socket: Arc<Socket>,
    /// What came after the head.
    pub buffer: BytesMut,
    /// By when the body has to be there, if somebody waits for it.
    pub request_deadline: Option<Instant>,
    /// What all connections share.
    pub site: Arc<Site>,
    /// What connections had been told when this one became idle.
    pub told: Told,
}

/// What the exchange cost and how it ended, for the access log.
#[derive(Debug, Clone)]
pub struct Record {
    /// The status that was sent, or would have been.
    pub status: u16,
    /// Bytes of response body.
    pub bytes: u64,
    /// From the complete request head on.
    pub duration: Duration,
    /// Of that, the wait for a place.
    pub queued: Duration,
    /// CPU time of the guest.
    pub cpu: Duration,
    /// Why the response did not come to its end, if it did not.
    pub failure: Option<MessageError>,
}

impl Exchange {
    /// Begins an exchange.
    pub fn new(parts: ExchangeParts) -> Self {
        let ExchangeParts { id, number, received, head, socket, buffer, request_deadline, site, told } =
            parts;
        let limits = &site.limits;
        let head_limits = site.head_limits();
        let is_last = limits.requests_per_connection_max.is_some_and(|max| number >= max);
        let response = Response::new(ResponseContext {
            version_1_1: head.version_1_1,
            head_request: head.method() == "HEAD",
            // What follows a CONNECT is the tunnel's, even if there is none.
            keep_alive: head.keep_alive && !is_last && head.method() != "CONNECT",
            awaits_continue: head.awaits_continue,
            keep_alive_timeout: site.timeouts.keep_alive.get(),
            requests_max: limits.requests_per_connection_max,
            request_id: None,
            reject_body_not_allowed: limits.reject_body_not_allowed,
            buffer_bytes_max: limits.response_buffer_bytes_max,
            field_limits: FieldLimits {
                bytes_max: limits.response_head_bytes_max,
                lines_max: limits.header_count_max,
            },
        });
        if site.timeouts.idle.get().is_some() {
            socket.watch_moves();
        }
        let state = State {
            body: Body::new(head.framing, limits.request_body_bytes_max, head_limits),
            buffer,
            broken: None,
            defers_refusal: false,
            refusal: None,
            tunnel: None,
            body_wanted: false,
            request_deadline,
            response,
            stalled: None,
            idle_timeout: site.timeouts.idle.get(),
            wanted_idle_timeout: None,
            idle_since: received,
            grace: None,
            sent: None,
            charge: None,
        };
        Exchange {
            inner: Arc::new(Inner {
                id,
                started: received,
                number,
                head,
                socket,
                site,
                told,
                owner: OnceLock::new(),
                cpu_nanos: AtomicU64::new(0),
                queued_nanos: AtomicU64::new(0),
                state: Mutex::new(state),
            }),
        }
    }

    /// A number for logs and for the client, unique in this process.
    pub fn id(&self) -> u64 {
        self.inner.id
    }

    /// When the request head was complete.
    pub fn started(&self) -> Instant {
        self.inner.started
    }

    /// Which exchange of its connection this is, from 1.
    pub fn number(&self) -> u64 {
        self.inner.number
    }

    /// The request head.
    pub fn head(&self) -> &RequestHead {
        &self.inner.head
    }

    /// The connection's socket.
    pub fn socket(&self) -> &Arc<Socket> {
        &self.inner.socket
    }

    /// Whether the server is closing.
    pub fn drain(&self) -> &Drain {
        &self.inner.site.drain
    }

    // The connection, as far as an exchange may touch it.

    /// Drops the connection as soon as its task runs again.
    pub fn destroy(&self) {
        self.inner.socket.destroy();
        self.abandon(MessageError::Destroyed);
    }

    /// Closes the connection after this exchange, waiting for the client to
    /// close too for at most `grace`.
    pub fn destroy_soon(&self, grace: Duration) {
        let state = &mut *self.inner.state.lock();
        state.grace = Some(grace);
        state.response.forbid_keep_alive();
    }

    /// Gives the response up and forgets what is unsent.
    pub fn abandon(&self, error: MessageError) {
        let state = &mut *self.inner.state.lock();
        state.stalled = None;
        state.response.fail(error, true);
    }

    /// Whether the connection is to be dropped: by its guest, or with all
    /// others of the server.
    pub fn is_dropped(&self) -> bool {
        self.inner.is_dropped(&self.inner.state.lock())
    }

    /// Waits until the server drops this connection: at the end of a drain, or
    /// with all others but tunnels. Can be dropped at any time.
    pub async fn told_to_close(&self) -> Interruption {
        let (before, tunnel) = (self.inner.told.close_all, self.is_tunnel());
        let drain = self.drain();
        drain.until(|told| told.phase >= Phase::Cut || (told.close_all != before && !tunnel)).await;
        if drain.phase() >= Phase::Cut { Interruption::Cut } else { Interruption::Destroyed }
    }

    // After the exchange.

    /// Whether the connection may serve another exchange.
    pub fn keeps_alive(&self) -> bool {
        let state = self.inner.state.lock();
        state.response.keeps_alive() && state.broken.is_none() && !self.inner.is_dropped(&state)
    }

    /// Whether the end of the connection must look like a failure.
    pub fn needs_reset(&self) -> bool {
        let state = self.inner.state.lock();
        let failed = state.response.failure().is_some() && state.response.is_close_delimited();
        // A guest that destroys its tunnel may well mean that as its end.
        failed && !(state.tunnel.is_some() && self.inner.socket.is_destroyed())
    }

    /// Whether the response was sent to its end.
    pub fn is_sent(&self) -> bool {
        let mut state = self.inner.state.lock();
        state.response.is_ended() && state.response.out().is_empty()
    }

    /// What connections had been told when the response was sent to its end:
    /// since then this one is idle.
    pub fn told_when_sent(&self) -> Option<Told> {
        self.inner.state.lock().sent
    }

    /// The grace that the guest asked for in `destroy-soon`.
    pub fn grace(&self) -> Option<Duration> {
        self.inner.state.lock().grace
    }

    /// Has a body that breaks answered by whoever asks for
    /// [`Exchange::take_refusal`].
    pub fn defer_refusal(&self) {
        self.inner.state.lock().defers_refusal = true;
    }

    /// What broke in the body, if that is still to be answered.
    pub fn take_refusal(&self) -> Option<Refusal> {
        self.inner.state.lock().refusal.take()
    }

    /// What was received and not used.
    pub fn take_buffer(&self) -> BytesMut {
        std::mem::take(&mut self.inner.state.lock().buffer)
    }

    /// What the exchange came to so far.
    pub fn record(&self) -> Record {
        let state = self.inner.state.lock();
        Record {
            status: state.response.status,
            bytes: state.response.body_bytes(),
            duration: self.inner.started.elapsed(),
            queued: Duration::from_nanos(self.inner.queued_nanos.load(Ordering::Relaxed)),
            cpu: Duration::from_nanos(self.inner.cpu_nanos.load(Ordering::Relaxed)),
            failure: state.response.failure().cloned(),
        }
    }
}

impl Inner {
    fn limits(&self) -> &Limits {
        self.owner.get().map_or(&self.site.limits, |owner| &owner.limits)
    }

    fn is_dropped(&self, state: &State) -> bool {
        let with_all = self.site.drain.close_all() != self.told.close_all && state.tunnel.is_none();
        with_all || self.socket.is_destroyed()
    }
}
