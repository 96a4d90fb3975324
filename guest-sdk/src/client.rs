//! Requests to other servers (Node: `http.request`, `https.request` and
//! `http.Agent`).
//!
//! The operator says where they may go, with `--outbound ORIGIN`; without that
//! every request is [`ErrorCode::Denied`].
//!
//! ```no_run
//! use innkeeper_guest::{IncomingMessage, Result, ServerResponse, client, handler};
//!
//! #[handler]
//! fn price(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     let answer = client::get("http://prices.internal:8080/gold")?;
//!     let price = answer.read_all(1024)?;
//!     Ok(res.end(price)?)
//! }
//! # fn main() {}
//! ```
//!
//! # How much to say
//!
//! [`get`] sends and waits for the response. [`request`] takes a method, and
//! headers and other options before [`send`](Request::send); and with
//! [`start`](Request::start) it gives a [`ClientRequest`], of which nothing was
//! sent yet, and which has everything that Node's has. A response is an
//! [`IncomingMessage`] like the requests that the handler gets. Redirects are
//! responses: nothing follows them by itself.
//!
//! # Several at once
//!
//! A request that was begun goes on whenever the guest waits, for whatever it
//! waits. So those that are to run at once are begun first, and waited for
//! after that, one after the other:
//!
//! ```no_run
//! # use innkeeper_guest::{Result, client};
//! # fn example() -> Result<()> {
//! let prices = client::request("GET", "http://prices.internal/").start()?;
//! let stocks = client::request("GET", "http://stocks.internal/").start()?;
//! prices.end_empty()?;
//! stocks.end_empty()?;
//! let (prices, stocks) = (prices.response()?, stocks.response()?);
//! # Ok(())
//! # }
//! ```
//!
//! [`as_completed`] gives the responses in the order in which they come. For
//! anything else that is to be waited for at the same time, such as a timer,
//! there is [`poll`](crate::poll()) with [`ClientRequest::subscribe`].
//!
//! # Connections
//!
//! They are kept for the next request to the same server, by the host, so that
//! a later instance of the app finds them too. [`Agent`] says how many.

mod agent;
mod as_completed;
mod client_request;
mod relay;
mod request;
pub(crate) mod url;

pub use agent::{Agent, AgentOptions, OriginStats, Scheduling};
pub use as_completed::{AsCompleted, as_completed};
pub use client_request::{ClientRequest, Information, Tunnel};
pub use request::{Protocol, Request};

use crate::{ErrorCode, IncomingMessage};

/// Sends a GET and waits for the response (Node: `http.get`).
///
/// # Errors
/// Those of [`Request::start`] and [`ClientRequest::response`].
pub fn get(url: &str) -> Result<IncomingMessage, ErrorCode> {
    request("GET", url).send_empty()
}

/// A request to be made, of a method and a URL: `http` or `https`, a host,
/// perhaps a port, a path and a query. A user and a password in it become
/// `Authorization: Basic`; a fragment is left out. The path is sent as it is,
/// so that what may not stand in one is to be percent-encoded before
/// (Node: `http.request(url, options)`).
///
/// ```no_run
/// # use std::time::Duration;
/// # use innkeeper_guest::{Result, client};
/// # fn example() -> Result<()> {
/// let response = client::request("POST", "https://api.example.com/notes?draft=1")
///     .header("Content-Type", "application/json")
///     .timeout(Duration::from_secs(5))
///     .send(r#"{"text": "hello"}"#)?;
/// assert_eq!(response.status_code(), Some(201));
/// # Ok(())
/// # }
/// ```
pub fn request<'a>(method: &str, url: &str) -> Request<'a> {
    Request::new(method, url)
}
