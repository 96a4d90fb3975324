//! What `#[handler]` expands to calls this: the way from the component's
//! export into the author's function, and from its error into the log.

use std::error::Error as StdError;
use std::io::{self, Write};

use crate::error::Chain;
use crate::{IncomingMessage, ServerResponse};

pub use crate::bindings;
pub use crate::bindings::exports::innkeeper::http::handler::Guest;

pub fn incoming_message(message: bindings::innkeeper::http::types::IncomingMessage) -> IncomingMessage {
    message.into()
}

pub fn server_response(response: bindings::innkeeper::http::types::ServerResponse) -> ServerResponse {
    response.into()
}

/// Logs a failure as one line. The response was dropped with the handler: if
/// it was not ended, the host answers with a 500 or cuts the connection.
pub fn conclude(outcome: impl Outcome) {
    if let Some(error) = outcome.failure() {
        // A log that cannot be written is no reason to trap.
        let _ = writeln!(io::stderr(), "handler failed: {}", Chain(&*error));
    }
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
