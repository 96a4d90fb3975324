//! [`Socket`]: the connection below an exchange.

use std::time::Duration;

use crate::ErrorCode;
use crate::bindings::innkeeper::http::types;

/// The connection below an exchange (Node: `net.Socket`), from
/// [`IncomingMessage::socket`](crate::IncomingMessage::socket). It tells facts
/// and takes wishes; its bytes are the host's.
#[derive(Debug)]
pub struct Socket(pub(crate) types::Socket);

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
    /// [`Duration::ZERO`] for never. Holds for this exchange, within the
    /// operator's own limit (Node: `socket.setTimeout`).
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

    /// Drops the connection at once (Node: `socket.destroy`).
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
