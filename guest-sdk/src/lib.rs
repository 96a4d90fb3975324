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
//! - **Only what is exported is asked.** Beside [`handler`] there are an
//!   attribute for each thing that a server may do itself:
//!   [`upgrade_handler`], [`connect_handler`], [`check_continue_handler`],
//!   [`check_expectation_handler`], [`client_error_handler`]. Without one the
//!   host does what Node does without a listener.
//! - **What is kept** from one request to the next is in buckets of keys and
//!   values (`keyvalue`, with the feature of that name), where the operator
//!   grants one.
//! - **The sandbox has** standard output and error (the log), the environment
//!   that the operator sets, clocks and random numbers; files and sockets only
//!   where the operator grants them. So it is with the guest's own listening
//!   side ([`server`]), with requests to other servers ([`client`]) and with
//!   connections to them ([`net`]).
//!
//! # Features
//!
//! All are off by default, so that a component has nothing that it does not
//! use.
//!
//! | feature | what it adds |
//! |---|---|
//! | `config` | what the operator has configured for the app |
//! | `cookies` | `req.cookies()`, `res.set_cookie(…)` and `res.remove_cookie(…)`, with defaults that are safe |
//! | `http` | requests and responses as types of the crate `http`: `req.into_http()`, `res.send(…)` |
//! | `json` | `req.json::<T>(limit)` and `res.json(&value)`, and the answer to a body that is no such thing |
//! | `keyvalue` | buckets of keys and values |
//! | `log` | the crate `log` writes into the app's log, with levels: those that `RUST_LOG` names and above, or else `info`; a guest may change that with `log::set_max_level`, or have a logger of its own |
//! | `static-files` | a directory inside the component, with ETags, conditions and ranges |
//!
//! # Tests
//!
//! `cargo test` calls a handler without a host: see `testing`, which is there on
//! every target but WebAssembly.

#[doc(hidden)]
pub mod bindings;
pub mod client;
mod client_error;
#[cfg(feature = "config")]
pub mod config;
#[cfg(feature = "cookies")]
pub mod cookies;
mod error;
mod error_code;
#[doc(hidden)]
#[allow(missing_docs, reason = "called by what the attributes expand to, not by authors")]
pub mod glue;
mod header;
mod incoming_message;
mod host;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "keyvalue")]
pub mod keyvalue;
#[cfg(all(feature = "log", target_family = "wasm"))]
mod logging;
#[cfg(not(target_family = "wasm"))]
#[allow(missing_docs, reason = "the shape of the bindings, where their documentation is")]
#[doc(hidden)]
pub mod native;
pub mod net;
mod next;
mod poll;
pub mod server;
mod server_response;
mod socket;
#[cfg(feature = "static-files")]
pub mod static_files;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use client_error::ClientError;
pub use error::{Error, Result};
pub use error_code::ErrorCode;
#[doc(inline)]
pub use header::JoinedValue;
pub use header::{Field, Fields, HeaderValue, HeaderValues};
pub use incoming_message::IncomingMessage;
#[doc(inline)]
pub use next::next;
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

/// Makes a function take connections over whose client asks for another
/// protocol (Node: the 'upgrade' event).
///
/// A request is such a one if it is HTTP/1.1 and has both `Upgrade` and
/// `Connection: upgrade` (RFC 9110 7.8). Without this export it is an ordinary
/// request.
///
/// The function writes the answer itself, usually a
/// `101 Switching Protocols`, and then speaks its protocol. `head` is what the
/// client sent after the request head; it is empty if the request has a body,
/// which is read from `req` and comes before anything on `socket`. The
/// connection closes when the function returns, after what was written has
/// been sent. If it returns or traps before it wrote anything, the client gets
/// a 500; after that, an `Err` or a trap resets the connection, so that the
/// client does not take its end for a regular one. What it returns is otherwise
/// as with [`handler`].
///
/// ```
/// use innkeeper_guest::{IncomingMessage, Result, Socket, upgrade_handler};
///
/// #[upgrade_handler(should_upgrade = speaks_echo)]
/// fn echo(_req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
///     socket.write("HTTP/1.1 101 Switching Protocols\r\n\
///                   Upgrade: echo\r\nConnection: upgrade\r\n\r\n")?;
///     socket.write(head)?;
///     while let Some(piece) = socket.read_piece(64 * 1024)? {
///         socket.write(piece)?;
///     }
///     Ok(())
/// }
///
/// fn speaks_echo(req: &IncomingMessage) -> bool {
///     req.header_str("upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("echo"))
/// }
/// # fn main() {}
/// ```
///
/// `should_upgrade` names a `fn(&IncomingMessage) -> bool`; if it returns
/// false, the request goes to the [`handler`] (Node: `shouldUpgradeCallback`).
/// It runs in an instance of its own. Without it every connection is taken
/// over.
#[doc(inline)]
pub use innkeeper_guest_macro::upgrade_handler;

/// Makes a function the answer to CONNECT (Node: the 'connect' event).
///
/// `req.url()` is the authority, `host:port`. The function writes the answer
/// itself, usually `200 Connection Established`. All else is as with
/// [`upgrade_handler`]; a CONNECT request has no body. Without this export the
/// connection is closed without a word.
///
/// [`net::relay`] has an example.
#[doc(inline)]
pub use innkeeper_guest_macro::connect_handler;

/// Makes a function the answer to requests with `Expect: 100-continue`, in
/// place of the [`handler`] (Node: the 'checkContinue' event).
///
/// The function calls [`write_continue`](ServerResponse::write_continue) if it
/// wants the body. An answer without that is the last one of its connection,
/// for the client may or may not send the body. Without this export the host
/// sends `100 Continue`, and the request is an ordinary one.
///
/// ```
/// use innkeeper_guest::{IncomingMessage, Result, ServerResponse, check_continue_handler};
///
/// #[check_continue_handler]
/// fn gate(req: IncomingMessage, res: ServerResponse) -> Result<()> {
///     if req.header("authorization").is_none() {
///         res.set_status_code(401);
///         return Ok(res.end("who are you?\n")?);
///     }
///     res.write_continue()?;
///     let body = req.read_all(1024 * 1024)?;
///     Ok(res.end(format!("{} bytes\n", body.len()))?)
/// }
/// # fn main() {}
/// ```
#[doc(inline)]
pub use innkeeper_guest_macro::check_continue_handler;

/// Makes a function the answer to requests with any other `Expect` than
/// `100-continue`, in place of the [`handler`]
/// (Node: the 'checkExpectation' event). Without this export the host answers
/// 417.
#[doc(inline)]
pub use innkeeper_guest_macro::check_expectation_handler;

/// Makes a function word the answer to a client that did not send a good
/// request, or not in time (Node: the 'clientError' event).
///
/// It takes a [`ClientError`] and returns the bytes to send, status line and
/// all, or `None` for the host's own answer: an `Option<Vec<u8>>`, an
/// `Option<String>` or an `Option` of whatever else converts into bytes. The
/// host closes the connection after either. Without this export it answers
/// 400, 408, 413, 414, 431, 501 or 505 in its own words.
///
/// ```
/// use innkeeper_guest::{ClientError, client_error_handler};
///
/// #[client_error_handler]
/// fn complain(error: ClientError) -> Option<String> {
///     let ClientError { status, reason, .. } = error;
///     let length = reason.len();
///     Some(format!(
///         "HTTP/1.1 {status} Sorry\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{reason}"
///     ))
/// }
/// # fn main() {}
/// ```
#[doc(inline)]
pub use innkeeper_guest_macro::client_error_handler;

/// The handler in the project's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The snippets of `docs/client.md`, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")]
struct ClientGuide;
