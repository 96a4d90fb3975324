//! The response side of an exchange: what the guest or the host puts out, and
//! its way to the socket. Called by the guest's host functions and by the
//! handler.

use std::io;
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::wire::drain::Told;
use crate::wire::error::MessageError;
use crate::wire::exchange::{Exchange, Inner, State};
use crate::wire::http1::head::Expectation;
use crate::wire::http1::response::{HIGH_WATER_MARK, Hint, Response};

impl Exchange {
    /// Looks at or changes the response. What it puts out is sent by
    /// [`Exchange::poll_flush`].
    pub fn with_response<T>(&self, work: impl FnOnce(&mut Response) -> T) -> T {
        let state = &mut *self.inner.state.lock();
        let site = &self.inner.site;
        state.response.set_keep_alive_timeout(site.timeouts.keep_alive.get());
        if site.drain.is_draining() {
            state.response.forbid_keep_alive();
        }
        if self.inner.is_dropped(state) {
            state.response.fail(MessageError::Destroyed, true);
        }
        let worked = work(&mut state.response);
        state.settle();
        worked
    }

    /// Appends a piece of body. `bounded` refuses it when the buffer is at its
    /// bound, for callers that do not wait afterwards.
    ///
    /// # Errors
    /// Those of `write` and `try-write`; then nothing was appended.
    pub fn write(&self, piece: Vec<u8>, bounded: bool) -> Result<(), MessageError> {
        self.inner.state.lock().check_memory(piece.len())?;
        self.with_response(|response| response.write(piece, bounded))
    }

    /// Answers `Expect: 100-continue`, before the handler runs and whether or
    /// not it reads (Node).
    pub fn answer_expectation(&self) {
        if self.inner.head.expectation != Expectation::Continue {
            return;
        }
        // Refused only if nothing can be sent any more.
        let _ = self.with_response(|response| response.write_information(100, &[]));
        self.flush_now();
    }

    /// Whether there is no answer yet, and nothing that prevents one: no body
    /// that broke, no client that went.
    pub fn is_unanswered(&self) -> bool {
        let state = self.inner.state.lock();
        state.broken.is_none() && !state.response.is_fixed() && !self.inner.is_dropped(&state)
    }

    /// Whether nothing of a final response has left.
    pub fn is_unsent(&self) -> bool {
        self.inner.state.lock().response.is_unsent()
    }

    /// Ends the response and sends what the socket takes at once; see `end`.
    ///
    /// # Errors
    /// Those of `end`.
    pub fn end(&self, piece: Option<Vec<u8>>) -> Result<(), MessageError> {
        let unread = {
            let state = self.inner.state.lock();
            state.check_memory(piece.as_ref().map_or(0, Vec::len))?;
            // Bytes of body that nobody has read, as far as the request says.
            state.body.length_left().unwrap_or_default()
        };
        self.with_response(|response| {
            // It will not be read on to its end, so the client had better
            // know that the connection closes.
            if unread > self.inner.site.limits.unread_body_bytes_max {
                response.forbid_keep_alive();
            }
            response.end(piece)
        })?;
        self.flush_now();
        Ok(())
    }

    /// Sends what the socket takes without waiting. A failure is the
    /// response's.
    pub fn flush_now(&self) {
        self.inner.state.lock().flush_now(&self.inner);
    }

    /// Sends what the socket takes if the buffer is above the high-water mark;
    /// returns whether it still is.
    pub fn flush_if_full(&self) -> bool {
        let state = &mut *self.inner.state.lock();
        if state.response.buffered() >= HIGH_WATER_MARK {
            state.flush_now(&self.inner);
        }
        state.response.buffered() >= HIGH_WATER_MARK
    }

    /// Whether there is something unsent that the socket did not take.
    pub fn is_stalled(&self) -> bool {
        self.inner.state.lock().stalled.is_some()
    }

    /// Sends until nothing is unsent.
    ///
    /// # Errors
    /// Why the response failed.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), MessageError>> {
        self.inner.state.lock().poll_flush(cx, &self.inner)
    }

    /// Sends until the buffer is below the high-water mark.
    ///
    /// # Errors
    /// Why the response failed.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), MessageError>> {
        let state = &mut *self.inner.state.lock();
        if let Some(error) = state.response.failure() {
            return Poll::Ready(Err(error.clone()));
        }
        if state.response.buffered() >= HIGH_WATER_MARK {
            let flushed = state.poll_flush(cx, &self.inner)?;
            if flushed.is_pending() && state.response.buffered() >= HIGH_WATER_MARK {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Puts the host's own answer in place of the guest's, if nothing of that
    /// was sent; otherwise gives the response up, so that the client can tell.
    /// A response that was ended stays: it is as whole as it can be, and what
    /// went wrong came after it.
    pub fn answer(&self, status: u16, body: &str, hint: Option<&Hint>, close: bool) {
        self.answer_with(|response| response.replace(status, body, hint, close));
    }

    /// The same with an answer that is sent as it is, and closes.
    pub fn answer_raw(&self, bytes: Vec<u8>) {
        self.answer_with(|response| response.replace_raw(bytes));
    }

    fn answer_with(&self, replace: impl FnOnce(&mut Response)) {
        let state = &mut *self.inner.state.lock();
        if self.inner.site.drain.is_draining() {
            state.response.forbid_keep_alive();
        }
        let gone =
            self.inner.is_dropped(state) || state.response.failure() == Some(&MessageError::ConnectionReset);
        if gone || state.response.is_ended() {
            return;
        }
        if state.response.is_unsent() {
            replace(&mut state.response);
            state.flush_now(&self.inner);
        } else {
            state.response.fail(MessageError::Destroyed, false);
        }
    }
}

impl State {
    pub(super) fn flush_now(&mut self, inner: &Inner) {
        let told = inner.site.drain.told();
        let flushed = self.response.out().try_flush(&inner.socket);
        self.note(flushed, told, inner);
    }

    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        inner: &Inner,
    ) -> Poll<Result<(), MessageError>> {
        let told = inner.site.drain.told();
        let flushed = match self.response.out().poll_flush(cx, &inner.socket) {
            Poll::Ready(result) => result.map(|()| true),
            Poll::Pending => Ok(false),
        };
        let all = self.note(flushed, told, inner);
        match self.response.failure() {
            Some(error) => Poll::Ready(Err(error.clone())),
            None if all => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    /// Notes progress and its absence, and a failure of the socket. `told` is
    /// from before the flush: once the client has the last byte, the next word
    /// to idle connections is for this one, too.
    fn note(&mut self, flushed: io::Result<bool>, told: Told, inner: &Inner) -> bool {
        match flushed {
            Ok(true) => {
                self.stalled = None;
                if self.response.is_ended() {
                    self.sent.get_or_insert(told);
                    if self.tunnel.is_some() {
                        inner.socket.shutdown_write();
                    }
                }
            }
            Ok(false) => {
                let written = inner.socket.bytes_written();
                if self.stalled.is_none_or(|(_, before)| before != written) {
                    self.stalled = Some((Instant::now(), written));
                }
            }
            Err(_) => {
                self.stalled = None;
                self.response.fail(MessageError::ConnectionReset, true);
            }
        }
        self.settle();
        self.stalled.is_none()
    }
}
