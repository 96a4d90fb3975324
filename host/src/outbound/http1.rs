//! One HTTP/1.1 connection to a server: a request out, a response in, one after
//! the other. Driven by whoever has it; holds no timer and no task.

pub mod head;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};

use crate::outbound::draft::{Draft, Framing, is_idempotent};
use crate::outbound::error::OutboundError;
use crate::outbound::stream::Stream;
use crate::outbound::tls::fault;
use crate::wire::error::ClientFault;
use crate::wire::http1::body::{Body, BodyError, Room, Source};
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::{BodyFraming, HeadLimits};
use crate::wire::http1::output::Output;
use head::{ResponseHead, Scanner};

/// Bytes asked of the stream at a time while a head is looked for.
const READ_BYTES: usize = 16 * 1024;

/// Bytes of body that are kept to be sent again.
const REPLAY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an unread body that are read on, if they are there already, so that
/// the connection can be used again.
const UNREAD_BYTES_MAX: usize = 64 * 1024;

/// A connection and the exchange that is under way on it.
#[derive(Debug)]
pub struct Http1 {
    stream: Stream,
    /// Received, and not yet taken.
    buffer: BytesMut,
    scanner: Scanner,
    out: Output,
    /// Whether bytes went to the stream that it may still hold back (TLS).
    unflushed: bool,
    body: Option<Body>,
    /// Whether the server lets the connection go on.
    keep_alive: bool,
    /// Bytes of this request that the stream has taken.
    sent: u64,
    /// Whether anything of the response has come.
    answered: bool,
    /// What of the body was put out, to put it out again; none once it is too
    /// much.
    replay: Option<Vec<Vec<u8>>>,
    replay_bytes: usize,
    /// Requests begun.
    requests: u64,
}

impl Http1 {
    /// A connection that carried nothing yet.
    pub fn new(stream: Stream) -> Self {
        Http1 {
            stream,
            buffer: BytesMut::new(),
            scanner: Scanner::default(),
            out: Output::default(),
            unflushed: false,
            body: None,
            keep_alive: false,
            sent: 0,
            answered: false,
            replay: None,
            replay_bytes: 0,
            requests: 0,
        }
    }

    /// The stream.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// The server's address.
    pub fn peer(&self) -> SocketAddr {
        self.stream.peer()
    }

    /// Whether it has carried a request before.
    pub fn is_used(&self) -> bool {
        self.requests > 0
    }

    /// Requests begun on it.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether an idle connection can take a request: the server has neither
    /// closed it nor said anything that nobody asked for.
    pub fn is_alive(&mut self) -> bool {
        self.buffer.is_empty() && self.stream.is_alive()
    }

    /// Begins a request, whose head is fixed.
    pub fn begin(&mut self, draft: &Draft, keep_alive: bool) {
        self.scanner = Scanner::default();
        self.body = None;
        self.keep_alive = keep_alive && !draft.says_close();
        (self.sent, self.answered) = (0, false);
        self.replay = (self.requests > 0).then(Vec::new);
        self.replay_bytes = 0;
        self.requests += 1;
        self.out.put_buffer(draft.render(keep_alive));
    }

    /// Moves what the guest has written into the buffer.
    pub fn put(&mut self, draft: &mut Draft) {
        while let Some(piece) = draft.take_piece() {
            self.replay_bytes += piece.len();
            if self.replay_bytes > REPLAY_BYTES_MAX {
                self.replay = None;
            }
            if let Some(replay) = &mut self.replay {
                replay.push(piece.clone());
            }
            match draft.framing() {
                Framing::Chunked => self.out.put_chunk(piece),
                _ => self.out.put_owned(piece),
            }
        }
    }

    /// Puts the end of a request behind its body.
    pub fn put_end(&mut self, draft: &Draft) {
        if draft.framing() == Framing::Chunked {
            self.out.put_last_chunk(draft.trailers());
        }
    }

    /// Bytes that the stream has not taken.
    pub fn unsent(&self) -> usize {
        self.out.len()
    }

    /// Forgets them: the server takes nothing more.
    pub fn forget_unsent(&mut self) {
        self.out.clear();
        self.unflushed = false;
    }

    /// Sends until all is sent; returns whether any byte moved, beside.
    /// Dropping it loses nothing.
    ///
    /// # Errors
    /// The stream's.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>> {
        let (stream, unflushed, mut taken) = (&mut self.stream, &mut self.unflushed, 0);
        let write = |slices: &[IoSlice<'_>]| match stream.poll_write(cx, slices) {
            Poll::Ready(Ok(count)) => {
                *unflushed = true;
                taken += count;
                Ok(count)
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        };
        let flushed = self.out.flush_with(write);
        self.sent += taken as u64;
        *moved |= taken > 0;
        if self.unflushed {
            ready!(self.stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        match flushed {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// The next head, interim or final; of a final one the body is ready to be
    /// read. Dropping it loses nothing.
    ///
    /// # Errors
    /// `HangUp` if the connection ends first; `Tls`, `Parse`, `Limit`.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &str,
        limits: HeadLimits,
        body_bytes_max: u64,
    ) -> Poll<Result<ResponseHead, OutboundError>> {
        loop {
            if !self.buffer.is_empty() {
                self.answered = true;
                if let Some(head) = self.scanner.advance(&mut self.buffer, limits)? {
                    if head.status >= 200 || head.status == 101 {
                        self.take_body(&head, method, limits, body_bytes_max)?;
                    }
                    return Poll::Ready(Ok(head));
                }
            }
            match ready!(self.stream.poll_read(cx, &mut self.buffer, READ_BYTES)) {
                Ok(1..) => {}
                Ok(0) => return Poll::Ready(Err(OutboundError::HangUp)),
                // The server's verdict on the host's certificate may come now.
                Err(error) => return Poll::Ready(Err(fault(&error))),
            }
        }
    }

    fn take_body(
        &mut self,
        head: &ResponseHead,
        method: &str,
        limits: HeadLimits,
        bytes_max: u64,
    ) -> Result<(), OutboundError> {
        let framing = head.framing(method)?;
        if matches!(framing, BodyFraming::Length(length) if length > bytes_max) {
            return Err(OutboundError::Limit("outbound_response_body_bytes_max"));
        }
        self.keep_alive &= head.persistence().keep_alive && framing != BodyFraming::Close;
        self.body = Some(Body::new(framing, bytes_max, limits));
        Ok(())
    }

    /// Appends at least one and at most `max` bytes of the body to `into`, and
    /// returns how many; 0 at its end. Dropping it loses nothing.
    ///
    /// # Errors
    /// `HangUp` if the connection ends first; `Parse`, `Limit`. After one,
    /// nothing more can be read.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, OutboundError>> {
        let Some(body) = &mut self.body else { return Poll::Ready(Ok(0)) };
        body.poll_read(cx, &mut self.stream, &mut self.buffer, into, max)
            .map(|read| read.map_err(OutboundError::from))
    }

    /// Ready when [`Http1::poll_read`] would be.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.body {
            Some(body) => body.poll_ready(cx, &mut self.stream, &mut self.buffer),
            None => Poll::Ready(()),
        }
    }

    /// Whether the body, trailers included, was read to its end.
    pub fn is_complete(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_complete)
    }

    /// The trailers; empty before the end.
    pub fn trailers(&self) -> Vec<Line> {
        self.body.as_ref().map(|body| body.trailers().to_vec()).unwrap_or_default()
    }

    /// Bytes of body received.
    pub fn received(&self) -> u64 {
        self.body.as_ref().map_or(0, Body::received)
    }

    /// Reads what is left of the body if it is there already, and is little.
    pub fn skip_rest(&mut self) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut rest = Vec::new();
        while rest.len() < UNREAD_BYTES_MAX && !self.is_complete() {
            let left = UNREAD_BYTES_MAX - rest.len();
            if !matches!(self.poll_read(&mut cx, &mut rest, left), Poll::Ready(Ok(1..))) {
                return;
            }
        }
    }

    /// Whether it can carry another request, once this one is sent and its
    /// response read.
    pub fn is_reusable(&self) -> bool {
        self.keep_alive && self.is_complete() && self.out.is_empty() && self.buffer.is_empty()
    }

    /// What of the body to send again on another connection: the server closed
    /// this one, which had served before, without a byte of an answer, and to
    /// do twice what `method` asks for does no harm (RFC 9110 9.2.2), or it was
    /// certainly not done. None if the request is not to be sent again.
    pub fn take_replay(&mut self, method: &str) -> Option<Vec<Vec<u8>>> {
        if self.answered || !(is_idempotent(method) || self.sent == 0) {
            return None;
        }
        self.replay.take()
    }

    /// The stream, and what was received after the head: another protocol's.
    pub fn into_tunnel(self) -> (Stream, BytesMut) {
        (self.stream, self.buffer)
    }

    /// What was received after the head, up to `max` bytes.
    pub fn take_buffered(&mut self, max: usize) -> Vec<u8> {
        let count = self.buffer.len().min(max);
        let taken = self.buffer.get(..count).unwrap_or_default().to_vec();
        self.buffer.advance(count);
        taken
    }
}

impl Source for Stream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut impl Room,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        Stream::poll_read(self, cx, into, max)
    }
}

impl From<BodyError> for OutboundError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Closed | BodyError::Reset => OutboundError::HangUp,
            BodyError::Fault(ClientFault::Malformed(what)) => OutboundError::Parse(what),
            BodyError::Fault(ClientFault::BodyTooLarge) => {
                OutboundError::Limit("outbound_response_body_bytes_max")
            }
            BodyError::Fault(ClientFault::TooManyHeaders) => {
                OutboundError::Limit("outbound_header_count_max")
            }
            BodyError::Fault(ClientFault::HeadTooLarge) => OutboundError::Limit("outbound_head_bytes_max"),
            BodyError::Fault(_) => OutboundError::Parse("body"),
        }
    }
}
