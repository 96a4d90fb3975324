//! What can go wrong with a message: the errors a guest is told, and the
//! faults of a client that the host answers by itself.

use thiserror::Error;

/// Why an operation on a request or a response was refused or failed. The
/// cases and their Node counterparts are those of `error-code` in
/// `wit/types.wit`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// The head is fixed.
    #[error("the head is already fixed")]
    HeadersSent,
    /// A status that cannot be sent.
    #[error("status {0} cannot be sent")]
    InvalidStatusCode(u16),
    /// A field name that is no token.
    #[error("{0} is no field name")]
    InvalidHeaderName(String),
    /// A value that this field cannot have.
    #[error("{0}")]
    InvalidHeaderValue(String),
    /// A control character.
    #[error("control character in {0}")]
    InvalidChar(String),
    /// Trailers that cannot be.
    #[error("{0}")]
    TrailerInvalid(String),
    /// The body is not as long as declared.
    #[error("the declared length is {declared} bytes, the body has {actual}")]
    ContentLengthMismatch {
        /// `Content-Length`.
        declared: u64,
        /// Bytes of body.
        actual: u64,
    },
    /// This response has no body.
    #[error("this response has no body")]
    BodyNotAllowed,
    /// `write` after `end`.
    #[error("write after end")]
    WriteAfterEnd,
    /// `end` after `end`.
    #[error("the response was already ended")]
    AlreadyFinished,
    /// Destroyed by the guest, or over.
    #[error("the message was destroyed")]
    Destroyed,
    /// A senseless argument.
    #[error("{0}")]
    InvalidArg(String),
    /// The peer went away.
    #[error("the peer closed the connection")]
    ConnectionReset,
    /// Something took too long.
    #[error("{0} timeout")]
    Timeout(&'static str),
    /// The peer's bytes are not HTTP.
    #[error("{0}")]
    Parse(&'static str),
    /// A limit of the operator.
    #[error("limit {0} reached")]
    LimitExceeded(&'static str),
    /// Not the guest's to do.
    #[error("{0}")]
    Denied(&'static str),
    /// The server is closing; there is time to finish.
    #[error("the server is closing")]
    ServerClosing,
    /// The server was closed already.
    #[error("the server is closing already")]
    ServerNotRunning,
}

/// The peer takes nothing for `write_stall_timeout`.
pub const WRITE_STALL: MessageError = MessageError::Timeout("write stall");

/// A request that the host answers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ClientFault {
    /// Not HTTP/1.x, or readable in two ways: 400.
    #[error("bad request: {0}")]
    Malformed(&'static str),
    /// The target alone exceeds `head_bytes_max`: 414.
    #[error("request target over head_bytes_max")]
    TargetTooLong,
    /// Target, names and values exceed `head_bytes_max`: 431.
    #[error("request head over head_bytes_max")]
    HeadTooLarge,
    /// More lines than `header_count_max`: 431.
    #[error("more headers than header_count_max")]
    TooManyHeaders,
    /// The body exceeds `request_body_bytes_max`: 413.
    #[error("request body over request_body_bytes_max")]
    BodyTooLarge,
    /// An expectation other than `100-continue`: 417.
    #[error("expectation that cannot be met")]
    Expectation,
    /// A transfer coding other than `chunked`: 501.
    #[error("transfer coding that is not understood")]
    TransferCoding,
    /// A version other than 1.0 and 1.1: 505.
    #[error("HTTP version that is not spoken")]
    Version,
    /// The head did not come in time: 408.
    #[error("head timeout")]
    HeadTimeout,
    /// The body did not come in time: 408.
    #[error("request timeout")]
    RequestTimeout,
}

impl ClientFault {
    /// The status that tells the client.
    pub fn status(self) -> u16 {
        match self {
            ClientFault::Malformed(_) => 400,
            ClientFault::TargetTooLong => 414,
            ClientFault::HeadTooLarge | ClientFault::TooManyHeaders => 431,
            ClientFault::BodyTooLarge => 413,
            ClientFault::Expectation => 417,
            ClientFault::TransferCoding => 501,
            ClientFault::Version => 505,
            ClientFault::HeadTimeout | ClientFault::RequestTimeout => 408,
        }
    }

    /// Whether the connection closes after the answer: it does unless what
    /// follows the request is as clear as the request.
    pub fn closes(self) -> bool {
        self != ClientFault::Expectation
    }

    /// What a guest is told of it.
    pub fn for_guest(self) -> MessageError {
        match self {
            ClientFault::Malformed(what) => MessageError::Parse(what),
            ClientFault::BodyTooLarge => MessageError::LimitExceeded("request_body_bytes_max"),
            ClientFault::HeadTooLarge => MessageError::LimitExceeded("head_bytes_max"),
            ClientFault::TooManyHeaders => MessageError::LimitExceeded("header_count_max"),
            ClientFault::RequestTimeout => MessageError::Timeout("request"),
            ClientFault::HeadTimeout => MessageError::Timeout("head"),
            ClientFault::TargetTooLong => MessageError::LimitExceeded("head_bytes_max"),
            ClientFault::TransferCoding => MessageError::Parse("transfer coding that is not understood"),
            ClientFault::Version => MessageError::Parse("HTTP version that is not spoken"),
            ClientFault::Expectation => MessageError::Parse("expectation that cannot be met"),
        }
    }
}
