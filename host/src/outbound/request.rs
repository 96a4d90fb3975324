//! A request to another server, from its options to the last byte of its
//! response (Node: `http.ClientRequest`). What the guest asks of it is here;
//! how it goes on is in `request::driving`, what follows a 101 or a CONNECT in
//! `request::tunnel`.
//!
//! There is no task: whoever polls a request drives it, and its guest's call
//! polls all that it has whenever the guest waits. Dropping the last handle
//! ends it.

mod carrier;
mod clock;
mod driving;
mod tunnel;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;

pub use carrier::Below;
pub use clock::Times;

use crate::outbound::agent::{Agent, Key};
use crate::outbound::client::{Client, Waiting};
use crate::outbound::connect::Alpn;
use crate::outbound::draft::{Draft, DraftLimits, Opening};
use crate::outbound::error::OutboundError;
use crate::outbound::http1::head::ResponseHead;
use crate::outbound::policy::Clearance;
use crate::wire::error::MessageError;
use crate::wire::http1::fields::{FieldLimits, Fields, Line};
use crate::wire::http1::response::HIGH_WATER_MARK;
use crate::wire::ledger::Charge;
use carrier::Carrier;
use clock::{Clock, Expired};
use tunnel::Tunnel;

/// Interim responses that wait for a guest to ask for them; who sends more is
/// not speaking HTTP any more.
const INTERIM_MAX: usize = 64;

/// Bytes that a request with a connection takes in the host beside what is
/// unsent.
const CONNECTION_BYTES: u64 = 16 * 1024;

/// What is asked for (Node: the options of `http.request`).
#[derive(Debug)]
pub struct RequestOptions {
    /// The head.
    pub opening: Opening,
    /// Time of silence after which the guest is told.
    pub timeout: Option<Duration>,
    /// Times that end it.
    pub times: Times,
    /// Bytes of the response's head.
    pub head_bytes_max: Option<u32>,
    /// Which HTTP.
    pub alpn: Alpn,
    /// The exchange that it is for, and what goes out with it that the guest
    /// did not set.
    pub cause: Cause,
}

/// The exchange that a request is made for.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    /// Its number, for the log.
    pub exchange: u64,
    /// Its place in a trace, as header lines.
    pub trace: Vec<Line>,
}

/// Whose connections a request may use.
#[derive(Debug, Clone)]
pub enum Via {
    /// The app's own agent's.
    Global,
    /// None: one of its own, closed after it.
    None,
    /// This agent's.
    Agent(Agent),
}

/// An interim response.
pub type Interim = (u16, Vec<Line>);

/// A request. Clones are the same one.
#[derive(Clone)]
pub struct ClientRequest(Arc<Mutex<Inner>>);

/// A request that others may have dropped.
#[derive(Clone)]
pub struct WeakRequest(Weak<Mutex<Inner>>);

struct Inner {
    client: Arc<Client>,
    key: Key,
    clearance: Clearance,
    agent: Option<Agent>,
    keep_alive: bool,
    exchange: u64,
    head_bytes_max: Option<u32>,
    draft: Draft,
    stage: Stage,
    clock: Clock,
    times: Times,
    /// When it first had a connection.
    opened: Option<tokio::time::Instant>,
    /// Whether the end of the body was handed to the connection.
    end_put: bool,
    /// When all of the request was sent.
    sent: Option<tokio::time::Instant>,
    /// Whether the server takes nothing more.
    deaf: bool,
    retried: bool,
    below: Option<Below>,
    no_delay: Option<bool>,
    socket_keep_alive: Option<(bool, Duration)>,
    /// How many 100 have come.
    continues: usize,
    continue_told: bool,
    interim: VecDeque<Interim>,
    head: Option<Arc<ResponseHead>>,
    given: bool,
    /// Whether the response was read to its end, and what its trailers were.
    complete: bool,
    trailers: Vec<Line>,
    failure: Option<OutboundError>,
    doomed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Bytes of heads and trailers that wait for the guest.
    held: usize,
    charge: Charge,
}

/// How far a request is.
enum Stage {
    /// Nobody was asked for a connection.
    Unsent,
    /// A connection is on its way.
    Waiting(Waiting),
    /// It has one.
    Open(Carrier),
    /// The connection speaks another protocol.
    Tunnel(Tunnel),
    /// The connection is gone, for another request or for ever.
    Over,
}

impl ClientRequest {
    /// A request of which nothing is sent.
    ///
    /// # Errors
    /// `Denied`, which is logged, and whatever of its parts cannot be sent.
    pub fn new(client: &Arc<Client>, options: RequestOptions, via: Via) -> Result<Self, OutboundError> {
        let RequestOptions { mut opening, timeout, times, head_bytes_max, alpn, cause } = options;
        let cleared = client.clear(&opening.origin);
        if let Err(error) = &cleared {
            client.note_failure(cause.exchange, &opening.origin, error);
        }
        let clearance = cleared?;
        let key = client.key(opening.origin.clone(), alpn);
        let limits = DraftLimits {
            fields: client.field_limits(),
            buffer_bytes_max: client.limits().outbound_buffer_bytes_max,
            body_bytes_max: client.limits().outbound_request_body_bytes_max,
        };
        for (name, value) in cause.trace {
            // What the guest says of the trace itself is its own affair.
            if !opening.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
                opening.headers.push((name, value));
            }
        }
        let draft = Draft::new(opening, limits)?;
        let agent = match via {
            Via::Global => Some(client.agents().global().clone()),
            Via::None => None,
            Via::Agent(agent) => Some(agent),
        };
        let mut clock = Clock::new();
        clock.set_silence(timeout);
        let inner = Inner {
            charge: Charge::new(client.memory().clone()),
            client: client.clone(),
            key,
            clearance,
            keep_alive: agent.as_ref().is_some_and(Agent::keeps_alive),
            agent,
            exchange: cause.exchange,
            head_bytes_max,
            draft,
            stage: Stage::Unsent,
            clock,
            times,
            opened: None,
            end_put: false,
            sent: None,
            deaf: false,
            retried: false,
            below: None,
            no_delay: None,
            socket_keep_alive: None,
            continues: 0,
            continue_told: false,
            interim: VecDeque::new(),
            head: None,
            given: false,
            complete: false,
            trailers: Vec::new(),
            failure: None,
            doomed: None,
            held: 0,
        };
        Ok(ClientRequest(Arc::new(Mutex::new(inner))))
    }

    /// A handle that does not keep it.
    pub fn downgrade(&self) -> WeakRequest {
        WeakRequest(Arc::downgrade(&self.0))
    }

    /// Looks at the headers, or changes them.
    ///
    /// # Errors
    /// `change`'s; `HeadersSent` once the head is fixed.
    pub fn change_fields<T>(
        &self,
        change: impl FnOnce(&mut Fields, FieldLimits) -> Result<T, MessageError>,
    ) -> Result<T, MessageError> {
        let mut inner = self.0.lock();
        let (fields, limits) = inner.draft.open_fields()?;
        change(fields, limits)
    }

    /// Looks at the headers.
    pub fn look_at_fields<T>(&self, look: impl FnOnce(&Fields) -> T) -> T {
        look(self.0.lock().draft.fields())
    }

    /// Whether the head is fixed.
    pub fn headers_sent(&self) -> bool {
        self.0.lock().draft.is_fixed()
    }

    /// Fixes the head if need be; it goes out as soon as there is a connection.
    ///
    /// # Errors
    /// Those of `flush-headers`.
    pub fn flush_headers(&self) -> Result<(), OutboundError> {
        let mut inner = self.0.lock();
        inner.check_alive()?;
        inner.draft.fix()?;
        inner.start_if_fixed();
        Ok(())
    }

    /// Appends a piece of body. `bounded` refuses it when the buffer is at its
    /// bound, for callers that do not wait afterwards.
    ///
    /// # Errors
    /// Those of `write` and `try-write`; then nothing was appended.
    pub fn write(&self, piece: Vec<u8>, bounded: bool) -> Result<(), OutboundError> {
        let mut inner = self.0.lock();
        inner.check_writable()?;
        inner.take_memory(piece.len())?;
        let unsent = inner.unsent();
        inner.draft.write(piece, bounded, unsent)?;
        inner.start_if_fixed();
        Ok(())
    }

    /// Ends the request, with a last piece of body or without.
    ///
    /// # Errors
    /// Those of `end`.
    pub fn end(&self, piece: Option<Vec<u8>>) -> Result<(), OutboundError> {
        let mut inner = self.0.lock();
        inner.check_alive()?;
        inner.take_memory(piece.as_ref().map_or(0, Vec::len))?;
        inner.draft.end(piece)?;
        inner.start_if_fixed();
        Ok(())
    }

    /// Sets the trailers.
    ///
    /// # Errors
    /// Those of `add-trailers`.
    pub fn add_trailers(&self, lines: Vec<Line>) -> Result<(), OutboundError> {
        Ok(self.0.lock().draft.add_trailers(lines)?)
    }

    /// Whether the buffer is full.
    pub fn is_full(&self) -> bool {
        self.0.lock().unsent() > HIGH_WATER_MARK
    }

    /// Says after how much silence the guest is told; none for never.
    pub fn set_timeout(&self, timeout: Option<Duration>) {
        self.0.lock().clock.set_silence(timeout);
    }

    /// Says whether small segments leave at once.
    pub fn set_no_delay(&self, enable: bool) {
        let mut inner = self.0.lock();
        inner.no_delay = Some(enable);
        inner.apply_wishes();
    }

    /// Asks for TCP keep-alive probes, or for none.
    pub fn set_socket_keep_alive(&self, enable: bool, initial_delay: Duration) {
        let mut inner = self.0.lock();
        inner.socket_keep_alive = Some((enable, initial_delay));
        inner.apply_wishes();
    }

    /// The connection, if it has or had one.
    pub fn below(&self) -> Option<Below> {
        self.0.lock().look_below()
    }

    /// Whether its method is one that goes without a body but in rare cases.
    pub fn is_usually_without_body(&self) -> bool {
        matches!(self.0.lock().draft.method(), "GET" | "HEAD")
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<OutboundError> {
        self.0.lock().failure.clone()
    }

    /// Whether nothing more of it is to be sent.
    pub fn is_sent(&self) -> bool {
        let inner = self.0.lock();
        inner.sent.is_some() || inner.deaf || matches!(inner.stage, Stage::Over)
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_over(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Over)
    }

    /// The head of the response, if it is there.
    pub fn head(&self) -> Option<Arc<ResponseHead>> {
        self.0.lock().head.clone()
    }

    /// Whether the response was read to its end.
    pub fn is_complete(&self) -> bool {
        self.0.lock().complete
    }

    /// The trailers of the response; empty before its end.
    pub fn trailers(&self) -> Vec<Line> {
        self.0.lock().trailers.clone()
    }

    /// Ends the request and its connection.
    pub fn destroy(&self) {
        self.fail(OutboundError::Aborted);
    }

    /// Ends both for this reason, unless there is one already.
    pub fn fail(&self, error: OutboundError) {
        self.0.lock().fail(error);
    }

    /// Whether the guest has the response, so that its own handle is not what
    /// keeps the request.
    pub fn is_given(&self) -> bool {
        self.0.lock().given
    }

    /// Goes on with it as far as that is possible now.
    pub fn poll_drive(&self, cx: &mut Context<'_>) {
        let mut inner = self.0.lock();
        inner.drive(cx);
        // Nobody waits for it: there is nobody to be told of a silence.
        let host = inner.host_deadline(false);
        if let Poll::Ready(Expired::Host(which)) = inner.clock.poll_host(cx, host) {
            inner.fail(OutboundError::Timeout(which));
        }
    }

    /// Ready when the buffer has room.
    ///
    /// # Errors
    /// What ended the request, or that the server takes nothing more.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        inner.check_writable()?;
        if inner.unsent() <= HIGH_WATER_MARK {
            return Poll::Ready(Ok(()));
        }
        inner.wait(cx, true)
    }

    /// Waits for the head of the response, and gives it.
    ///
    /// # Errors
    /// Those of `response`.
    pub fn poll_response(&self, cx: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        let mut inner = self.0.lock();
        let switched = ready!(inner.poll_head(cx))?;
        if inner.given {
            let message = "the response was given already".to_owned();
            return Poll::Ready(Err(MessageError::InvalidArg(message).into()));
        }
        if switched {
            // Node closes the connection if nobody listens for an upgrade.
            inner.fail(OutboundError::HangUp);
            return Poll::Ready(Err(OutboundError::HangUp));
        }
        inner.given = true;
        Poll::Ready(Ok(()))
    }

    /// Waits for a 100; false if the response came without one.
    ///
    /// # Errors
    /// Those of `response`.
    pub fn poll_continue(&self, cx: &mut Context<'_>) -> Poll<Result<bool, OutboundError>> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        if inner.continues == 0 {
            ready!(inner.poll_head(cx))?;
        }
        inner.continue_told = true;
        Poll::Ready(Ok(inner.continues > 0))
    }

    /// Waits for the next interim response; none once the response has come.
    ///
    /// # Errors
    /// Those of `response`.
    pub fn poll_information(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Interim>, OutboundError>> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        if let Some(interim) = inner.take_interim() {
            return Poll::Ready(Ok(Some(interim)));
        }
        let head = inner.poll_head(cx);
        match inner.take_interim() {
            Some(interim) => Poll::Ready(Ok(Some(interim))),
            None => head.map_ok(|_| None),
        }
    }

    /// Ready when one of those that wait for the server would be.
    pub fn poll_event(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        // One that the guest has not asked for is no news to it.
        let expected = inner.draft.expects_continue();
        let continued = inner.continues > 0 && !inner.continue_told && expected;
        let has_news = inner.failure.is_some() || !inner.interim.is_empty() || continued;
        if has_news || inner.head.is_some() || inner.check_begun().is_err() {
            return Poll::Ready(());
        }
        inner.poll_clock(cx, false).map(|_| ())
    }

    /// Appends at least one and at most `max` bytes of the response's body to
    /// `into`, and returns how many; 0 at its end. Dropping it loses nothing.
    ///
    /// # Errors
    /// Those of `incoming-message.read`.
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, OutboundError>> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        match inner.read(cx, into, max) {
            Poll::Pending => inner.wait(cx, true).map_ok(|()| 0),
            read => read,
        }
    }

    /// Ready when [`ClientRequest::poll_read`] would be.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        match inner.readable(cx) {
            Poll::Pending => inner.poll_clock(cx, true).map(|_| ()),
            ready => ready,
        }
    }
}

impl WeakRequest {
    /// The request, if anybody has it.
    pub fn upgrade(&self) -> Option<ClientRequest> {
        self.0.upgrade().map(ClientRequest)
    }
}
