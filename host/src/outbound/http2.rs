//! One HTTP/2 connection to a server (RFC 9113), shared by its requests. The
//! protocol is hyper's; here is what an agent has to know of a connection, and
//! its [`exchange`]s are one stream each. Unlike one of HTTP/1.1 it has tasks
//! of its own (`http2::tasks`), for no single request drives it.
//!
//! Interim responses do not get through: hyper has no word for them in HTTP/2.

pub mod exchange;
mod head;
mod upload;
mod download;
mod failure;
mod tasks;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::outbound::draft::Draft;
use crate::outbound::error::OutboundError;
use crate::outbound::origin::Origin;
use crate::outbound::stream::Stream;
use crate::wire::http1::head::HeadLimits;
pub use exchange::Http2Exchange;
use failure::Failure;
use tasks::Tasks;
use upload::UploadBody;

/// Bytes of one response that the server may send before anybody reads them.
const STREAM_WINDOW: u32 = 128 * 1024;

/// The same of all responses on a connection: more than a few streams' worth,
/// so that some that nobody reads do not hold up the others.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of one request that hyper holds until the server lets them come.
const SEND_BYTES_MAX: usize = 128 * 1024;

/// For how long a connection that nobody has may still send what it has to say:
/// resets, and that it goes.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// What a header line counts for beside its name and value (RFC 9113 6.5.2).
const LINE_OVERHEAD: usize = 32;

/// A connection. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Http2(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sender: SendRequest<UploadBody>,
    peer: SocketAddr,
    local: SocketAddr,
    encrypted: bool,
    usage: Mutex<Usage>,
    requests: AtomicU64,
    /// Whether the server has ever answered.
    answered: AtomicBool,
    /// Whether it wants no further requests.
    leaving: AtomicBool,
    /// Tells the tasks that nobody has the connection any more.
    _held: DropGuard,
}

#[derive(Debug)]
struct Usage {
    exchanges: usize,
    /// Since when there is none.
    idle_since: Instant,
}

/// A request's place on a connection, which is in use while there is one.
#[derive(Debug)]
struct Place(Arc<Inner>);

impl Http2 {
    /// Begins HTTP/2 on a stream, and starts the tasks that drive it. They end
    /// when the last clone and the last exchange are dropped, or the server
    /// closes the connection; `head` is what a response's head may hold. Does
    /// not wait for the server to say anything. Dropping it closes the stream.
    ///
    /// # Errors
    /// `HangUp`.
    pub async fn handshake(stream: Stream, head: HeadLimits) -> Result<Self, OutboundError> {
        let (peer, local, encrypted) = (stream.peer(), stream.local(), stream.encrypted());
        let tasks = Tasks::new(CLOSING_MAX);
        let begun = Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(header_list_size(head))
            .max_send_buf_size(SEND_BYTES_MAX)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = begun.await.map_err(|error| Failure::of(&error).error)?;
        let held = CancellationToken::new();
        tasks.drive(connection, held.clone());
        Ok(Http2(Arc::new(Inner {
            sender,
            peer,
            local,
            encrypted,
            usage: Mutex::new(Usage { exchanges: 0, idle_since: Instant::now() }),
            requests: AtomicU64::new(0),
            answered: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            _held: held.drop_guard(),
        })))
    }

    /// Whether it takes new requests, as far as is known.
    pub fn is_alive(&self) -> bool {
        !self.0.leaving.load(Ordering::Relaxed) && !self.0.sender.is_closed()
    }

    /// Whether no request is under way on it.
    pub fn is_idle(&self) -> bool {
        self.0.usage.lock().exchanges == 0
    }

    /// For how long that has been so; zero while one is.
    pub fn idle_for(&self) -> Duration {
        let usage = self.0.usage.lock();
        if usage.exchanges == 0 { usage.idle_since.elapsed() } else { Duration::ZERO }
    }

    /// The server's address.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// The host's own.
    pub fn local(&self) -> SocketAddr {
        self.0.local
    }

    /// Whether it is TLS.
    pub fn encrypted(&self) -> bool {
        self.0.encrypted
    }

    /// Requests begun on it.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// Begins a request, whose head is fixed. It goes out when the exchange is
    /// first polled; the server may make it wait for its turn (RFC 9113 5.1.2).
    ///
    /// # Errors
    /// What of a request HTTP/2 has no place for.
    pub fn begin(&self, draft: &Draft, origin: &Origin) -> Result<Http2Exchange, OutboundError> {
        let head = head::request(draft, origin)?;
        let reused = self.0.answered.load(Ordering::Relaxed);
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.usage.lock().exchanges += 1;
        Ok(Http2Exchange::new(head, draft, Place(self.0.clone()), reused))
    }
}

/// What the server is told that a head may come to: twice what it may, for of
/// a larger one is not known that it was this that was wrong with it.
fn header_list_size(head: HeadLimits) -> u32 {
    let lines = head.count_max.saturating_mul(LINE_OVERHEAD);
    let bytes = head.bytes_max.saturating_add(lines).saturating_mul(2);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Place {
    fn sender(&self) -> SendRequest<UploadBody> {
        self.0.sender.clone()
    }

    fn note_answer(&self) {
        self.0.answered.store(true, Ordering::Relaxed);
    }

    /// Takes note of why a request failed, and returns it in the words that
    /// the whole connection's history suggests.
    fn note_failure(&self, mut failure: Failure) -> Failure {
        if failure.leaving {
            self.0.leaving.store(true, Ordering::Relaxed);
        }
        if failure.foreign && !self.0.answered.load(Ordering::Relaxed) {
            failure.error = OutboundError::Connect(format!("{} does not speak HTTP/2", self.0.peer));
        }
        failure
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut usage = self.0.usage.lock();
        usage.exchanges -= 1;
        usage.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests;
