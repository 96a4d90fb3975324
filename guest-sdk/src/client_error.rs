//! [`ClientError`]: what a client-error handler is told.

use crate::ErrorCode;
use crate::bindings::client_error::exports::innkeeper::http::client_error_handler as wire;

/// What was wrong with what a client sent, or with its taking so long
/// (Node: the error of the 'clientError' event).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientError {
    /// [`ErrorCode::Parse`], [`ErrorCode::Timeout`] or
    /// [`ErrorCode::LimitExceeded`] (Node: `error.code`).
    pub code: ErrorCode,
    /// What was wrong, in words (Node: `error.reason`).
    pub reason: String,
    /// The status that the host would answer with.
    pub status: u16,
    /// How many bytes of [`raw_packet`](Self::raw_packet) were good
    /// (Node: `error.bytesParsed`).
    pub bytes_parsed: u32,
    /// What was received of the request, from its first byte; or of its body,
    /// from where it broke. At most 16 KiB (Node: `error.rawPacket`).
    pub raw_packet: Vec<u8>,
    /// The client's IP address (Node: `socket.remoteAddress`).
    pub remote_address: String,
    /// The client's port (Node: `socket.remotePort`).
    pub remote_port: u16,
}

#[doc(hidden)]
impl From<wire::ClientError> for ClientError {
    fn from(error: wire::ClientError) -> Self {
        Self {
            code: error.code.into(),
            reason: error.reason,
            status: error.status,
            bytes_parsed: error.bytes_parsed,
            raw_packet: error.raw_packet,
            remote_address: error.remote_address,
            remote_port: error.remote_port,
        }
    }
}
