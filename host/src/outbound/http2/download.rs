//! The body of a response as hyper receives it: a frame is taken when a guest
//! wants bytes and has none, and only then may the server send more.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Incoming};

use super::failure::Failure;
use super::head;
use crate::outbound::error::OutboundError;
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::HeadLimits;

/// A body, as far as it has come.
#[derive(Debug)]
pub(super) struct Download {
    incoming: Incoming,
    /// Of the frame that was taken last.
    rest: Bytes,
    trailers: Vec<Line>,
    received: u64,
    bytes_max: u64,
    limits: HeadLimits,
    /// Whether its server has said that it is over.
    ended: bool,
}

impl Download {
    /// A body of at most `bytes_max` bytes.
    pub(super) fn new(incoming: Incoming, bytes_max: u64, limits: HeadLimits) -> Self {
        let ended = incoming.is_end_stream();
        let (rest, trailers) = (Bytes::new(), Vec::new());
        Download { incoming, rest, trailers, received: 0, bytes_max, limits, ended }
    }

    /// Appends at least one and at most `max` bytes to `into`, and returns how
    /// many; 0 at the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, Failure>> {
        ready!(self.poll_rest(cx))?;
        let count = self.rest.len().min(max);
        into.extend_from_slice(self.rest.get(..count).unwrap_or_default());
        self.rest.advance(count);
        Poll::Ready(Ok(count))
    }

    /// Ready when there is something to read, or the end.
    pub(super) fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while self.rest.is_empty() && !self.ended {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.take_data(data)?,
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            self.trailers = head::lines(&trailers, self.limits).map_err(Failure::new)?;
                        }
                    }
                },
                Some(Err(error)) => return Poll::Ready(Err(Failure::of(&error))),
                // hyper takes a reset without a reason for an end.
                None if !self.incoming.is_end_stream() => {
                    return Poll::Ready(Err(Failure::new(OutboundError::HangUp)));
                }
                None => self.ended = true,
            }
            self.ended |= self.incoming.is_end_stream();
        }
        Poll::Ready(Ok(()))
    }

    fn take_data(&mut self, data: Bytes) -> Result<(), Failure> {
        self.received += data.len() as u64;
        if self.received > self.bytes_max {
            return Err(Failure::new(OutboundError::Limit("outbound_response_body_bytes_max")));
        }
        self.rest = data;
        Ok(())
    }

    /// Whether it was read to its end.
    pub(super) fn is_complete(&self) -> bool {
        self.ended && self.rest.is_empty()
    }

    /// The trailers; empty before the end.
    pub(super) fn trailers(&self) -> &[Line] {
        &self.trailers
    }

    /// Bytes received.
    pub(super) fn received(&self) -> u64 {
        self.received
    }
}
