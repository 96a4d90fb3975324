//! The chunked coding of request bodies (RFC 9112 7.1), read byte by byte and
//! strictly: sizes of up to 16 hex digits, CRLF after each line, extensions
//! skipped within bounds, trailers kept.

use bytes::{Buf, BytesMut};

use crate::wire::error::ClientFault;
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::HeadLimits;
use crate::wire::http1::syntax::is_field_value;

/// Bytes of extensions in one message. They mean nothing to anybody; Node
/// allows as many.
const EXTENSION_BYTES_MAX: usize = 16 * 1024;

/// Hex digits of a size that fits 64 bits.
const SIZE_DIGITS_MAX: u32 = 16;

/// Where in a chunked body the decoder is.
#[derive(Debug, Default)]
pub struct Chunked {
    state: State,
    extension_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size {
        value: u64,
        digits: u32,
    },
    Extension {
        size: u64,
    },
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataEnd {
        cr_seen: bool,
    },
    /// In the trailers: bytes already searched for their end, and where the
    /// current line begins.
    Trailers {
        searched: usize,
        line: usize,
    },
}

impl Default for State {
    fn default() -> Self {
        State::Size { value: 0, digits: 0 }
    }
}

/// What the decoder found next.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// So many bytes of data come next.
    Data(u64),
    /// Nothing more without further bytes.
    NeedMore,
    /// The body is over; these are its trailers.
    End(Vec<Line>),
}

impl Chunked {
    /// Consumes framing from the front of `buffer` until data, the end, or
    /// the end of the buffer.
    ///
    /// # Errors
    /// `Malformed`, or the limit that the trailers or extensions exceed.
    pub fn advance(&mut self, buffer: &mut BytesMut, limits: HeadLimits) -> Result<Found, ClientFault> {
        loop {
            match self.state {
                State::Data { left } => return Ok(Found::Data(left)),
                State::Trailers { searched, line } => return self.trailers(buffer, searched, line, limits),
                _ => {}
            }
            let Some(&byte) = buffer.first() else { return Ok(Found::NeedMore) };
            self.state = self.step(byte)?;
            buffer.advance(1);
        }
    }

    /// Bytes of data that come next without framing in between.
    pub fn data_left(&self) -> u64 {
        if let State::Data { left } = self.state { left } else { 0 }
    }

    /// Says that `count` bytes of data were taken.
    pub fn consume(&mut self, count: u64) {
        if let State::Data { left } = &mut self.state {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.state = State::DataEnd { cr_seen: false };
            }
        }
    }

    fn step(&mut self, byte: u8) -> Result<State, ClientFault> {
        match (self.state, byte) {
            (State::Size { digits: 1.., value }, b'\r') => Ok(State::SizeEnd { size: value }),
            (State::Size { digits: 1.., value }, b';') => Ok(State::Extension { size: value }),
            (State::Size { value, digits }, _) => {
                let digit = char::from(byte).to_digit(16).filter(|_| digits < SIZE_DIGITS_MAX);
                let digit = digit.ok_or(ClientFault::Malformed("chunk size"))?;
                Ok(State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 })
            }
            (State::Extension { size }, b'\r') => Ok(State::SizeEnd { size }),
            (State::Extension { size }, _) if is_field_value(&[byte]) => {
                self.extension_bytes += 1;
                if self.extension_bytes > EXTENSION_BYTES_MAX {
                    return Err(ClientFault::BodyTooLarge);
                }
                Ok(State::Extension { size })
            }
            (State::SizeEnd { size: 0 }, b'\n') => Ok(State::Trailers { searched: 0, line: 0 }),
            (State::SizeEnd { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataEnd { cr_seen: false }, b'\r') => Ok(State::DataEnd { cr_seen: true }),
            (State::DataEnd { cr_seen: true }, b'\n') => Ok(State::default()),
            _ => Err(ClientFault::Malformed("chunk framing")),
        }
    }

    fn trailers(
        &mut self,
        buffer: &mut BytesMut,
        mut searched: usize,
        mut line: usize,
        limits: HeadLimits,
    ) -> Result<Found, ClientFault> {
        while let Some(offset) = memchr::memchr(b'\n', buffer.get(searched..).unwrap_or_default()) {
            let end = searched + offset;
            let content = buffer.get(line..end).unwrap_or_default();
            if content == b"\r" {
                if end > limits.raw_bytes_max() {
                    return Err(ClientFault::HeadTooLarge);
                }
                let block = buffer.split_to(end + 1);
                return parse_trailers(&block, limits).map(Found::End);
            }
            if content.last() != Some(&b'\r') {
                return Err(ClientFault::Malformed("line end in the trailers"));
            }
            searched = end + 1;
            line = searched;
        }
        if buffer.len() > limits.raw_bytes_max() {
            return Err(ClientFault::HeadTooLarge);
        }
        self.state = State::Trailers { searched: buffer.len(), line };
        Ok(Found::NeedMore)
    }
}

fn parse_trailers(block: &[u8], limits: HeadLimits) -> Result<Vec<Line>, ClientFault> {
    let lines = memchr::memchr_iter(b'\n', block).count() - 1;
    if lines > limits.count_max {
        return Err(ClientFault::TooManyHeaders);
    }
    let mut headers = vec![httparse::EMPTY_HEADER; lines];
    match httparse::parse_headers(block, &mut headers) {
        Ok(httparse::Status::Complete(_)) => {}
        _ => return Err(ClientFault::Malformed("trailer")),
    }
    let mut bytes = 0;
    let mut trailers = Vec::with_capacity(lines);
    for header in headers {
        let value = header.value.trim_ascii();
        if header.name.is_empty() || !is_field_value(value) {
            return Err(ClientFault::Malformed("trailer"));
        }
        bytes += header.name.len() + value.len();
        trailers.push((header.name.to_owned(), value.to_vec()));
    }
    if bytes >= limits.bytes_max { Err(ClientFault::HeadTooLarge) } else { Ok(trailers) }
}

#[cfg(test)]
mod tests;
