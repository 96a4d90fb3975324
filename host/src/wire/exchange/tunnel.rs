//! A connection that a guest has taken over, after an upgrade or CONNECT: the
//! same exchange, whose bytes are no longer HTTP. Called by the guest's host
//! functions. Output goes the way of a response, so that the limits on it hold.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};

use crate::wire::drain::Phase;
use crate::wire::error::MessageError;
use crate::wire::exchange::{Exchange, State};
use crate::wire::http1::head::{BodyFraming, Expectation};
use crate::wire::http1::response::raw::status_in;

/// Bytes of an unread request body that are skipped at a time.
const SKIP_BYTES: usize = 16 * 1024;

/// What a tunnel has to know beyond its exchange.
#[derive(Default)]
pub(super) struct Tunnel {
    /// Whether the guest was told that the server is closing.
    told: bool,
    closing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Bytes that came through it.
    received: u64,
}

impl Exchange {
    /// Makes a tunnel of the connection, which nothing was answered on, and
    /// returns what came after the request head: nothing if the request has a
    /// body, which comes first.
    pub fn begin_tunnel(&self) -> Vec<u8> {
        let state = &mut *self.inner.state.lock();
        if self.head().expectation == Expectation::Continue {
            // Before the 101 (RFC 9110 7.8). It cannot be refused: nothing was
            // sent yet.
            let _ = state.response.write_information(100, &[]);
        }
        state.response.begin_raw();
        state.idle_timeout = self.idle_timeout_within(state.wanted_idle_timeout, true);
        if state.idle_timeout.is_some() {
            self.inner.socket.watch_moves();
        }
        let has_body = !matches!(self.head().framing, BodyFraming::None | BodyFraming::Length(0));
        let early = if has_body { BytesMut::new() } else { std::mem::take(&mut state.buffer) };
        state.tunnel = Some(Tunnel { received: early.len() as u64, ..Tunnel::default() });
        early.into()
    }

    /// Whether a guest has taken the connection over.
    pub fn is_tunnel(&self) -> bool {
        self.inner.state.lock().tunnel.is_some()
    }

    /// Bytes that came through the tunnel, if it is one.
    pub fn tunnel_received(&self) -> Option<u64> {
        self.inner.state.lock().tunnel.as_ref().map(|tunnel| tunnel.received)
    }

    /// Appends between one and `max` bytes to `into` and returns how many; 0 at
    /// the peer's end. A pending read can be dropped without loss.
    ///
    /// # Errors
    /// Those of `socket.read` in the contract.
    pub fn poll_tunnel_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, MessageError>> {
        let state = &mut *self.inner.state.lock();
        self.check_tunnel(state)?;
        if self.poll_closing(state, cx).is_ready() {
            if let Some(tunnel) = &mut state.tunnel {
                tunnel.told = true;
            }
            return Poll::Ready(Err(MessageError::ServerClosing));
        }
        ready!(self.poll_skip(state, cx))?;
        let count = if state.buffer.is_empty() {
            match ready!(self.inner.socket.poll_read_when_there(cx, into, max)) {
                Ok(count) => count,
                Err(_) => {
                    state.response.fail(MessageError::ConnectionReset, true);
                    return Poll::Ready(Err(MessageError::ConnectionReset));
                }
            }
        } else {
            let count = state.buffer.len().min(max);
            into.extend_from_slice(state.buffer.get(..count).unwrap_or_default());
            state.buffer.advance(count);
            if state.buffer.is_empty() {
                state.buffer = BytesMut::new();
            }
            count
        };
        if let Some(tunnel) = &mut state.tunnel {
            tunnel.received += count as u64;
        }
        Poll::Ready(Ok(count))
    }

    /// Ready when [`Exchange::poll_tunnel_read`] would be.
    pub fn poll_tunnel_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = &mut *self.inner.state.lock();
        if self.check_tunnel(state).is_err() || self.poll_closing(state, cx).is_ready() {
            return Poll::Ready(());
        }
        if ready!(self.poll_skip(state, cx)).is_ok() && state.buffer.is_empty() {
            // That the socket was readable once does not mean that it still
            // is; having bytes does.
            match ready!(self.inner.socket.poll_read_few(cx)) {
                Ok(bytes) => state.buffer = bytes,
                // It is told once only; the read that follows must not take
                // it for the peer's end.
                Err(_) => state.response.fail(MessageError::ConnectionReset, true),
            }
        }
        Poll::Ready(())
    }

    /// Appends bytes to what goes out. `bounded` refuses them when the buffer
    /// is at its bound, for callers that do not wait afterwards.
    ///
    /// # Errors
    /// Those of `socket.write` and `try-write`; then nothing was appended.
    pub fn write_tunnel(&self, bytes: Vec<u8>, bounded: bool) -> Result<(), MessageError> {
        let state = &mut *self.inner.state.lock();
        self.check_tunnel(state)?;
        let status = state.status_of(&bytes);
        state.check_memory(bytes.len())?;
        state.response.write(bytes, bounded)?;
        state.settle();
        state.note_status(status);
        Ok(())
    }

    /// Ends our side, with last bytes or without; a FIN follows them.
    ///
    /// # Errors
    /// Those of `socket.end`.
    pub fn end_tunnel(&self, bytes: Option<Vec<u8>>) -> Result<(), MessageError> {
        let state = &mut *self.inner.state.lock();
        self.check_tunnel(state)?;
        let status = state.status_of(bytes.as_deref().unwrap_or_default());
        state.response.end(bytes)?;
        state.note_status(status);
        state.flush_now(&self.inner);
        Ok(())
    }

    /// Sends until nothing is unsent.
    ///
    /// # Errors
    /// Those of `socket.flush`.
    pub fn poll_tunnel_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), MessageError>> {
        let state = &mut *self.inner.state.lock();
        self.check_tunnel(state)?;
        state.poll_flush(cx, &self.inner)
    }

    /// Whether the guest has put out nothing at all, not even an end: then the
    /// client still waits for an answer.
    pub fn is_tunnel_unanswered(&self) -> bool {
        let state = self.inner.state.lock();
        state.tunnel.is_some() && !state.response.is_ended() && state.response.body_bytes() == 0
    }

    fn check_tunnel(&self, state: &State) -> Result<(), MessageError> {
        if state.tunnel.is_none() {
            return Err(MessageError::Denied(
                "the bytes of this connection are the host's; an upgrade-handler or a connect-handler has them",
            ));
        }
        if self.inner.socket.is_destroyed() {
            return Err(MessageError::Destroyed);
        }
        state.response.failure().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Ready, once, when the server has begun to close.
    fn poll_closing(&self, state: &mut State, cx: &mut Context<'_>) -> Poll<()> {
        let Some(tunnel) = state.tunnel.as_mut().filter(|tunnel| !tunnel.told) else { return Poll::Pending };
        if self.drain().is_draining() {
            return Poll::Ready(());
        }
        let site = &self.inner.site;
        let closing = tunnel.closing.get_or_insert_with(|| {
            let site = site.clone();
            Box::pin(async move { site.drain.reached(Phase::Draining).await })
        });
        closing.as_mut().poll(cx)
    }

    /// Skips what was not read of the request's body: the tunnel begins behind
    /// it.
    fn poll_skip(&self, state: &mut State, cx: &mut Context<'_>) -> Poll<Result<(), MessageError>> {
        let mut scrap = Vec::new();
        while !state.body.is_complete() {
            scrap.clear();
            ready!(self.poll_body(state, cx, &mut scrap, SKIP_BYTES))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl State {
    /// The guest's first bytes are its answer, if it speaks HTTP so far.
    fn status_of(&self, bytes: &[u8]) -> Option<u16> {
        if self.response.body_bytes() == 0 { status_in(bytes) } else { None }
    }

    fn note_status(&mut self, status: Option<u16>) {
        if let Some(status) = status {
            self.response.status = status;
        }
    }
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tunnel").field("told", &self.told).finish_non_exhaustive()
    }
}
