//! [`IncomingMessage`]: a request that came, or a response.

use std::io;

use crate::host::types;
use crate::{ErrorCode, Field, JoinedValue, Pollable, Socket};

/// A request as the server received it, or the response to a request of the
/// guest's own: see [`client`](crate::client) (Node: `http.IncomingMessage`).
///
/// The body is read piece by piece with [`read_piece`](Self::read_piece), at
/// once with [`read_all`](Self::read_all), or through [`io::Read`]. Whoever does
/// not want it leaves it.
#[derive(Debug)]
#[repr(transparent)]
pub struct IncomingMessage(types::IncomingMessage);

impl IncomingMessage {
    /// The method as it was sent; any token, in its own case. Empty of a
    /// response (Node: `message.method`).
    pub fn method(&self) -> String {
        self.0.method()
    }

    /// The request target as it was sent, not decoded and not normalised.
    /// Empty of a response (Node: `message.url`).
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// `1.0`, `1.1` or, of a response, `2.0` (Node: `message.httpVersion`).
    pub fn http_version(&self) -> String {
        self.0.http_version()
    }

    /// The status of a response; `None` of a request
    /// (Node: `message.statusCode`).
    pub fn status_code(&self) -> Option<u16> {
        self.0.status_code()
    }

    /// The reason phrase of a response as it came; `None` of a request
    /// (Node: `message.statusMessage`).
    pub fn status_message(&self) -> Option<String> {
        self.0.status_message()
    }

    /// All headers, each name once and in lower case, in order of first
    /// appearance, duplicates joined or dropped by Node's rules: the first of
    /// `content-type`, `host`, `user-agent` and their like, `cookie` joined
    /// with `; `, `set-cookie` as a list, the others joined with `, `
    /// (Node: `message.headers`).
    pub fn headers(&self) -> Vec<(String, JoinedValue)> {
        self.0.headers()
    }

    /// One value of [`headers`](Self::headers), by name in any case; `None` if
    /// it was not sent. Several `set-cookie` lines come joined with `, `
    /// (Node: `message.headers[name]`).
    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.0.header(name)
    }

    /// [`header`](Self::header) as text; `None` also if the value is not
    /// UTF-8.
    pub fn header_str(&self, name: &str) -> Option<String> {
        String::from_utf8(self.header(name)?).ok()
    }

    /// All headers, each name once and in lower case, with all its values in
    /// order (Node: `message.headersDistinct`).
    pub fn headers_distinct(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        self.0.headers_distinct()
    }

    /// The header lines as they came: order, case and duplicates
    /// (Node: `message.rawHeaders`).
    pub fn raw_headers(&self) -> Vec<Field> {
        self.0.raw_headers()
    }

    /// The trailers, joined like [`headers`](Self::headers); empty until the
    /// end of the body was read (Node: `message.trailers`).
    pub fn trailers(&self) -> Vec<(String, JoinedValue)> {
        self.0.trailers()
    }

    /// The trailers, with all values of each; empty until the end of the body
    /// was read (Node: `message.trailersDistinct`).
    pub fn trailers_distinct(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        self.0.trailers_distinct()
    }

    /// The trailer lines as they came; empty until the end of the body was
    /// read (Node: `message.rawTrailers`).
    pub fn raw_trailers(&self) -> Vec<Field> {
        self.0.raw_trailers()
    }

    /// Whether the whole message was received, body and trailers
    /// (Node: `message.complete`).
    pub fn complete(&self) -> bool {
        self.0.complete()
    }

    /// The next piece of the body, at least one byte and at most `max`; `None`
    /// at its end. Waits for bytes if there are none (Node: 'data', 'end').
    ///
    /// # Errors
    /// [`ErrorCode::ConnectionReset`] if the peer went away before the end,
    /// [`ErrorCode::Parse`] if the body's framing is broken,
    /// [`ErrorCode::LimitExceeded`] if the body is larger than the operator
    /// allows, [`ErrorCode::Timeout`], [`ErrorCode::Destroyed`],
    /// [`ErrorCode::InvalidArg`] if `max` is 0.
    pub fn read_piece(&self, max: u32) -> Result<Option<Vec<u8>>, ErrorCode> {
        Ok(self.0.read(max)?)
    }

    /// The rest of the body at once (Node: collecting 'data' until 'end').
    ///
    /// # Errors
    /// Those of [`read_piece`](Self::read_piece), and
    /// [`ErrorCode::LimitExceeded`] if the rest is longer than `limit` bytes;
    /// what was read until then is lost.
    pub fn read_all(&self, limit: u64) -> Result<Vec<u8>, ErrorCode> {
        Ok(self.0.read_all(limit)?)
    }

    /// Ready when [`read_piece`](Self::read_piece) would return at once:
    /// bytes, the end, or an error (Node: 'readable').
    pub fn subscribe(&self) -> Pollable {
        self.0.subscribe()
    }

    /// The connection that the message came on (Node: `message.socket`).
    pub fn socket(&self) -> Socket {
        Socket(self.0.socket())
    }

    /// Drops the connection at once (Node: `message.destroy`).
    pub fn destroy(&self) {
        self.0.destroy();
    }
}

impl IncomingMessage {
    /// The same message, as long as the host lends it.
    #[expect(unsafe_code, reason = "there is no owned message to wrap")]
    pub(crate) fn borrowed(message: &types::IncomingMessage) -> &Self {
        // SAFETY: `Self` is a transparent wrapper of what the pointer is to,
        // and lives no longer.
        unsafe { &*std::ptr::from_ref(message).cast() }
    }
}

/// [`io::Read`] of what comes in pieces: the next one, which is no longer than
/// the buffer.
pub(crate) fn read_into(
    buffer: &mut [u8],
    read_piece: impl FnOnce(u32) -> Result<Option<Vec<u8>>, ErrorCode>,
) -> io::Result<usize> {
    if buffer.is_empty() {
        return Ok(0);
    }
    let max = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    let Some(piece) = read_piece(max)? else {
        return Ok(0);
    };
    buffer[..piece.len()].copy_from_slice(&piece);
    Ok(piece.len())
}

/// Reads the body; 0 bytes are its end. The [`ErrorCode`] is inside the error.
impl io::Read for &IncomingMessage {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_into(buffer, |max| self.read_piece(max))
    }
}

/// Reads the body; 0 bytes are its end. The [`ErrorCode`] is inside the error.
impl io::Read for IncomingMessage {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

#[doc(hidden)]
impl From<types::IncomingMessage> for IncomingMessage {
    fn from(message: types::IncomingMessage) -> Self {
        Self(message)
    }
}

#[doc(hidden)]
impl From<IncomingMessage> for types::IncomingMessage {
    fn from(message: IncomingMessage) -> Self {
        message.0
    }
}
