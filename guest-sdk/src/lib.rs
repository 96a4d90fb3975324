//! Write HTTP handlers for Innkeeper in Rust: the request and the response
//! are those of Node's `http` module, and the handler is one function.
//!
//! A whole guest is `Cargo.toml`
//!
//! ```toml
//! [package]
//! name = "hello"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! innkeeper-guest = "0.1"
//! ```
//!
//! and `src/lib.rs`:
//!
//! ```
//! use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
//!
//! #[handler]
//! fn hello(req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     res.set_header("Content-Type", "text/plain")?;
//!     res.end(format!("Hello from {}\n", req.url()))?;
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! Build it, and serve it:
//!
//! ```sh
//! rustup target add wasm32-wasip2
//! cargo build --target wasm32-wasip2 --release
//! innkeeper serve target/wasm32-wasip2/release/hello.wasm
//! ```
//!
//! # What to know
//!
//! - **Everything blocks, and nothing else waits for it.** Reading, writing
//!   and [`std::thread::sleep`] suspend this one request. To wait for the
//!   first of several things there are [`poll`] and [`timer`].
//! - **The handler ends the response**, with [`end`](ServerResponse::end) or
//!   [`end_empty`](ServerResponse::end_empty). If it returns without that,
//!   with an error, or traps, the client gets a 500, or a cut connection if
//!   the head is gone already.
//! - **What was written leaves when the handler waits**, ends the response,
//!   flushes the head or fills the buffer; not with every write.
//! - **Errors are for `?`.** The host refuses what cannot be sent with an
//!   [`ErrorCode`]; it never traps for it. What the handler returns as `Err`
//!   is one line in the log and is never shown to the client.
//! - **Header values are bytes**, as in HTTP. Where text is meant there is
//!   [`header_str`](IncomingMessage::header_str), and whatever is sent may be
//!   text.
//! - **The sandbox has** standard output and error (the log), the environment
//!   that the operator sets, clocks and random numbers; files and sockets only
//!   where the operator grants them.
//!
//! On other targets than `wasm32-wasip2` the crate compiles, so that `cargo
//! check` and unit tests of what a handler calls work; but there is no host
//! there, and every call to one panics.

#[doc(hidden)]
pub mod bindings;
mod error;
mod error_code;
#[doc(hidden)]
#[allow(missing_docs, reason = "called by what `#[handler]` expands to, not by authors")]
pub mod glue;
mod header;
mod incoming_message;
mod poll;
mod server_response;
mod socket;

pub use error::{Error, Result};
pub use error_code::ErrorCode;
#[doc(inline)]
pub use header::JoinedValue;
pub use header::{Field, Fields, HeaderValue, HeaderValues};
pub use incoming_message::IncomingMessage;
#[doc(inline)]
pub use poll::{Pollable, poll, timer};
pub use server_response::ServerResponse;
pub use socket::Socket;

/// Makes a function the answer to every request (Node: the 'request' event).
///
/// The function takes the request and the response, and returns
/// [`Result<()>`](Result) or any `Result<(), E>` whose `E` converts into
/// `Box<dyn Error + Send + Sync>`. Its name does not matter. A component has
/// one handler.
///
/// An `Err` goes to the log as one line, `handler failed: …` with all causes.
/// If the response was not ended by then, the client gets a 500, or a cut
/// connection if the head was sent already.
///
/// ```
/// use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
///
/// #[handler]
/// fn greet(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
///     res.end("Hello\n")?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
#[doc(inline)]
pub use innkeeper_guest_macro::handler;

/// The handler in the project's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
