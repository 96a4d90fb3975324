//! Handlers called by `cargo test`: no host, no socket, no WebAssembly.
//!
//! ```
//! use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler, testing};
//!
//! #[handler]
//! fn shout(req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     let body = req.read_all(1024)?;
//!     res.set_header("Content-Type", "text/plain")?;
//!     Ok(res.end(body.to_ascii_uppercase())?)
//! }
//!
//! let answer = testing::request("POST", "/").body("hello").send(shout);
//! assert_eq!(answer.status(), 200);
//! assert_eq!(answer.header("content-type"), Some("text/plain"));
//! assert_eq!(answer.text(), "HELLO");
//! ```
//!
//! A function with an attribute is still a function, and a test hands it over
//! by its name. The library of a handler is a `cdylib`; `cargo test` builds it
//! for the machine that it runs on, with nothing to set up:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//! ```
//!
//! # What is the same
//!
//! The request and the response have the semantics of the contract: how
//! headers are joined, which calls are refused and with which
//! [`ErrorCode`](crate::ErrorCode), how the body is framed, what the client gets
//! of a handler that fails or does not end its response.
//!
//! # What is not
//!
//! - There is no time, but in [`poll`](crate::poll()) and
//!   [`timer`](crate::timer): a client takes everything at once, no timeout
//!   passes, and nothing is ever in the way. Of the limits only those of a head
//!   hold, at their defaults.
//! - `Date` is left out of [`Answer::headers`], and an id of the request.
//! - The servers that a handler calls are functions of the test
//!   ([`Request::upstream`]) and answer whole requests. They neither upgrade
//!   nor are proxies, and send no interim responses.
//! - Buckets are in memory (`bucket`, with the feature `keyvalue`), without
//!   limits and quotas; records of the crate `log` go to the logger of the
//!   test, if it has one.
//! - [`server`](crate::server) is not granted, and [`net`](crate::net) is not
//!   there: calling it panics.
//! - A panic is a failed test. In a component it is a trap: the client gets a
//!   500 or a cut connection, and the memory is gone.
//! - The environment, the clocks and files are those of the test. Handlers run
//!   in one process with each other, so that a `static` outlives a request, as
//!   it does with `--instances pooled` and otherwise does not.

mod request;
mod answer;
mod upstream;

pub use answer::{Answer, Interim, Tunnelled};
pub use request::Request;
pub use upstream::{Call, Reply};

/// A request to be made, of any method and target.
///
/// # Panics
/// If the method is no token.
pub fn request(method: &str, url: &str) -> Request {
    Request::new(method, url)
}

/// An empty bucket, to be granted with [`Request::bucket`]. What handlers put
/// into it the test finds there, and what the test puts there they find.
///
/// ```
/// use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler, keyvalue, testing};
///
/// #[handler]
/// fn visits(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
///     let visits = keyvalue::open("default")?.increment("visits", 1)?;
///     Ok(res.end(format!("visit {visits}\n"))?)
/// }
///
/// let bucket = testing::bucket();
/// bucket.set("visits", "6")?;
/// assert_eq!(testing::get("/").bucket("default", &bucket).send(visits).text(), "visit 7\n");
/// assert_eq!(bucket.get("visits")?, Some(b"7".to_vec()));
/// # Ok::<(), keyvalue::KeyValueError>(())
/// ```
#[cfg(feature = "keyvalue")]
pub fn bucket() -> crate::keyvalue::Bucket {
    crate::keyvalue::Bucket(crate::native::keyvalue::Bucket::default())
}

/// A GET to be made.
pub fn get(url: &str) -> Request {
    Request::new("GET", url)
}
