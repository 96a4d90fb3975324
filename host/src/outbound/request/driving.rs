//! How a request goes on: asks for a connection, sends, looks for the head of
//! the response, tries once more where that is right, and gives the connection
//! back. Every step returns when it would have to wait.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::carrier::{Below, Carrier};
use super::clock::{Expired, Times};
use super::tunnel::Tunnel;
use super::{CONNECTION_BYTES, INTERIM_MAX, Inner, Interim, Stage};
use crate::outbound::agent::{Connection, Key};
use crate::outbound::client::{Wanted, Way};
use crate::outbound::connect::Alpn;
use crate::outbound::error::OutboundError;
use crate::outbound::http1::head::ResponseHead;
use crate::wire::error::MessageError;
use crate::wire::http1::fields::Line;

impl Inner {
    /// Why nothing more can be done with it.
    pub(super) fn check_alive(&self) -> Result<(), OutboundError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Why nothing more can be written.
    pub(super) fn check_writable(&self) -> Result<(), OutboundError> {
        self.check_alive()?;
        if self.deaf { Err(OutboundError::HangUp) } else { Ok(()) }
    }

    /// Whether there is anything to wait for.
    pub(super) fn check_begun(&self) -> Result<(), OutboundError> {
        if self.draft.is_fixed() {
            return Ok(());
        }
        let message = "nothing of the request was sent; call end or flush-headers first".to_owned();
        Err(MessageError::InvalidArg(message).into())
    }

    /// Bytes that no system has taken.
    pub(super) fn unsent(&self) -> usize {
        let out = match &self.stage {
            Stage::Open(carrier) => carrier.unsent(),
            Stage::Tunnel(tunnel) => tunnel.unsent(),
            _ => 0,
        };
        out + self.draft.buffered()
    }

    /// Charges the tenant for what is unsent, and for so many bytes more.
    pub(super) fn take_memory(&mut self, more: usize) -> Result<(), OutboundError> {
        if self.charge_with(more) || more == 0 {
            return Ok(());
        }
        self.settle_memory();
        Err(TENANT_MEMORY)
    }

    /// Charges for all that is held, and so many bytes more; says whether the
    /// tenant has them.
    fn charge_with(&mut self, more: usize) -> bool {
        let fixed = if matches!(self.stage, Stage::Over) { 0 } else { CONNECTION_BYTES };
        self.charge.set(fixed + (self.unsent() + self.held + more) as u64)
    }

    fn settle_memory(&mut self) {
        // What is held already counts in any case.
        let _ = self.charge_with(0);
    }

    /// Ends the request for this reason, which a guest is told whatever it
    /// does next.
    pub(super) fn fail(&mut self, error: OutboundError) {
        if self.failure.is_some() || (self.complete && matches!(self.stage, Stage::Over)) {
            return;
        }
        self.client.note_failure(self.exchange, &self.key.origin, &error);
        self.failure = Some(error);
        self.close();
    }

    fn close(&mut self) {
        self.stage = Stage::Over;
        self.draft.forget_body();
        self.doomed = None;
        self.settle_memory();
    }

    /// Goes on as far as that is possible now.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if self.failure.is_some() {
            return;
        }
        loop {
            match &mut self.stage {
                Stage::Unsent if self.draft.is_fixed() => self.start(),
                Stage::Waiting(way) => match way.as_mut().poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(way)) => self.open(way),
                    Poll::Ready(Err(error)) => return self.fail(error),
                },
                Stage::Open(_) => {
                    self.exchange(cx);
                    // It may have begun anew on another connection.
                    if !matches!(self.stage, Stage::Waiting(_)) || self.failure.is_some() {
                        return;
                    }
                }
                Stage::Tunnel(_) => return self.drive_tunnel(cx),
                Stage::Unsent | Stage::Over => return,
            }
        }
    }

    /// Asks for a connection once the head is fixed: whoever counts sees it.
    pub(super) fn start_if_fixed(&mut self) {
        if self.draft.is_fixed() && matches!(self.stage, Stage::Unsent) {
            self.start();
        }
    }

    /// Asks for a connection.
    fn start(&mut self) {
        let takes_over = self.draft.method() == "CONNECT"
            || self.draft.fields().has("upgrade")
            || self.draft.expects_continue();
        let mut key = self.key.clone();
        if takes_over {
            // RFC 9113 8.6: HTTP/2 has no upgrade; a tunnel wants a connection
            // of its own; and hyper's client does not tell of a 100.
            if key.alpn == Alpn::Http2 {
                let message =
                    "an upgrade, CONNECT or Expect needs HTTP/1.1; leave the protocol out".to_owned();
                return self.fail(MessageError::InvalidArg(message).into());
            }
            key.alpn = Alpn::Http1;
        }
        let wanted = self.wanted(key);
        match wanted.at_once() {
            Ok(way) => self.open(way),
            Err(waiting) => self.stage = Stage::Waiting(waiting),
        }
    }

    /// What it takes to get a connection.
    fn wanted(&self, key: Key) -> Wanted {
        Wanted {
            client: self.client.clone(),
            agent: self.agent.clone(),
            key,
            clearance: self.clearance.clone(),
            connect_timeout: self.times.connect,
        }
    }

    /// Begins on a connection.
    fn open(&mut self, way: Way) {
        match Carrier::begin(way, &self.draft, &self.key.origin, self.keep_alive) {
            Ok((carrier, below)) => {
                let life = carrier.seat().life().clone();
                self.doomed = Some(Box::pin(life.cancelled_owned()));
                self.below = Some(below);
                self.stage = Stage::Open(carrier);
                self.opened.get_or_insert_with(Instant::now);
                self.clock.note_move();
                self.apply_wishes();
                self.settle_memory();
            }
            Err(error) => self.fail(error),
        }
    }

    /// The connection, with what it has counted by now.
    pub(super) fn look_below(&mut self) -> Option<Below> {
        let stream = match &mut self.stage {
            Stage::Open(Carrier::Http1(connection)) => Some(&*connection.http1.stream()),
            Stage::Tunnel(tunnel) => Some(&*tunnel.stream()),
            _ => None,
        };
        if let (Some(below), Some(stream)) = (&mut self.below, stream) {
            below.count(stream);
        }
        self.below
    }

    /// What the guest wishes of its connection.
    pub(super) fn apply_wishes(&mut self) {
        let stream = match &mut self.stage {
            Stage::Open(Carrier::Http1(connection)) => connection.http1.stream(),
            Stage::Tunnel(tunnel) => tunnel.stream(),
            _ => return,
        };
        // They are wishes: a connection that breaks says so elsewhere.
        if let Some(enable) = self.no_delay {
            let _ = stream.set_no_delay(enable);
        }
        if let Some((enable, delay)) = self.socket_keep_alive {
            let _ = stream.set_keep_alive(enable, delay);
        }
    }

    /// Sends, and looks for the head of the response.
    fn exchange(&mut self, cx: &mut Context<'_>) {
        if self.doomed.as_mut().is_some_and(|doomed| doomed.as_mut().poll(cx).is_ready()) {
            return self.fail(OutboundError::HangUp);
        }
        if let Poll::Ready(Err(_)) = self.send(cx) {
            if self.try_again() {
                return;
            }
            // What the server said before it stopped listening may still be
            // there to be read.
            self.deaf = true;
            self.draft.forget_body();
            if let Stage::Open(carrier) = &mut self.stage {
                carrier.forget_unsent();
            }
        }
        while self.head.is_none() {
            let Stage::Open(carrier) = &mut self.stage else { return };
            let limits = self.client.head_limits(self.head_bytes_max);
            let body_max = self.client.limits().outbound_response_body_bytes_max;
            match carrier.poll_head(cx, self.draft.method(), limits, body_max) {
                Poll::Pending => return,
                Poll::Ready(Ok(head)) => self.take_head(head),
                Poll::Ready(Err(error)) => {
                    if !self.try_again() {
                        self.fail(error);
                    }
                    return;
                }
            }
        }
        self.settle();
    }

    /// Moves what the guest has written to the connection, and sends it.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stage::Open(carrier) = &mut self.stage else { return Poll::Ready(Ok(())) };
        if self.deaf {
            return Poll::Ready(Ok(()));
        }
        carrier.put(&mut self.draft);
        if self.draft.is_ended() && !self.end_put {
            carrier.put_end(&self.draft);
            self.end_put = true;
        }
        let mut moved = false;
        let flushed = carrier.poll_flush(cx, &mut moved);
        if moved {
            self.clock.note_move();
            self.settle_memory();
        }
        if matches!(flushed, Poll::Ready(Ok(()))) && self.end_put && self.sent.is_none() {
            self.sent = Some(Instant::now());
        }
        flushed
    }

    /// Takes a head if the tenant has memory for it: a server can send many
    /// that are large, and a guest can leave them where they are.
    fn take_head(&mut self, head: ResponseHead) {
        if head.status != 100 {
            self.held += bytes_of(&head.lines);
        }
        if self.charge_with(0) {
            return self.note_head(head);
        }
        self.interim.clear();
        self.held = 0;
        self.fail(TENANT_MEMORY);
    }

    /// The next interim response that nobody has seen.
    pub(super) fn take_interim(&mut self) -> Option<Interim> {
        let interim = self.interim.pop_front()?;
        self.held = self.held.saturating_sub(bytes_of(&interim.1));
        self.settle_memory();
        Some(interim)
    }

    fn note_head(&mut self, head: ResponseHead) {
        self.clock.note_move();
        match head.status {
            100 if self.continues < INTERIM_MAX => self.continues += 1,
            102..200 if self.interim.len() < INTERIM_MAX => {
                self.interim.push_back((head.status, head.lines));
            }
            100 | 102..200 => {
                self.fail(OutboundError::Parse("more interim responses than anybody reads"));
            }
            _ => {
                self.client.tally().note_answered();
                self.head = Some(Arc::new(head));
                if self.is_switched() {
                    self.switch();
                }
            }
        }
    }

    /// Whether the connection speaks another protocol after the head.
    pub(super) fn is_switched(&self) -> bool {
        let status = self.head.as_ref().map_or(0, |head| head.status);
        status == 101 || (self.draft.method() == "CONNECT" && (200..300).contains(&status))
    }

    fn switch(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Open(Carrier::Http1(connection)) => {
                let Connection { http1, seat } = *connection;
                let (stream, buffer) = http1.into_tunnel();
                self.stage = Stage::Tunnel(Tunnel::new(stream, buffer, seat));
                self.complete = true;
            }
            // HTTP/2 has no 101 (RFC 9113 8.6).
            _ => self.fail(OutboundError::Parse("101 in HTTP/2")),
        }
    }

    /// Begins anew on another connection if the server closed this one before
    /// it said a word, and that does no harm; once.
    fn try_again(&mut self) -> bool {
        let Stage::Open(carrier) = &mut self.stage else { return false };
        let replay = carrier.take_replay(self.draft.method()).filter(|_| !self.retried);
        let Some(replay) = replay else { return false };
        self.retried = true;
        self.client.tally().note_retry();
        self.draft.put_back(replay);
        (self.end_put, self.sent, self.deaf) = (false, None, false);
        self.interim = VecDeque::new();
        self.held = 0;
        let wanted = self.wanted(self.key.clone());
        let old = std::mem::replace(&mut self.stage, Stage::Over);
        self.stage = match old {
            // Its seat is there; another free connection may be as old.
            Stage::Open(Carrier::Http1(connection)) => {
                let Connection { http1, seat } = *connection;
                drop(http1);
                Stage::Waiting(Box::pin(wanted.connect(seat)))
            }
            old => {
                drop(old);
                match wanted.at_once() {
                    Ok(way) => Stage::Waiting(Box::pin(std::future::ready(Ok(way)))),
                    Err(waiting) => Stage::Waiting(waiting),
                }
            }
        };
        true
    }

    /// Waits for the final head; returns whether the connection speaks another
    /// protocol after it.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, OutboundError>> {
        self.check_begun()?;
        self.drive(cx);
        if self.head.is_some() {
            // A body that broke is the reader's to hear of.
            return Poll::Ready(Ok(self.is_switched()));
        }
        self.wait(cx, false).map_ok(|()| false)
    }

    /// Pending until something comes or the time is over; whatever that is, it
    /// is an error.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>, moving: bool) -> Poll<Result<(), OutboundError>> {
        self.check_alive()?;
        match ready!(self.poll_clock(cx, moving)) {
            Expired::Guest => {
                self.clock.note_told();
                Poll::Ready(Err(OutboundError::Timeout("request")))
            }
            Expired::Host(which) => {
                self.fail(OutboundError::Timeout(which));
                Poll::Ready(Err(OutboundError::Timeout(which)))
            }
        }
    }

    /// Ready when a time is over; `moving` while somebody waits for a byte to
    /// come or go.
    pub(super) fn poll_clock(&mut self, cx: &mut Context<'_>, moving: bool) -> Poll<Expired> {
        if self.failure.is_some() || matches!(self.stage, Stage::Unsent | Stage::Over) {
            return Poll::Pending;
        }
        let host = self.host_deadline(moving);
        self.clock.poll(cx, host)
    }

    /// When a time that ends it is over, for what it waits for: the operator's
    /// or the guest's, whichever comes first; and what that is called.
    pub(super) fn host_deadline(&self, moving: bool) -> Option<(Instant, &'static str)> {
        let both = [self.limits_deadline(moving), self.own_deadline(moving)];
        both.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn own_deadline(&self, moving: bool) -> Option<(Instant, &'static str)> {
        if !matches!(self.stage, Stage::Open(_)) {
            return None;
        }
        let Times { first_byte, between_bytes, .. } = self.times;
        let (since, max, which) = match &self.head {
            None => (self.opened?, first_byte?, "response"),
            Some(_) if moving => (self.clock.moved(), between_bytes?, "idle"),
            Some(_) => return None,
        };
        since.checked_add(max).map(|at| (at, which))
    }

    fn limits_deadline(&self, moving: bool) -> Option<(Instant, &'static str)> {
        let limits = self.client.limits();
        match (&self.stage, self.sent) {
            (Stage::Tunnel(_), _) => {
                let max = limits.tunnel_idle_timeout.filter(|_| moving);
                max.and_then(|max| self.clock.moved().checked_add(max)).map(|at| (at, "tunnel idle"))
            }
            (_, Some(sent)) if self.head.is_none() => {
                let max = limits.outbound_response_timeout;
                max.and_then(|max| sent.checked_add(max)).map(|at| (at, "response"))
            }
            // Making a connection has a time of its own. What nobody takes
            // counts also for a guest that has ended its request and waits for
            // the answer, or for something else.
            (Stage::Open(_), _) if moving || (self.head.is_none() && self.unsent() > 0) => {
                let max = limits.outbound_idle_timeout;
                max.and_then(|max| self.clock.moved().checked_add(max)).map(|at| (at, "idle"))
            }
            _ => None,
        }
    }

    /// Reads the body of the response.
    pub(super) fn read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, OutboundError>> {
        if self.complete {
            return Poll::Ready(Ok(0));
        }
        self.check_alive()?;
        let Stage::Open(carrier) = &mut self.stage else { return Poll::Ready(Err(OutboundError::HangUp)) };
        match ready!(carrier.poll_read(cx, into, max)) {
            Ok(count) => {
                self.clock.note_move();
                self.settle();
                Poll::Ready(Ok(count))
            }
            Err(error) => {
                self.fail(error.clone());
                Poll::Ready(Err(error))
            }
        }
    }

    pub(super) fn readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.stage {
            Stage::Open(carrier) if !self.complete => carrier.poll_readable(cx),
            _ => Poll::Ready(()),
        }
    }

    /// Takes note of a response that is read to its end; gives the connection
    /// back once the request is over, too.
    fn settle(&mut self) {
        let Stage::Open(carrier) = &mut self.stage else { return };
        if !carrier.is_complete() {
            return;
        }
        if !self.complete {
            self.complete = true;
            self.trailers = carrier.trailers();
            self.held += bytes_of(&self.trailers);
        }
        let sent = self.end_put && carrier.unsent() == 0;
        if !sent && !self.deaf {
            return;
        }
        let hint = self.head.as_ref().and_then(|head| head.persistence().timeout);
        if let Stage::Open(Carrier::Http1(connection)) = std::mem::replace(&mut self.stage, Stage::Over)
            && let Some(agent) = self.agent.as_ref().filter(|_| !self.deaf && connection.http1.is_reusable())
        {
            agent.put(connection, hint);
            self.client.agents().look_after_free();
        }
        self.close();
    }
}

const TENANT_MEMORY: OutboundError = OutboundError::Limit("memory_bytes_max of the tenant");

/// Bytes that header lines take as they are held.
fn bytes_of(lines: &[Line]) -> usize {
    lines.iter().map(|(name, value)| size_of::<Line>() + name.len() + value.len()).sum()
}

/// A response that nobody wants to read on: its connection can be used again
/// if there was little left of it.
impl Drop for Inner {
    fn drop(&mut self) {
        if let (Stage::Open(Carrier::Http1(connection)), Some(_)) = (&mut self.stage, &self.head) {
            connection.http1.skip_rest();
            self.settle();
        }
    }
}
