//! The body of a message: where it ends, how much of it may come, and what of
//! it is in the buffer already. Reads from a buffer or a source; who waits, and
//! for how long, is `wire::exchange`'s affair, or `outbound`'s.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};

use crate::wire::error::ClientFault;
use crate::wire::http1::chunked::{Chunked, Found};
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::{BodyFraming, HeadLimits};
use crate::wire::socket::Socket;

/// Bytes asked of the socket at a time when framing has to be looked for.
const READ_BYTES: usize = 16 * 1024;

/// Bytes of body asked of the socket at a time.
const PIECE_BYTES_MAX: u64 = 256 * 1024;

/// What a [`Source`] can make room in.
pub trait Room: BufMut {
    /// Makes room for so many bytes more.
    fn make(&mut self, bytes: usize);
    /// Gives back what nothing was put into.
    fn give_back(&mut self);
}

/// Where the bytes of a connection come from.
pub trait Source {
    /// Reads at most `max` bytes to the end of `into`; 0 is the peer's end.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut impl Room,
        max: usize,
    ) -> Poll<io::Result<usize>>;
}

impl Room for BytesMut {
    fn make(&mut self, bytes: usize) {
        self.reserve(bytes);
    }

    fn give_back(&mut self) {
        if self.is_empty() {
            *self = BytesMut::new();
        }
    }
}

impl Room for Vec<u8> {
    fn make(&mut self, bytes: usize) {
        self.reserve(bytes);
    }

    fn give_back(&mut self) {
        if self.is_empty() {
            *self = Vec::new();
        }
    }
}

impl Source for &Socket {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut impl Room,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        Socket::poll_read(self, cx, into, max)
    }
}

/// A body, as far as it has come.
#[derive(Debug)]
pub struct Body {
    decoder: Decoder,
    trailers: Vec<Line>,
    received: u64,
    bytes_max: u64,
    limits: HeadLimits,
}

#[derive(Debug)]
enum Decoder {
    Length(u64),
    Chunked(Chunked),
    /// It ends with the connection.
    Close,
    Complete,
}

/// Why a body cannot be read on.
#[derive(Debug)]
pub enum BodyError {
    /// The peer sent something it may not.
    Fault(ClientFault),
    /// The peer sent a FIN before the end.
    Closed,
    /// The connection broke.
    Reset,
}

impl Body {
    /// A body of which nothing was read.
    pub fn new(framing: BodyFraming, bytes_max: u64, limits: HeadLimits) -> Self {
        let decoder = match framing {
            BodyFraming::None | BodyFraming::Length(0) => Decoder::Complete,
            BodyFraming::Length(length) => Decoder::Length(length),
            BodyFraming::Chunked => Decoder::Chunked(Chunked::default()),
            BodyFraming::Close => Decoder::Close,
        };
        Body { decoder, trailers: Vec::new(), received: 0, bytes_max, limits }
    }

    /// Changes how much may come.
    pub fn set_bytes_max(&mut self, bytes_max: u64) {
        self.bytes_max = bytes_max;
    }

    /// Whether the end was reached, trailers included.
    pub fn is_complete(&self) -> bool {
        matches!(self.decoder, Decoder::Complete)
    }

    /// The trailers; empty before the end.
    pub fn trailers(&self) -> &[Line] {
        &self.trailers
    }

    /// Bytes of body received so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that are known to be still to come, if the request says.
    pub fn length_left(&self) -> Option<u64> {
        match self.decoder {
            Decoder::Length(left) => Some(left),
            Decoder::Chunked(_) | Decoder::Close => None,
            Decoder::Complete => Some(0),
        }
    }

    /// Appends at least one and at most `max` bytes of the body to `into`, and
    /// returns how many; 0 at the end. Takes what `buffer` holds first, then
    /// what the source has. Dropping it loses nothing.
    ///
    /// # Errors
    /// A [`BodyError`]; after one, nothing more can be read.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Source,
        buffer: &mut BytesMut,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, BodyError>> {
        loop {
            let left = match self.data_left(buffer).map_err(BodyError::Fault)? {
                Some(0) => return Poll::Ready(Ok(0)),
                Some(left) => left,
                None => {
                    buffer.reserve(READ_BYTES);
                    some(ready!(source.poll_read(cx, buffer, READ_BYTES)))?;
                    continue;
                }
            };
            let count = if buffer.is_empty() {
                let want = left.min(PIECE_BYTES_MAX).min(max as u64);
                let want = usize::try_from(want).unwrap_or(usize::MAX);
                into.reserve(want);
                match ready!(source.poll_read(cx, into, want)) {
                    Ok(0) if matches!(self.decoder, Decoder::Close) => {
                        self.decoder = Decoder::Complete;
                        return Poll::Ready(Ok(0));
                    }
                    read => some(read)?,
                }
            } else {
                let count = buffer.len().min(max).min(usize::try_from(left).unwrap_or(usize::MAX));
                into.extend_from_slice(buffer.get(..count).unwrap_or_default());
                buffer.advance(count);
                count
            };
            self.consume(count as u64);
            return Poll::Ready(Ok(count));
        }
    }

    /// Ready when [`Body::poll_read`] would be.
    pub fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Source,
        buffer: &mut BytesMut,
    ) -> Poll<()> {
        loop {
            match self.data_left(buffer) {
                Ok(None) => {
                    buffer.reserve(READ_BYTES);
                    if !matches!(ready!(source.poll_read(cx, buffer, READ_BYTES)), Ok(1..)) {
                        return Poll::Ready(());
                    }
                }
                Ok(Some(0)) | Err(_) => return Poll::Ready(()),
                Ok(Some(_)) if !buffer.is_empty() => return Poll::Ready(()),
                // That the socket was readable once does not mean that it
                // still is; having bytes does.
                Ok(Some(_)) => {
                    buffer.reserve(READ_BYTES);
                    let read = ready!(source.poll_read(cx, buffer, READ_BYTES));
                    if matches!((read, &self.decoder), (Ok(0), Decoder::Close)) {
                        self.decoder = Decoder::Complete;
                    }
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Bytes of data before the next framing; 0 at the end of the body, none
    /// if that cannot be known without more bytes.
    fn data_left(&mut self, buffer: &mut BytesMut) -> Result<Option<u64>, ClientFault> {
        match &mut self.decoder {
            Decoder::Complete => Ok(Some(0)),
            Decoder::Length(left) => Ok(Some(*left)),
            Decoder::Close if self.received >= self.bytes_max => Err(ClientFault::BodyTooLarge),
            Decoder::Close => Ok(Some(self.bytes_max - self.received)),
            Decoder::Chunked(chunked) => match chunked.advance(buffer, self.limits)? {
                Found::Data(left) if left > self.bytes_max - self.received => Err(ClientFault::BodyTooLarge),
                Found::Data(left) => Ok(Some(left)),
                Found::NeedMore => Ok(None),
                Found::End(trailers) => {
                    self.trailers = trailers;
                    self.decoder = Decoder::Complete;
                    Ok(Some(0))
                }
            },
        }
    }

    fn consume(&mut self, count: u64) {
        self.received += count;
        match &mut self.decoder {
            Decoder::Length(left) if *left == count => self.decoder = Decoder::Complete,
            Decoder::Length(left) => *left -= count,
            Decoder::Chunked(chunked) => chunked.consume(count),
            Decoder::Close | Decoder::Complete => {}
        }
    }
}

fn some(read: io::Result<usize>) -> Result<usize, BodyError> {
    match read {
        Ok(0) => Err(BodyError::Closed),
        Ok(count) => Ok(count),
        Err(_) => Err(BodyError::Reset),
    }
}
