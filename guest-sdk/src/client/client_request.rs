//! [`ClientRequest`]: a request to another server, from the first header to
//! the response; and what else a server can answer.

use std::io;
use std::time::Duration;

use crate::host::client as wire;
use crate::socket::milliseconds;
use crate::{ErrorCode, Field, Fields, HeaderValues, IncomingMessage, Pollable, Socket};

/// A request to another server (Node: `http.ClientRequest`). Made by
/// [`Request::start`](super::Request::start).
///
/// The head is *fixed* by the first of [`write`](Self::write),
/// [`try_write`](Self::try_write), [`flush_headers`](Self::flush_headers) and
/// [`end`](Self::end); only then a connection is asked for. If `end` is the
/// first, the body's length is known and goes out as `Content-Length`, but for
/// a GET, HEAD, DELETE, OPTIONS, TRACE or CONNECT without a body, which has
/// none; otherwise the body is chunked. `Host` is always sent.
///
/// A request that was begun goes on whenever the guest waits, for whatever it
/// waits. Dropping it before the response is there ends it, as
/// [`destroy`](Self::destroy) does; after that it is not needed any more.
///
/// It is also an [`io::Write`], for `write!(request, …)` and [`io::copy`];
/// each write is one piece of the body.
///
/// ```no_run
/// use innkeeper_guest::client;
///
/// # fn example(rows: impl Iterator<Item = String>) -> innkeeper_guest::Result {
/// let request = client::request("PUT", "http://store.internal/rows").start()?;
/// request.set_header("Content-Type", "text/csv")?;
/// for row in rows {
///     request.write(row)?;
/// }
/// request.end_empty()?;
/// let response = request.response()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ClientRequest(wire::ClientRequest);

/// The head.
impl ClientRequest {
    pub(super) fn new(request: wire::ClientRequest) -> Self {
        Self(request)
    }

    /// Sets a header to one value or several, one line each. A header of the
    /// same name in any case is replaced: it keeps its place and takes the new
    /// spelling (Node: `request.setHeader`).
    ///
    /// # Errors
    /// [`ErrorCode::HeadersSent`], [`ErrorCode::InvalidHeaderName`],
    /// [`ErrorCode::InvalidHeaderValue`], [`ErrorCode::InvalidChar`],
    /// [`ErrorCode::LimitExceeded`].
    pub fn set_header(&self, name: &str, values: impl HeaderValues) -> Result<(), ErrorCode> {
        Ok(values.with_values(|values| self.0.set_header(name, values))?)
    }

    /// Adds values to a header, or sets it (Node: `request.appendHeader`).
    ///
    /// # Errors
    /// Those of [`set_header`](Self::set_header).
    pub fn append_header(&self, name: &str, values: impl HeaderValues) -> Result<(), ErrorCode> {
        Ok(values.with_values(|values| self.0.append_header(name, values))?)
    }

    /// The values that were set, by name in any case; `None` if it is not set
    /// (Node: `request.getHeader`).
    pub fn get_header(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        self.0.get_header(name)
    }

    /// Whether a header is set, by name in any case
    /// (Node: `request.hasHeader`).
    pub fn has_header(&self, name: &str) -> bool {
        self.0.has_header(name)
    }

    /// The names that are set, in lower case and in order
    /// (Node: `request.getHeaderNames`).
    pub fn header_names(&self) -> Vec<String> {
        self.0.header_names()
    }

    /// Removes a header, and for those that the host adds by itself says that
    /// it is not to, until it is set again; but `Host` comes back
    /// (Node: `request.removeHeader`).
    ///
    /// # Errors
    /// [`ErrorCode::HeadersSent`].
    pub fn remove_header(&self, name: &str) -> Result<(), ErrorCode> {
        Ok(self.0.remove_header(name)?)
    }

    /// Whether the head is fixed (Node: `request.headersSent`).
    pub fn headers_sent(&self) -> bool {
        self.0.headers_sent()
    }

    /// Fixes the head if need be, and sends it as soon as there is a
    /// connection. Does not wait (Node: `request.flushHeaders`).
    ///
    /// # Errors
    /// Those of [`set_header`](Self::set_header),
    /// [`ErrorCode::ContentLengthMismatch`], [`ErrorCode::Destroyed`].
    pub fn flush_headers(&self) -> Result<(), ErrorCode> {
        Ok(self.0.flush_headers()?)
    }
}

/// The body, the trailers and the end.
impl ClientRequest {
    /// Sends a piece of the body. Waits while more than the buffer's
    /// high-water mark is unsent (Node: `request.write`).
    ///
    /// # Errors
    /// Those of [`flush_headers`](Self::flush_headers),
    /// [`ErrorCode::WriteAfterEnd`], [`ErrorCode::ContentLengthMismatch`], and
    /// whatever ends the request: see [`response`](Self::response).
    pub fn write(&self, chunk: impl AsRef<[u8]>) -> Result<(), ErrorCode> {
        Ok(self.0.write(chunk.as_ref())?)
    }

    /// Like [`write`](Self::write), but never waits: buffers the piece and
    /// returns whether the buffer is now full.
    /// [`subscribe_writable`](Self::subscribe_writable) tells when it has room
    /// again (Node: `request.write` returning the opposite, 'drain').
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and [`ErrorCode::LimitExceeded`], with
    /// nothing buffered, if the piece would take the buffer over the
    /// operator's bound.
    pub fn try_write(&self, chunk: impl AsRef<[u8]>) -> Result<bool, ErrorCode> {
        Ok(self.0.try_write(chunk.as_ref())?)
    }

    /// Ends the request with a last piece of body. As the first call of all it
    /// sends `Content-Length`, head and body together. Does not wait
    /// (Node: `request.end(chunk)`).
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn end(&self, chunk: impl AsRef<[u8]>) -> Result<(), ErrorCode> {
        Ok(self.0.end(Some(chunk.as_ref()))?)
    }

    /// Ends the request without a further piece of body. Does not wait
    /// (Node: `request.end()`).
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and [`ErrorCode::AlreadyFinished`] if
    /// it was ended before.
    pub fn end_empty(&self) -> Result<(), ErrorCode> {
        Ok(self.0.end(None)?)
    }

    /// Sets the trailers, in place of earlier ones. They are sent if the body
    /// is chunked, and dropped if not (Node: `request.addTrailers`).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidHeaderName`], [`ErrorCode::InvalidChar`],
    /// [`ErrorCode::TrailerInvalid`] for a field that frames or routes the
    /// message (RFC 9110 6.5.1), [`ErrorCode::AlreadyFinished`],
    /// [`ErrorCode::LimitExceeded`].
    pub fn add_trailers(&self, trailers: impl Fields) -> Result<(), ErrorCode> {
        Ok(trailers.with_fields(|trailers| self.0.add_trailers(trailers))?)
    }

    /// Ready when [`try_write`](Self::try_write) would find the buffer not
    /// full, or fail (Node: 'drain').
    pub fn subscribe_writable(&self) -> Pollable {
        self.0.subscribe_writable()
    }
}

/// The connection.
impl ClientRequest {
    /// Time without a byte in either direction after which whoever waits is
    /// told with [`ErrorCode::Timeout`]; [`Duration::ZERO`] for never. The
    /// request goes on, and can be waited for again; [`destroy`](Self::destroy)
    /// ends it (Node: `request.setTimeout`, 'timeout').
    pub fn set_timeout(&self, timeout: Duration) {
        self.0.set_timeout(milliseconds(timeout));
    }

    /// Whether small segments leave at once; they do until set
    /// (Node: `request.setNoDelay`).
    pub fn set_no_delay(&self, enable: bool) {
        self.0.set_no_delay(enable);
    }

    /// TCP keep-alive probes, and the idle time before the first one
    /// (Node: `request.setSocketKeepAlive`).
    pub fn set_socket_keep_alive(&self, enable: bool, initial_delay: Duration) {
        self.0.set_socket_keep_alive(enable, milliseconds(initial_delay));
    }

    /// Whether the connection had served a request before
    /// (Node: `request.reusedSocket`).
    pub fn reused_socket(&self) -> bool {
        self.0.reused_socket()
    }

    /// Ends the request and its connection at once; whoever waits is told
    /// [`ErrorCode::Aborted`] (Node: `request.destroy`, `request.abort`).
    pub fn destroy(&self) {
        self.0.destroy();
    }
}

/// What the server answers.
impl ClientRequest {
    /// Waits for the head of the response. It is given once; the interim
    /// responses before it need not be waited for (Node: 'response').
    ///
    /// # Errors
    /// [`ErrorCode::Denied`] if the address is not one that the operator
    /// allows, [`ErrorCode::Dns`], [`ErrorCode::Connect`], [`ErrorCode::Tls`],
    /// [`ErrorCode::Timeout`], of which the text says which,
    /// [`ErrorCode::ConnectionReset`] if the server hangs up, or switches
    /// protocols and nobody waits for that, [`ErrorCode::Aborted`] after
    /// [`destroy`](Self::destroy), [`ErrorCode::Parse`],
    /// [`ErrorCode::LimitExceeded`]; [`ErrorCode::InvalidArg`] if the response
    /// was given already, or nothing of the request was sent.
    pub fn response(&self) -> Result<IncomingMessage, ErrorCode> {
        Ok(self.0.response()?.into())
    }

    /// Waits for a `100 Continue`, which a request with
    /// `Expect: 100-continue` asks for before it sends its body; false if the
    /// response came without one (Node: 'continue').
    ///
    /// # Errors
    /// Those of [`response`](Self::response).
    pub fn wait_continue(&self) -> Result<bool, ErrorCode> {
        Ok(self.0.continue_()?)
    }

    /// Waits for the next interim response but 100, such as `103 Early Hints`;
    /// `None` once the response has come (Node: 'information').
    ///
    /// # Errors
    /// Those of [`response`](Self::response).
    pub fn information(&self) -> Result<Option<Information>, ErrorCode> {
        Ok(self.0.information()?.map(Into::into))
    }

    /// Waits for a `101 Switching Protocols`, which gives the connection to
    /// the guest; `None` if the server answers with an ordinary response,
    /// which is then [`response`](Self::response)'s to give. To be the first
    /// to wait for an answer (Node: 'upgrade').
    ///
    /// # Errors
    /// Those of [`response`](Self::response).
    pub fn upgraded(&self) -> Result<Option<Tunnel>, ErrorCode> {
        Ok(self.0.upgraded()?.map(Into::into))
    }

    /// Waits for the answer to CONNECT; with a status of 200 to 299 it gives
    /// the connection to the guest, with another it is `None`, and
    /// [`response`](Self::response)'s to give (Node: 'connect').
    ///
    /// # Errors
    /// Those of [`response`](Self::response); [`ErrorCode::InvalidArg`] if the
    /// method is another.
    pub fn connected(&self) -> Result<Option<Tunnel>, ErrorCode> {
        Ok(self.0.connected()?.map(Into::into))
    }

    /// Ready when [`response`](Self::response) or any other that waits for
    /// something from the server would return at once (Node: 'response',
    /// 'continue', 'information', 'upgrade', 'connect', 'timeout', 'error').
    pub fn subscribe(&self) -> Pollable {
        self.0.subscribe()
    }
}

/// An interim response other than 100 and 101 (Node: 'information').
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Information {
    /// 102 to 199.
    pub status_code: u16,
    /// Its header lines as they came.
    pub headers: Vec<Field>,
}

/// A connection that speaks another protocol from now on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tunnel {
    /// The head of the answer that says so; it has no body.
    pub response: IncomingMessage,
    /// The connection.
    pub socket: Socket,
    /// What the server sent after the head.
    pub head: Vec<u8>,
}

impl From<wire::Information> for Information {
    fn from(information: wire::Information) -> Self {
        Self { status_code: information.status_code, headers: information.headers }
    }
}

impl From<wire::Tunnel> for Tunnel {
    fn from(tunnel: wire::Tunnel) -> Self {
        Self { response: tunnel.response.into(), socket: Socket(tunnel.socket), head: tunnel.head }
    }
}

/// Each write is one piece of the body, taken whole; `flush` sends the head.
/// The [`ErrorCode`] is inside the error: see [`ErrorCode::of`].
impl io::Write for &ClientRequest {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // An empty piece would fix the head, which no user of `Write` means.
        if !buffer.is_empty() {
            ClientRequest::write(self, buffer)?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.flush_headers()?)
    }
}

/// Each write is one piece of the body, taken whole; `flush` sends the head.
/// The [`ErrorCode`] is inside the error: see [`ErrorCode::of`].
impl io::Write for ClientRequest {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &*self, buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut &*self)
    }
}
