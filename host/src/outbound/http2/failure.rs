//! Why a stream of HTTP/2 broke: what a guest is told, and what it means for
//! sending the request again and for the connection.

use std::error::Error;
use std::io;

use crate::outbound::error::OutboundError;

/// Why a stream broke.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// For the guest.
    pub(super) error: OutboundError,
    /// Whether the server has certainly not acted on the request
    /// (RFC 9113 8.7).
    pub(super) untouched: bool,
    /// Whether the connection broke, rather than the stream.
    pub(super) broken: bool,
    /// Whether the server takes no further requests on this connection.
    pub(super) leaving: bool,
    /// Whether what came has not even the form of HTTP/2.
    pub(super) foreign: bool,
}

impl Failure {
    /// One that says nothing beside the error.
    pub(super) fn new(error: OutboundError) -> Self {
        Failure { error, untouched: false, broken: false, leaving: false, foreign: false }
    }

    /// Of a request that never left.
    pub(super) fn unsent() -> Self {
        Failure { untouched: true, leaving: true, ..Failure::new(OutboundError::HangUp) }
    }

    /// What hyper's error means. The reason of HTTP/2 is in the error below it,
    /// which has no type that can be named without naming `h2`: it is read from
    /// the text, and where that should change nothing is sent again. The tests
    /// send every one of them over the wire.
    pub(super) fn of(error: &hyper::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if error.is::<io::Error>() {
                break;
            }
            if let Some(failure) = Self::read(&error.to_string()) {
                return failure;
            }
            cause = error.source();
        }
        Failure { broken: true, ..Failure::new(OutboundError::HangUp) }
    }

    fn read(text: &str) -> Option<Self> {
        let hang_up = Failure::new(OutboundError::HangUp);
        if text.starts_with("connection error received: ") {
            // GOAWAY ends only the streams that it does not count among those
            // acted upon; the others go on (RFC 9113 6.8).
            return Some(Failure { untouched: true, leaving: true, ..hang_up });
        }
        if let Some(reason) = text.strip_prefix("stream error received: ") {
            return Some(Failure { untouched: reason.starts_with(REFUSED), ..hang_up });
        }
        let found = ["stream error detected: ", "connection error detected: "];
        let reason = found.iter().find_map(|prefix| text.strip_prefix(prefix))?;
        let what = if reason.starts_with(PROTOCOL) { NOT_HTTP2_OR_LARGE } else { "HTTP/2 frames" };
        let foreign = reason.starts_with(FRAME_SIZE);
        Some(Failure { foreign, ..Failure::new(OutboundError::Parse(what)) })
    }
}

/// h2 has one reason for both.
pub(super) const NOT_HTTP2_OR_LARGE: &str = "HTTP/2 frames, or a head far beyond outbound_head_bytes_max";

// How h2 begins its words for the codes of RFC 9113 7.
const PROTOCOL: &str = "unspecific protocol error";

const REFUSED: &str = "refused stream";
const FRAME_SIZE: &str = "frame with invalid size";
