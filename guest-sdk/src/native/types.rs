//! `innkeeper:http/types`: the handles that the SDK's types wrap.

mod incoming_message;
mod server_response;
mod socket;

use crate::{ErrorCode as Refused, Field};
pub use incoming_message::IncomingMessage;
pub use server_response::ServerResponse;
pub use socket::Socket;

/// What the bindings do with a handle. There is none, and nobody who calls
/// this, but they compile with it.
macro_rules! handles {
    () => {
        #[doc(hidden)]
        #[allow(unsafe_code, clippy::missing_safety_doc, reason = "the signature is that of the bindings")]
        pub unsafe fn from_handle(_handle: u32) -> Self {
            unreachable!("only a host has handles")
        }

        #[doc(hidden)]
        pub fn take_handle(&self) -> u32 {
            unreachable!("only a host has handles")
        }

        #[doc(hidden)]
        pub fn handle(&self) -> u32 {
            unreachable!("only a host has handles")
        }
    };
}
pub(super) use handles;

/// `joined-value`.
#[derive(Clone, Debug)]
pub enum JoinedValue {
    /// The only value, the first of several, or several joined.
    Single(Vec<u8>),
    /// `set-cookie`, which is never joined.
    Multiple(Vec<Vec<u8>>),
}

/// `length-mismatch`.
#[derive(Clone, Copy, Debug)]
pub struct LengthMismatch {
    pub declared: u64,
    pub actual: u64,
}

macro_rules! error_code {
    ($($plain:ident)*; $($text:ident)*) => {
        /// `error-code`.
        #[derive(Clone, Debug)]
        pub enum ErrorCode {
            $($plain,)*
            $($text(String),)*
            InvalidStatusCode(u16),
            ContentLengthMismatch(LengthMismatch),
        }

        impl From<Refused> for ErrorCode {
            fn from(code: Refused) -> Self {
                match code {
                    $(Refused::$plain => Self::$plain,)*
                    $(Refused::$text(text) => Self::$text(text),)*
                    Refused::InvalidStatusCode(status) => Self::InvalidStatusCode(status),
                    Refused::ContentLengthMismatch { declared, actual } => {
                        Self::ContentLengthMismatch(LengthMismatch { declared, actual })
                    }
                }
            }
        }
    };
}

error_code! {
    HeadersSent BodyNotAllowed WriteAfterEnd AlreadyFinished Destroyed ConnectionReset Aborted ServerClosing
    ServerNotRunning;
    InvalidHeaderName InvalidHeaderValue InvalidChar TrailerInvalid InvalidArg Timeout Parse LimitExceeded
    Denied UnescapedPath InvalidProtocol Dns Connect Tls
}

type Done<T = ()> = Result<T, ErrorCode>;

/// What a host gives at most with one `read`.
const READ_BYTES_MAX: usize = 64 * 1024;

/// How much `read` gives at most, of a guest's wish.
pub(super) fn read_size(max: u32) -> Done<usize> {
    match max {
        0 => Err(ErrorCode::InvalidArg("read of at most 0 bytes; ask for at least 1".to_owned())),
        max => Ok((max as usize).min(READ_BYTES_MAX)),
    }
}

pub(super) fn lines(fields: &[(&str, &[u8])]) -> Vec<Field> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect()
}
