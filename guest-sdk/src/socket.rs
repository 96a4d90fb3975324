//! [`Socket`]: the connection below an exchange, and the tunnel that it is for
//! an upgrade handler and a connect handler, and after a request of the guest's
//! own that was answered so.

use std::io;
use std::time::Duration;

use crate::host::types;
use crate::incoming_message::read_into;
use crate::{ErrorCode, Pollable};

/// The connection below an exchange (Node: `net.Socket`).
///
/// From [`IncomingMessage::socket`](crate::IncomingMessage::socket) it tells
/// facts and takes wishes; its bytes are the host's, and reading and writing
/// are [`ErrorCode::Denied`].
///
/// Given to an [`upgrade_handler`](crate::upgrade_handler) or a
/// [`connect_handler`](crate::connect_handler) it is a *tunnel*: what is
/// written goes out as it is, the status line included, and what the client
/// sends is there to read. So it is in a
/// [`client::Tunnel`](crate::client::Tunnel), with the server. It is read and written with the methods here, or
/// through [`io::Read`] and [`io::Write`], which libraries for a protocol
/// expect.
///
/// When the server closes, reading fails once with
/// [`ErrorCode::ServerClosing`]. There is time for a farewell, and reading can
/// go on:
///
/// ```no_run
/// # use innkeeper_guest::{ErrorCode, Result, Socket};
/// # fn example(socket: Socket) -> Result<()> {
/// loop {
///     match socket.read_piece(64 * 1024) {
///         Ok(Some(piece)) => socket.write(piece)?,
///         Ok(None) => return Ok(()),
///         Err(ErrorCode::ServerClosing) => socket.end("bye\n")?,
///         Err(error) => return Err(error.into()),
///     }
/// }
/// # }
/// ```
///
/// Through [`io::Read`] it is told by
/// `ErrorCode::of(&error) == Some(&ErrorCode::ServerClosing)`.
#[derive(Debug)]
pub struct Socket(pub(crate) types::Socket);

/// Facts and wishes.
impl Socket {
    /// The peer's IP address (Node: `socket.remoteAddress`).
    pub fn remote_address(&self) -> String {
        self.0.remote_address()
    }

    /// The peer's port (Node: `socket.remotePort`).
    pub fn remote_port(&self) -> u16 {
        self.0.remote_port()
    }

    /// The IP address that the peer connected to
    /// (Node: `socket.localAddress`).
    pub fn local_address(&self) -> String {
        self.0.local_address()
    }

    /// The port that the peer connected to (Node: `socket.localPort`).
    pub fn local_port(&self) -> u16 {
        self.0.local_port()
    }

    /// Whether the connection is TLS (Node: `socket.encrypted`).
    pub fn encrypted(&self) -> bool {
        self.0.encrypted()
    }

    /// Bytes received on the connection so far (Node: `socket.bytesRead`).
    pub fn bytes_read(&self) -> u64 {
        self.0.bytes_read()
    }

    /// Bytes sent on the connection so far (Node: `socket.bytesWritten`).
    pub fn bytes_written(&self) -> u64 {
        self.0.bytes_written()
    }

    /// Exchanges begun on the connection so far, this one included: 1 for the
    /// first request. Node has no name for it.
    pub fn exchanges(&self) -> u64 {
        self.0.exchanges()
    }

    /// Drops the connection when nothing was sent or received for so long;
    /// [`Duration::ZERO`] for the operator's own limit. Holds for this
    /// exchange, within that limit (Node: `socket.setTimeout`).
    pub fn set_timeout(&self, timeout: Duration) {
        self.0.set_timeout(milliseconds(timeout));
    }

    /// Whether small segments leave at once; they do until set
    /// (Node: `socket.setNoDelay`).
    ///
    /// # Errors
    /// [`ErrorCode::Destroyed`].
    pub fn set_no_delay(&self, enable: bool) -> Result<(), ErrorCode> {
        Ok(self.0.set_no_delay(enable)?)
    }

    /// TCP keep-alive probes, and the idle time before the first one;
    /// [`Duration::ZERO`] for the system's own (Node: `socket.setKeepAlive`).
    ///
    /// # Errors
    /// [`ErrorCode::Destroyed`].
    pub fn set_keep_alive(&self, enable: bool, initial_delay: Duration) -> Result<(), ErrorCode> {
        Ok(self.0.set_keep_alive(enable, milliseconds(initial_delay))?)
    }

    /// Drops the connection at once (Node: `socket.destroy`). The peer sees a
    /// FIN, or a reset if it had sent bytes that were not read.
    pub fn destroy(&self) {
        self.0.destroy();
    }

    /// Closes the connection after this exchange: sends what is written and a
    /// FIN, then reads and discards until the peer closes too, for at most
    /// `grace` (Node: `socket.destroySoon`).
    pub fn destroy_soon(&self, grace: Duration) {
        self.0.destroy_soon(milliseconds(grace));
    }
}

/// The tunnel.
impl Socket {
    /// The next bytes, at least one and at most `max`; `None` once the peer
    /// has ended its side. Waits for bytes if there are none. What was not
    /// read of the request's body is skipped first (Node: 'data', 'end').
    ///
    /// # Errors
    /// [`ErrorCode::ServerClosing`], once, when the server begins to close:
    /// there is time for a farewell, and reading goes on with the next call;
    /// [`ErrorCode::ConnectionReset`], [`ErrorCode::Timeout`],
    /// [`ErrorCode::Destroyed`]; those of
    /// [`IncomingMessage::read_piece`](crate::IncomingMessage::read_piece) for
    /// a body that breaks; [`ErrorCode::InvalidArg`] if `max` is 0;
    /// [`ErrorCode::Denied`] if this is no tunnel.
    pub fn read_piece(&self, max: u32) -> Result<Option<Vec<u8>>, ErrorCode> {
        Ok(self.0.read(max)?)
    }

    /// Sends bytes. Waits while more than the buffer's high-water mark is
    /// unsent. They leave when the guest waits or returns, with
    /// [`flush`](Self::flush), or when the buffer is full
    /// (Node: `socket.write`).
    ///
    /// # Errors
    /// [`ErrorCode::WriteAfterEnd`], [`ErrorCode::ConnectionReset`],
    /// [`ErrorCode::Timeout`] if the peer takes nothing,
    /// [`ErrorCode::Destroyed`], [`ErrorCode::Denied`] if this is no tunnel.
    pub fn write(&self, bytes: impl AsRef<[u8]>) -> Result<(), ErrorCode> {
        Ok(self.0.write(bytes.as_ref())?)
    }

    /// Like [`write`](Self::write), but never waits: buffers the bytes and
    /// returns whether the buffer is now full.
    /// [`subscribe_writable`](Self::subscribe_writable) tells when it has room
    /// (Node: `socket.write` returning the opposite, 'drain').
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and [`ErrorCode::LimitExceeded`], with
    /// nothing buffered, if the bytes would take the buffer over the
    /// operator's bound.
    pub fn try_write(&self, bytes: impl AsRef<[u8]>) -> Result<bool, ErrorCode> {
        Ok(self.0.try_write(bytes.as_ref())?)
    }

    /// Waits until the operating system has taken all that was written.
    ///
    /// # Errors
    /// Those of [`write`](Self::write), but for [`ErrorCode::WriteAfterEnd`].
    pub fn flush(&self) -> Result<(), ErrorCode> {
        Ok(self.0.flush()?)
    }

    /// Ends this side with last bytes: a FIN follows them. Reading goes on.
    /// Does not wait (Node: `socket.end(data)`).
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn end(&self, bytes: impl AsRef<[u8]>) -> Result<(), ErrorCode> {
        Ok(self.0.end(Some(bytes.as_ref()))?)
    }

    /// Ends this side: a FIN follows what was written. Reading goes on. Does
    /// not wait (Node: `socket.end()`).
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and [`ErrorCode::AlreadyFinished`] if
    /// it was ended before.
    pub fn end_empty(&self) -> Result<(), ErrorCode> {
        Ok(self.0.end(None)?)
    }

    /// Ready when [`read_piece`](Self::read_piece) would return at once:
    /// bytes, the peer's end, the closing of the server, or an error
    /// (Node: 'readable').
    pub fn subscribe(&self) -> Pollable {
        self.0.subscribe()
    }

    /// Ready when [`try_write`](Self::try_write) would find the buffer not
    /// full, or fail (Node: 'drain').
    pub fn subscribe_writable(&self) -> Pollable {
        self.0.subscribe_writable()
    }
}

/// Reads a tunnel; 0 bytes are the peer's end. The [`ErrorCode`] is inside the
/// error: see [`ErrorCode::of`].
impl io::Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_into(buffer, |max| self.read_piece(max))
    }
}

/// Reads a tunnel; 0 bytes are the peer's end. The [`ErrorCode`] is inside the
/// error: see [`ErrorCode::of`].
impl io::Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

/// Writes to a tunnel; each write is taken whole. The [`ErrorCode`] is inside
/// the error: see [`ErrorCode::of`].
impl io::Write for &Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Socket::write(self, buffer)?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(Socket::flush(self)?)
    }
}

/// Writes to a tunnel; each write is taken whole. The [`ErrorCode`] is inside
/// the error: see [`ErrorCode::of`].
impl io::Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &*self, buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut &*self)
    }
}

/// The contract counts milliseconds. A fraction counts as a whole one, since
/// 0 means something else; what is too long is the longest.
pub(crate) fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_timeout_never_becomes_none() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(1500)), 1500);
        assert_eq!(milliseconds(Duration::MAX), u32::MAX);
    }
}
