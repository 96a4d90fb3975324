//! The bytes of a connection that wait for the socket: small pieces are
//! gathered, large ones are kept as they are, and all of them leave in one
//! `writev`. Of HTTP it knows how a chunk is put (RFC 9112 7.1).

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};

use crate::wire::http1::fields::{Line, put_line};
use crate::wire::socket::Socket;

/// From this size on a piece is not copied: a copy of 4 KiB costs about as
/// much as one more entry in a `writev`.
const PIECE_BYTES_MIN: usize = 4096;

/// Entries in one `writev`; more does not make it faster.
const SLICES_MAX: usize = 16;

/// Unsent bytes, in order.
#[derive(Debug, Default)]
pub struct Output {
    full: VecDeque<Bytes>,
    tail: BytesMut,
    length: usize,
}

impl Output {
    /// Bytes not yet taken by the operating system.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends a copy of `bytes`.
    pub fn put(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        self.tail.extend_from_slice(bytes);
    }

    /// Appends `bytes`, without a copy if nothing is unsent.
    pub fn put_buffer(&mut self, bytes: BytesMut) {
        if !self.tail.is_empty() {
            return self.put(&bytes);
        }
        self.length += bytes.len();
        self.tail = bytes;
    }

    /// Appends `bytes`, without a copy if they are many.
    pub fn put_owned(&mut self, bytes: Vec<u8>) {
        if bytes.len() < PIECE_BYTES_MIN {
            return self.put(&bytes);
        }
        self.length += bytes.len();
        self.close_tail();
        self.full.push_back(Bytes::from(bytes));
    }

    /// Appends `bytes` as one chunk. They must not be empty: that would be the
    /// end of the body.
    pub fn put_chunk(&mut self, bytes: Vec<u8>) {
        self.put(format!("{:x}\r\n", bytes.len()).as_bytes());
        self.put_owned(bytes);
        self.put(b"\r\n");
    }

    /// Appends the end of a chunked body.
    pub fn put_last_chunk(&mut self, trailers: &[Line]) {
        let mut last = BytesMut::from(&b"0\r\n"[..]);
        trailers.iter().for_each(|(name, value)| put_line(&mut last, name, value));
        last.extend_from_slice(b"\r\n");
        self.put(&last);
    }

    /// Forgets everything unsent.
    pub fn clear(&mut self) {
        *self = Output::default();
    }

    /// Writes until all is sent. Dropping a pending flush loses nothing: what
    /// is unsent stays.
    ///
    /// # Errors
    /// What the socket says; `WriteZero` if it takes nothing.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, socket: &Socket) -> Poll<io::Result<()>> {
        loop {
            if self.try_flush(socket)? {
                return Poll::Ready(Ok(()));
            }
            ready!(socket.poll_writable(cx))?;
        }
    }

    /// Writes what the socket takes now, and returns whether that was all.
    ///
    /// # Errors
    /// Those of [`Output::poll_flush`].
    pub fn try_flush(&mut self, socket: &Socket) -> io::Result<bool> {
        self.flush_with(|slices| socket.try_write(slices))
    }

    /// Has `write` take what it takes now, which it says with `WouldBlock` is
    /// no more, and returns whether that was all.
    ///
    /// # Errors
    /// Those of `write`; `WriteZero` if it takes nothing.
    pub fn flush_with(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        while self.length > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for piece in self.full.iter().map(Bytes::as_ref).chain([self.tail.as_ref()]) {
                let Some(slot) = slices.get_mut(count) else { break };
                if !piece.is_empty() {
                    *slot = IoSlice::new(piece);
                    count += 1;
                }
            }
            match write(slices.get(..count).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => self.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The unsent bytes, for tests of what is put out.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.full.iter().map(Bytes::as_ref).chain([self.tail.as_ref()]).collect::<Vec<_>>().concat()
    }

    fn advance(&mut self, mut sent: usize) {
        self.length -= sent;
        while let Some(piece) = self.full.front_mut() {
            let step = sent.min(piece.len());
            piece.advance(step);
            sent -= step;
            if !piece.is_empty() {
                return;
            }
            self.full.pop_front();
        }
        self.tail.advance(sent);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.full.push_back(self.tail.split().freeze());
        }
    }
}
