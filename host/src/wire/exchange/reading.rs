//! The request side of an exchange: its body as it is read, and what a body
//! that breaks does to the response. Called by the guest's host functions, and
//! by the connection for what the guest left.

use std::task::{Context, Poll, ready};

use crate::wire::error::{ClientFault, MessageError};
use crate::wire::exchange::{Exchange, State};
use crate::wire::http1::body::BodyError;
use crate::wire::http1::fields::Line;
use crate::wire::http1::status::sentence;
use crate::wire::refusal::Refusal;

impl Exchange {
    /// Whether the body was received to its end.
    pub fn is_complete(&self) -> bool {
        self.inner.state.lock().body.is_complete()
    }

    /// The trailers; empty before the end of the body.
    pub fn trailers(&self) -> Vec<Line> {
        self.inner.state.lock().body.trailers().to_vec()
    }

    /// Bytes of body received so far.
    pub fn body_received(&self) -> u64 {
        self.inner.state.lock().body.received()
    }

    /// Appends between one and `max` bytes of body to `into` and returns how
    /// many; 0 at the end. A pending read can be dropped without loss.
    ///
    /// # Errors
    /// Those of `read` in the contract. A client's fault is answered at once,
    /// if no response was sent yet.
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, MessageError>> {
        let state = &mut *self.inner.state.lock();
        if self.inner.is_dropped(state) {
            return Poll::Ready(Err(MessageError::Destroyed));
        }
        self.poll_body(state, cx, into, max)
    }

    /// The same, of an exchange that is locked already.
    pub(super) fn poll_body(
        &self,
        state: &mut State,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, MessageError>> {
        if let Some(error) = &state.broken {
            return Poll::Ready(Err(error.clone()));
        }
        let polled = state.body.poll_read(cx, &mut &*self.inner.socket, &mut state.buffer, into, max);
        state.body_wanted = polled.is_pending();
        state.settle();
        match ready!(polled) {
            Ok(count) => Poll::Ready(Ok(count)),
            Err(error) => Poll::Ready(Err(self.break_body(state, &error))),
        }
    }

    /// Ready when [`Exchange::poll_read`] would be.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = &mut *self.inner.state.lock();
        if state.broken.is_some() || self.inner.is_dropped(state) {
            return Poll::Ready(());
        }
        let polled = state.body.poll_ready(cx, &mut &*self.inner.socket, &mut state.buffer);
        state.body_wanted = polled.is_pending();
        polled
    }

    fn break_body(&self, state: &mut State, error: &BodyError) -> MessageError {
        let told = match error {
            BodyError::Fault(fault) => {
                self.answer_fault(state, *fault);
                fault.for_guest()
            }
            BodyError::Closed => {
                self.answer_fault(state, ClientFault::Malformed("end of the connection inside the body"));
                MessageError::ConnectionReset
            }
            BodyError::Reset => {
                state.response.fail(MessageError::ConnectionReset, true);
                MessageError::ConnectionReset
            }
        };
        state.broken = Some(told.clone());
        told
    }

    fn answer_fault(&self, state: &mut State, fault: ClientFault) {
        tracing::debug!(exchange = self.inner.id, peer = %self.inner.socket.peer(), "{fault}");
        if state.response.is_ended() {
            return;
        }
        if state.response.is_unsent() && state.defers_refusal {
            state.refusal = Some(Refusal::of_body(fault, &state.buffer));
            state.response.withdraw(fault.for_guest());
        } else if state.response.is_unsent() {
            state.response.replace(fault.status(), &sentence(fault.status()), None, true);
            state.flush_now(&self.inner);
        } else {
            state.response.fail(fault.for_guest(), false);
        }
    }

    /// Forgets that somebody waited for the body; whoever still does says so
    /// again with the next poll.
    pub fn expect_nothing(&self) {
        self.inner.state.lock().body_wanted = false;
    }
}
