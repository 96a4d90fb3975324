//! [`ServerResponse`]: the answer.

use std::io;
use std::time::Duration;

use crate::host::types;
use crate::socket::milliseconds;
use crate::{ErrorCode, Fields, HeaderValues, Pollable};

/// The answer to a request (Node: `http.ServerResponse`).
///
/// The head is *fixed* by the first of [`write_head`](Self::write_head),
/// [`write`](Self::write), [`try_write`](Self::try_write),
/// [`flush_headers`](Self::flush_headers) and [`end`](Self::end). If `end` is
/// the first, the body's length is known and goes out as `Content-Length`;
/// otherwise the body is chunked (HTTP/1.1) or runs to the close of the
/// connection (HTTP/1.0).
///
/// A handler that returns without `end` is answered for by the host: with a
/// 500 if nothing was sent yet, otherwise by cutting the connection.
///
/// It is also an [`io::Write`], for `write!(res, …)` and [`io::copy`]; each
/// write is one piece of the body.
#[derive(Debug)]
pub struct ServerResponse(types::ServerResponse);

/// The head.
impl ServerResponse {
    /// The status to send, 200 until set (Node: `response.statusCode`).
    pub fn status_code(&self) -> u16 {
        self.0.status_code()
    }

    /// Sets the status. It is checked when the head is fixed, and has no
    /// effect after that (Node: `response.statusCode = …`).
    pub fn set_status_code(&self, code: u16) {
        self.0.set_status_code(code);
    }

    /// The reason phrase to send; `None` for the usual one of the status
    /// (Node: `response.statusMessage`).
    pub fn status_message(&self) -> Option<String> {
        self.0.status_message()
    }

    /// Sets the reason phrase. It is checked when the head is fixed, and has
    /// no effect after that (Node: `response.statusMessage = …`).
    pub fn set_status_message(&self, message: Option<&str>) {
        self.0.set_status_message(message);
    }

    /// Sets a header to one value or several, one line each. A header of the
    /// same name in any case is replaced: it keeps its place and takes the new
    /// spelling (Node: `response.setHeader`).
    ///
    /// ```no_run
    /// # fn example(res: innkeeper_guest::ServerResponse) -> innkeeper_guest::Result {
    /// res.set_header("Content-Type", "text/plain")?;
    /// res.set_header("Content-Length", 12)?;
    /// res.set_header("Set-Cookie", ["a=1", "b=2"])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorCode::HeadersSent`], [`ErrorCode::InvalidHeaderName`],
    /// [`ErrorCode::InvalidHeaderValue`], [`ErrorCode::InvalidChar`],
    /// [`ErrorCode::LimitExceeded`].
    pub fn set_header(&self, name: &str, values: impl HeaderValues) -> Result<(), ErrorCode> {
        Ok(values.with_values(|values| self.0.set_header(name, values))?)
    }

    /// Adds values to a header, or sets it (Node: `response.appendHeader`).
    ///
    /// # Errors
    /// Those of [`set_header`](Self::set_header).
    pub fn append_header(&self, name: &str, values: impl HeaderValues) -> Result<(), ErrorCode> {
        Ok(values.with_values(|values| self.0.append_header(name, values))?)
    }

    /// The values that were set, by name in any case; `None` if it is not set.
    /// Headers given to [`write_head`](Self::write_head) alone and headers
    /// that the host adds are not seen (Node: `response.getHeader`).
    pub fn get_header(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        self.0.get_header(name)
    }

    /// Whether a header is set, by name in any case
    /// (Node: `response.hasHeader`).
    pub fn has_header(&self, name: &str) -> bool {
        self.0.has_header(name)
    }

    /// The names that are set, in lower case and in order
    /// (Node: `response.getHeaderNames`).
    pub fn header_names(&self) -> Vec<String> {
        self.0.header_names()
    }

    /// Removes a header, and for `connection`, `content-length`,
    /// `transfer-encoding` and `date` says that the host is not to add it
    /// either, until it is set again (Node: `response.removeHeader`).
    ///
    /// # Errors
    /// [`ErrorCode::HeadersSent`].
    pub fn remove_header(&self, name: &str) -> Result<(), ErrorCode> {
        Ok(self.0.remove_header(name)?)
    }

    /// Fixes the head: status, reason phrase (`None` for the usual one), and
    /// headers over those that are set (`()` for none); a name that occurs
    /// several times here goes out several times. Sends nothing yet
    /// (Node: `response.writeHead`).
    ///
    /// ```no_run
    /// # fn example(res: innkeeper_guest::ServerResponse) -> innkeeper_guest::Result {
    /// res.write_head(404, None, [("Content-Type", "text/plain")])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`set_header`](Self::set_header),
    /// [`ErrorCode::InvalidStatusCode`], [`ErrorCode::TrailerInvalid`] if a
    /// `Trailer` header stands beside a `Content-Length`.
    pub fn write_head(
        &self,
        status: u16,
        reason: Option<&str>,
        headers: impl Fields,
    ) -> Result<(), ErrorCode> {
        Ok(headers.with_fields(|headers| self.0.write_head(status, reason, headers))?)
    }

    /// Fixes the head if need be, and sends it now
    /// (Node: `response.flushHeaders`).
    ///
    /// # Errors
    /// Those of [`write_head`](Self::write_head) for a head that is not fixed
    /// yet, [`ErrorCode::Destroyed`].
    pub fn flush_headers(&self) -> Result<(), ErrorCode> {
        Ok(self.0.flush_headers()?)
    }

    /// Whether the head is fixed (Node: `response.headersSent`).
    pub fn headers_sent(&self) -> bool {
        self.0.headers_sent()
    }

    /// Whether the host adds `Date`; true until set
    /// (Node: `response.sendDate`).
    pub fn send_date(&self) -> bool {
        self.0.send_date()
    }

    /// Says whether the host adds `Date`; no effect once the head is fixed
    /// (Node: `response.sendDate = …`).
    pub fn set_send_date(&self, send: bool) {
        self.0.set_send_date(send);
    }

    /// Whether the connection may serve another exchange after this one, as
    /// far as is known now (Node: `response.shouldKeepAlive`).
    pub fn should_keep_alive(&self) -> bool {
        self.0.should_keep_alive()
    }

    /// `false` sends `Connection: close`; no effect once the head is fixed
    /// (Node: `response.shouldKeepAlive = …`).
    pub fn set_should_keep_alive(&self, keep: bool) {
        self.0.set_should_keep_alive(keep);
    }
}

/// The body, the trailers and the end.
impl ServerResponse {
    /// Sends a piece of the body, as one chunk if the body is chunked. Waits
    /// while more than the buffer's high-water mark is unsent. An empty piece
    /// sends the head (Node: `response.write`).
    ///
    /// # Errors
    /// Those of [`write_head`](Self::write_head) for a head that is not fixed
    /// yet, [`ErrorCode::WriteAfterEnd`],
    /// [`ErrorCode::ContentLengthMismatch`], [`ErrorCode::BodyNotAllowed`],
    /// [`ErrorCode::Destroyed`], [`ErrorCode::ConnectionReset`],
    /// [`ErrorCode::Timeout`] if the client takes nothing.
    pub fn write(&self, chunk: impl AsRef<[u8]>) -> Result<(), ErrorCode> {
        Ok(self.0.write(chunk.as_ref())?)
    }

    /// Like [`write`](Self::write), but never waits: buffers the piece and
    /// returns whether the buffer is now full. [`subscribe`](Self::subscribe)
    /// tells when it has room again (Node: `response.write` returning the
    /// opposite, 'drain').
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and [`ErrorCode::LimitExceeded`], with
    /// nothing buffered, if the piece would take the buffer over the
    /// operator's bound.
    pub fn try_write(&self, chunk: impl AsRef<[u8]>) -> Result<bool, ErrorCode> {
        Ok(self.0.try_write(chunk.as_ref())?)
    }

    /// Ends the response with a last piece of body. As the first call of all
    /// it sends `Content-Length`, head and body together. Does not wait
    /// (Node: `response.end(chunk)`).
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn end(&self, chunk: impl AsRef<[u8]>) -> Result<(), ErrorCode> {
        Ok(self.0.end(Some(chunk.as_ref()))?)
    }

    /// Ends the response without a further piece of body. As the first call
    /// of all it sends `Content-Length: 0`. Does not wait
    /// (Node: `response.end()`).
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and [`ErrorCode::AlreadyFinished`] if
    /// it was ended before.
    pub fn end_empty(&self) -> Result<(), ErrorCode> {
        Ok(self.0.end(None)?)
    }

    /// Waits until the operating system has taken the last byte of an ended
    /// response, or says why that will not happen (Node: 'finish' against
    /// 'close').
    ///
    /// # Errors
    /// [`ErrorCode::ConnectionReset`], [`ErrorCode::Timeout`],
    /// [`ErrorCode::Destroyed`]; [`ErrorCode::InvalidArg`] if the response was
    /// not ended.
    pub fn finished(&self) -> Result<(), ErrorCode> {
        Ok(self.0.finished()?)
    }

    /// Sets the trailers, in place of earlier ones. They are sent if the body
    /// is chunked, and dropped if not (Node: `response.addTrailers`).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidHeaderName`], [`ErrorCode::InvalidChar`],
    /// [`ErrorCode::TrailerInvalid`] for a field that frames or routes the
    /// message (RFC 9110 6.5.1), [`ErrorCode::AlreadyFinished`],
    /// [`ErrorCode::LimitExceeded`].
    pub fn add_trailers(&self, trailers: impl Fields) -> Result<(), ErrorCode> {
        Ok(trailers.with_fields(|trailers| self.0.add_trailers(trailers))?)
    }

    /// Holds back what is written until [`uncork`](Self::uncork) or
    /// [`end`](Self::end); it then goes out together, as one chunk. Nests. A
    /// full buffer goes out all the same (Node: `response.cork`).
    pub fn cork(&self) {
        self.0.cork();
    }

    /// Ends one [`cork`](Self::cork) (Node: `response.uncork`).
    pub fn uncork(&self) {
        self.0.uncork();
    }

    /// Ready when [`try_write`](Self::try_write) would find the buffer not
    /// full, or fail (Node: 'drain').
    pub fn subscribe(&self) -> Pollable {
        self.0.subscribe()
    }

    /// Whether the response was ended (Node: `response.writableEnded`).
    pub fn writable_ended(&self) -> bool {
        self.0.writable_ended()
    }

    /// Whether the operating system has taken everything of an ended response
    /// (Node: `response.writableFinished`).
    pub fn writable_finished(&self) -> bool {
        self.0.writable_finished()
    }

    /// Bytes written and not yet taken by the operating system
    /// (Node: `response.writableLength`).
    pub fn writable_length(&self) -> u64 {
        self.0.writable_length()
    }

    /// Drops the connection when nothing was sent or received for so long;
    /// [`Duration::ZERO`] for the operator's own limit. Holds for this
    /// exchange, within that limit (Node: `response.setTimeout`).
    pub fn set_timeout(&self, timeout: Duration) {
        self.0.set_timeout(milliseconds(timeout));
    }

    /// Drops the connection at once, whatever was written
    /// (Node: `response.destroy`).
    pub fn destroy(&self) {
        self.0.destroy();
    }
}

/// Interim responses (RFC 9110 15.2). To an HTTP/1.0 client none is sent.
impl ServerResponse {
    /// Sends an interim response now (Node: `response.writeInformation`).
    ///
    /// # Errors
    /// [`ErrorCode::HeadersSent`] once the head is fixed,
    /// [`ErrorCode::InvalidStatusCode`] for anything but 100 and 102 to 199,
    /// those of [`set_header`](Self::set_header).
    pub fn write_information(&self, status: u16, headers: impl Fields) -> Result<(), ErrorCode> {
        Ok(headers.with_fields(|headers| self.0.write_information(status, headers))?)
    }

    /// Sends `100 Continue` (Node: `response.writeContinue`).
    ///
    /// # Errors
    /// Those of [`write_information`](Self::write_information).
    pub fn write_continue(&self) -> Result<(), ErrorCode> {
        Ok(self.0.write_continue()?)
    }

    /// Sends `102 Processing` (Node: `response.writeProcessing`).
    ///
    /// # Errors
    /// Those of [`write_information`](Self::write_information).
    pub fn write_processing(&self) -> Result<(), ErrorCode> {
        Ok(self.0.write_processing()?)
    }

    /// Sends `103 Early Hints` (RFC 8297) with a `Link` header of these links
    /// and further headers; without a link it sends nothing
    /// (Node: `response.writeEarlyHints`).
    ///
    /// ```no_run
    /// # fn example(res: innkeeper_guest::ServerResponse) -> innkeeper_guest::Result {
    /// res.write_early_hints(&["</style.css>; rel=preload; as=style"], ())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArg`] for a link that is not of the form
    /// `<…>; param=…`, and those of
    /// [`write_information`](Self::write_information).
    pub fn write_early_hints(
        &self,
        links: &[impl AsRef<str>],
        headers: impl Fields,
    ) -> Result<(), ErrorCode> {
        let links: Vec<_> = links.iter().map(AsRef::as_ref).collect();
        Ok(headers.with_fields(|headers| self.0.write_early_hints(&links, headers))?)
    }
}

/// Each write is one piece of the body, taken whole; `flush` sends the head.
/// The [`ErrorCode`] is inside the error.
impl io::Write for &ServerResponse {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // An empty piece would fix the head, which no user of `Write` means.
        if !buffer.is_empty() {
            ServerResponse::write(self, buffer)?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.flush_headers()?)
    }
}

/// Each write is one piece of the body, taken whole; `flush` sends the head.
/// The [`ErrorCode`] is inside the error.
impl io::Write for ServerResponse {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &*self, buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::Write::flush(&mut &*self)
    }
}

#[doc(hidden)]
impl From<types::ServerResponse> for ServerResponse {
    fn from(response: types::ServerResponse) -> Self {
        Self(response)
    }
}

#[doc(hidden)]
impl From<ServerResponse> for types::ServerResponse {
    fn from(response: ServerResponse) -> Self {
        response.0
    }
}
