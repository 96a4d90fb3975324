//! What can go wrong with a request to another server: the errors that a guest
//! is told. The cases are those of `error-code` in `wit/types.wit`.

use thiserror::Error;

use crate::outbound::origin::OriginError;
use crate::outbound::policy::Refusal;
use crate::wire::error::MessageError;

/// Why a request was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutboundError {
    /// What can go wrong with any message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A target with a character that may not stand in one.
    #[error("the request target {0}")]
    UnescapedPath(String),
    /// A scheme other than `http` and `https`.
    #[error("{0}")]
    InvalidProtocol(String),
    /// The operator does not allow it.
    #[error("{}", .0.told)]
    Denied(Denial),
    /// A name without an address.
    #[error("{0}")]
    Dns(String),
    /// No connection.
    #[error("{0}")]
    Connect(String),
    /// No TLS on the connection.
    #[error("{0}")]
    Tls(String),
    /// No TLS, for the server's certificate is not accepted.
    #[error("{0}")]
    Certificate(String),
    /// Something took too long.
    #[error("{0} timeout")]
    Timeout(&'static str),
    /// The server closed the connection too early.
    #[error("the server hung up")]
    HangUp,
    /// The guest destroyed it.
    #[error("the guest ended the request")]
    Aborted,
    /// The server's bytes are not HTTP.
    #[error("the server's answer is not HTTP: {0}")]
    Parse(&'static str),
    /// A limit of the operator.
    #[error("limit {0} reached")]
    Limit(&'static str),
}

/// Why something is not allowed, for two readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What the guest is told.
    pub told: String,
    /// What the operator is told beside that, for it says what is inside.
    pub cause: String,
}

impl From<Refusal> for OutboundError {
    fn from(refusal: Refusal) -> Self {
        OutboundError::Denied(Denial { told: refusal.told(), cause: refusal.to_string() })
    }
}

impl From<OriginError> for OutboundError {
    fn from(error: OriginError) -> Self {
        match error {
            OriginError::Scheme(text) => OutboundError::InvalidProtocol(text),
            OriginError::Authority(text) => MessageError::InvalidArg(text).into(),
        }
    }
}
