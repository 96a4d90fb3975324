//! What the attributes expand to calls this: the way from the component's
//! export into the author's function, and from what it returns to the host.

use std::error::Error as StdError;
use std::io::{self, Write};

use crate::error::Chain;
use crate::{ClientError, IncomingMessage, ServerResponse, Socket};

pub use crate::bindings;

/// The types of the bindings, under one name each.
pub mod wire {
    pub use crate::bindings::client_error::exports::innkeeper::http::client_error_handler::ClientError;
    pub use crate::host::types::{IncomingMessage, ServerResponse, Socket};

    pub type Head = Vec<u8>;
    pub type Verdict = Result<(), ()>;
    pub type Reply = Option<Vec<u8>>;
}

pub fn incoming_message(message: wire::IncomingMessage) -> IncomingMessage {
    begin();
    message.into()
}

pub fn borrowed_message(message: &wire::IncomingMessage) -> &IncomingMessage {
    begin();
    IncomingMessage::borrowed(message)
}

pub fn server_response(response: wire::ServerResponse) -> ServerResponse {
    response.into()
}

pub fn socket(socket: wire::Socket) -> Socket {
    Socket(socket)
}

pub fn head(head: wire::Head) -> Vec<u8> {
    head
}

pub fn client_error(error: wire::ClientError) -> ClientError {
    begin();
    error.into()
}

/// What there is to do before any code of the author's.
fn begin() {
    #[cfg(all(feature = "log", target_family = "wasm"))]
    crate::logging::begin();
}

/// Logs a failure as one line. The response was dropped with the handler: the
/// host does what is left to do.
pub fn conclude(outcome: impl Outcome) {
    // The host sees what was not ended.
    let _ = verdict(outcome);
}

/// Logs a failure as one line, and tells the host that there was one: the
/// bytes of a tunnel do not say whether they are all.
#[allow(clippy::result_unit_err, reason = "the contract's own type")]
pub fn verdict(outcome: impl Outcome) -> wire::Verdict {
    let Some(error) = outcome.failure() else { return Ok(()) };
    // A log that cannot be written is no reason to trap.
    let _ = writeln!(io::stderr(), "handler failed: {}", Chain(&*error));
    Err(())
}

/// The bytes that a client-error handler answers with.
pub fn reply(reply: impl Reply) -> wire::Reply {
    reply.bytes()
}

/// What a handler may return.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "return `innkeeper_guest::Result<()>`",
    note = "any `Result<(), E>` will do where `E` converts into `Box<dyn std::error::Error + Send + Sync>`"
)]
pub trait Outcome {
    fn failure(self) -> Option<Box<dyn StdError + Send + Sync>>;
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> Outcome for Result<(), E> {
    fn failure(self) -> Option<Box<dyn StdError + Send + Sync>> {
        self.err().map(Into::into)
    }
}

/// What a client-error handler may return.
#[diagnostic::on_unimplemented(
    message = "a client-error handler cannot return `{Self}`",
    label = "return `Option<Vec<u8>>`",
    note = "`Option<String>` and whatever else converts into `Vec<u8>` will do"
)]
pub trait Reply {
    fn bytes(self) -> Option<Vec<u8>>;
}

impl<B: Into<Vec<u8>>> Reply for Option<B> {
    fn bytes(self) -> Option<Vec<u8>> {
        self.map(Into::into)
    }
}
