//! [`ErrorCode`]: why the host refused a call. The cases are those of
//! `error-code` in `wit/types.wit`; this adds texts, the standard error traits
//! and the way into [`io::Error`].

use std::{error, fmt, io};

use crate::host::types::ErrorCode as Wire;

/// Why a call was refused or could not be finished.
///
/// None of these traps, and none leaves bytes half written: after an error the
/// message is as it was before the call. The text, where a case has one, names
/// the thing and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The head is fixed and can no longer be changed
    /// (Node: `ERR_HTTP_HEADERS_SENT`).
    HeadersSent,
    /// A final status outside 200 to 999, or an interim status that is not one
    /// (Node: `ERR_HTTP_INVALID_STATUS_CODE`).
    InvalidStatusCode(u16),
    /// A field name that is no token of RFC 9110 5.6.2
    /// (Node: `ERR_INVALID_HTTP_TOKEN`).
    InvalidHeaderName(String),
    /// A field value that this field cannot have
    /// (Node: `ERR_HTTP_INVALID_HEADER_VALUE`).
    InvalidHeaderValue(String),
    /// A control character, such as CR or LF, in a field value or a reason
    /// phrase (Node: `ERR_INVALID_CHAR`).
    InvalidChar(String),
    /// Trailers where there can be none, or a field that may not be a trailer
    /// (Node: `ERR_HTTP_TRAILER_INVALID`).
    TrailerInvalid(String),
    /// The body is not as long as `Content-Length` said
    /// (Node: `ERR_HTTP_CONTENT_LENGTH_MISMATCH`).
    ContentLengthMismatch {
        /// What `Content-Length` said, in bytes.
        declared: u64,
        /// What the body came to, in bytes.
        actual: u64,
    },
    /// This response has no body, and the operator asked for strictness
    /// (Node: `ERR_HTTP_BODY_NOT_ALLOWED`).
    BodyNotAllowed,
    /// A piece of body after `end` (Node: `ERR_STREAM_WRITE_AFTER_END`).
    WriteAfterEnd,
    /// `end` after `end` (Node: `ERR_STREAM_ALREADY_FINISHED`).
    AlreadyFinished,
    /// The message or its connection was destroyed
    /// (Node: `ERR_STREAM_DESTROYED`).
    Destroyed,
    /// An argument that means nothing here (Node: `ERR_INVALID_ARG_VALUE`).
    InvalidArg(String),
    /// The peer went away (Node: `ECONNRESET`).
    ConnectionReset,
    /// Something took longer than it may; the text says which timeout.
    Timeout(String),
    /// The peer's bytes are not HTTP; the text says where
    /// (Node: the `HPE_…` codes).
    Parse(String),
    /// A limit of the operator was reached; the text names it.
    LimitExceeded(String),
    /// The operator has not granted this, or it is not this guest's to do.
    Denied(String),
    /// A request target with a character that may not stand in one
    /// (Node: `ERR_UNESCAPED_CHARACTERS`).
    UnescapedPath(String),
    /// A scheme other than `http` and `https` (Node: `ERR_INVALID_PROTOCOL`).
    InvalidProtocol(String),
    /// A name that has no address; the text says which (Node: `ENOTFOUND`).
    Dns(String),
    /// No connection to the server; the text says why
    /// (Node: `ECONNREFUSED` and its like).
    Connect(String),
    /// The TLS handshake failed; the text says why.
    Tls(String),
    /// The guest itself destroyed the request (Node: `ECONNRESET` after
    /// `request.destroy`).
    Aborted,
    /// The server is closing: what is under way may still finish, and nothing
    /// new is taken. Told once to whoever reads from a tunnel.
    ServerClosing,
    /// The server was closed already (Node: `ERR_SERVER_NOT_RUNNING`).
    ServerNotRunning,
}

impl ErrorCode {
    /// The name of the case as the contract spells it, such as
    /// `headers-sent`: for logs, metrics and comparisons across languages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HeadersSent => "headers-sent",
            Self::InvalidStatusCode(_) => "invalid-status-code",
            Self::InvalidHeaderName(_) => "invalid-header-name",
            Self::InvalidHeaderValue(_) => "invalid-header-value",
            Self::InvalidChar(_) => "invalid-char",
            Self::TrailerInvalid(_) => "trailer-invalid",
            Self::ContentLengthMismatch { .. } => "content-length-mismatch",
            Self::BodyNotAllowed => "body-not-allowed",
            Self::WriteAfterEnd => "write-after-end",
            Self::AlreadyFinished => "already-finished",
            Self::Destroyed => "destroyed",
            Self::InvalidArg(_) => "invalid-arg",
            Self::ConnectionReset => "connection-reset",
            Self::Timeout(_) => "timeout",
            Self::Parse(_) => "parse",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::Denied(_) => "denied",
            Self::UnescapedPath(_) => "unescaped-path",
            Self::InvalidProtocol(_) => "invalid-protocol",
            Self::Dns(_) => "dns",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Aborted => "aborted",
            Self::ServerClosing => "server-closing",
            Self::ServerNotRunning => "server-not-running",
        }
    }

    /// The code inside an [`io::Error`] that came from a call to the host, such
    /// as those of [`io::Read`] and [`io::Write`] on a
    /// [`Socket`](crate::Socket); `None` if it came from elsewhere.
    ///
    /// ```
    /// use innkeeper_guest::ErrorCode;
    ///
    /// let error = std::io::Error::from(ErrorCode::ServerClosing);
    /// assert_eq!(ErrorCode::of(&error), Some(&ErrorCode::ServerClosing));
    /// ```
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The nearest [`io::ErrorKind`].
    fn kind(&self) -> io::ErrorKind {
        match self {
            Self::InvalidStatusCode(_)
            | Self::InvalidHeaderName(_)
            | Self::InvalidHeaderValue(_)
            | Self::InvalidChar(_)
            | Self::TrailerInvalid(_)
            | Self::ContentLengthMismatch { .. }
            | Self::BodyNotAllowed
            | Self::InvalidArg(_)
            | Self::UnescapedPath(_)
            | Self::InvalidProtocol(_) => io::ErrorKind::InvalidInput,
            Self::WriteAfterEnd | Self::AlreadyFinished | Self::Destroyed => io::ErrorKind::BrokenPipe,
            Self::ConnectionReset => io::ErrorKind::ConnectionReset,
            Self::Aborted => io::ErrorKind::ConnectionAborted,
            Self::Dns(_) => io::ErrorKind::NotFound,
            // Refused is the usual one of several, and what callers look for.
            Self::Connect(_) | Self::Tls(_) => io::ErrorKind::ConnectionRefused,
            Self::Timeout(_) => io::ErrorKind::TimedOut,
            Self::Parse(_) => io::ErrorKind::InvalidData,
            Self::LimitExceeded(_) => io::ErrorKind::QuotaExceeded,
            Self::Denied(_) => io::ErrorKind::PermissionDenied,
            // What `ServerClosing` says must reach the reader: `Interrupted` and
            // `WouldBlock` are swallowed by those who try again.
            Self::HeadersSent | Self::ServerClosing | Self::ServerNotRunning => io::ErrorKind::Other,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadersSent => f.write_str("the head is already fixed"),
            Self::InvalidStatusCode(status) => write!(f, "invalid status code {status}"),
            Self::InvalidHeaderName(text) => write!(f, "invalid header name: {text}"),
            Self::InvalidHeaderValue(text) => write!(f, "invalid header value: {text}"),
            Self::InvalidChar(text) => write!(f, "invalid character: {text}"),
            Self::TrailerInvalid(text) => write!(f, "invalid trailer: {text}"),
            Self::ContentLengthMismatch { declared, actual } => {
                write!(f, "the body has {actual} bytes where content-length said {declared}")
            }
            Self::BodyNotAllowed => f.write_str("this response can have no body"),
            Self::WriteAfterEnd => f.write_str("write after the end"),
            Self::AlreadyFinished => f.write_str("it was ended already"),
            Self::Destroyed => f.write_str("the connection was destroyed"),
            Self::InvalidArg(text) => write!(f, "invalid argument: {text}"),
            Self::ConnectionReset => f.write_str("the peer went away"),
            Self::Timeout(text) => write!(f, "timed out: {text}"),
            Self::Parse(text) => write!(f, "the peer sent what is not HTTP: {text}"),
            Self::LimitExceeded(text) => write!(f, "limit exceeded: {text}"),
            Self::Denied(text) => write!(f, "not granted: {text}"),
            Self::UnescapedPath(text) => write!(f, "not a request target: {text}"),
            Self::InvalidProtocol(text) => write!(f, "not a scheme of HTTP: {text}"),
            Self::Dns(text) => write!(f, "no such host: {text}"),
            Self::Connect(text) => write!(f, "no connection: {text}"),
            Self::Tls(text) => write!(f, "no TLS: {text}"),
            Self::Aborted => f.write_str("the request was destroyed"),
            Self::ServerClosing => f.write_str("the server is closing"),
            Self::ServerNotRunning => f.write_str("the server was closed already"),
        }
    }
}

impl error::Error for ErrorCode {}

/// So that `?` works in code that speaks [`io::Result`]; the code itself stays
/// inside, for [`ErrorCode::of`].
impl From<ErrorCode> for io::Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code.kind(), code)
    }
}

#[doc(hidden)]
impl From<Wire> for ErrorCode {
    fn from(code: Wire) -> Self {
        match code {
            Wire::HeadersSent => Self::HeadersSent,
            Wire::InvalidStatusCode(status) => Self::InvalidStatusCode(status),
            Wire::InvalidHeaderName(text) => Self::InvalidHeaderName(text),
            Wire::InvalidHeaderValue(text) => Self::InvalidHeaderValue(text),
            Wire::InvalidChar(text) => Self::InvalidChar(text),
            Wire::TrailerInvalid(text) => Self::TrailerInvalid(text),
            Wire::ContentLengthMismatch(length) => {
                Self::ContentLengthMismatch { declared: length.declared, actual: length.actual }
            }
            Wire::BodyNotAllowed => Self::BodyNotAllowed,
            Wire::WriteAfterEnd => Self::WriteAfterEnd,
            Wire::AlreadyFinished => Self::AlreadyFinished,
            Wire::Destroyed => Self::Destroyed,
            Wire::InvalidArg(text) => Self::InvalidArg(text),
            Wire::ConnectionReset => Self::ConnectionReset,
            Wire::Timeout(text) => Self::Timeout(text),
            Wire::Parse(text) => Self::Parse(text),
            Wire::LimitExceeded(text) => Self::LimitExceeded(text),
            Wire::Denied(text) => Self::Denied(text),
            Wire::UnescapedPath(text) => Self::UnescapedPath(text),
            Wire::InvalidProtocol(text) => Self::InvalidProtocol(text),
            Wire::Dns(text) => Self::Dns(text),
            Wire::Connect(text) => Self::Connect(text),
            Wire::Tls(text) => Self::Tls(text),
            Wire::Aborted => Self::Aborted,
            Wire::ServerClosing => Self::ServerClosing,
            Wire::ServerNotRunning => Self::ServerNotRunning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_the_way_through_io_error() {
        let error = io::Error::from(ErrorCode::ConnectionReset);
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(error.to_string(), "the peer went away");
        let code: ErrorCode = error.downcast().expect("the code is inside");
        assert_eq!(code.code(), "connection-reset");
    }

    #[test]
    fn nobody_tries_again_instead_of_telling_that_the_server_closes() {
        let kind = io::Error::from(ErrorCode::ServerClosing).kind();
        assert_ne!(kind, io::ErrorKind::Interrupted);
        assert_ne!(kind, io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_mismatch_names_both_lengths() {
        let code = ErrorCode::ContentLengthMismatch { declared: 3, actual: 5 };
        assert_eq!(code.to_string(), "the body has 5 bytes where content-length said 3");
    }
}
