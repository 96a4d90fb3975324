//! Requests and responses as types of the crate `http`, for code that is
//! written against those. With the feature `http`.
//!
//! ```
//! use innkeeper_guest::http::{self, Response};
//! use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
//!
//! #[handler]
//! fn greet(req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     http::answer(req, res, |req| {
//!         let body = format!("{} {}\n", req.method(), req.uri().path());
//!         Ok(Response::builder().header("content-type", "text/plain").body(body)?)
//!     })
//! }
//! # fn main() {}
//! ```
//!
//! What of HTTP the crate cannot say is said by the SDK's own types only: the
//! case of header names, reason phrases, trailers, interim responses, a body
//! that is written piece by piece.

pub use ::http::{
    Error, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
    request, response,
};

use crate::{ErrorCode, IncomingMessage, Result, ServerResponse};

/// Has a function of `http`'s types answer a request.
///
/// # Errors
/// That of the function, with nothing sent; those of
/// [`IncomingMessage::into_http`] and [`ServerResponse::send`].
pub fn answer<B: AsRef<[u8]>>(
    req: IncomingMessage,
    res: ServerResponse,
    handler: impl FnOnce(Request<IncomingMessage>) -> Result<Response<B>>,
) -> Result<()> {
    let response = handler(req.into_http()?)?;
    Ok(res.send(response)?)
}

/// As types of the crate `http`.
impl IncomingMessage {
    /// The request, with this message as its body: it is an
    /// [`io::Read`](std::io::Read), and has `read_all`.
    ///
    /// # Errors
    /// If the crate `http` has no words for it: a target that is no [`Uri`], or
    /// a name that no [`HeaderName`] can be.
    pub fn into_http(self) -> Result<Request<IncomingMessage>, Error> {
        let (parts, ()) = Request::try_from(&self)?.into_parts();
        Ok(Request::from_parts(parts, self))
    }
}

/// The head of a request.
impl TryFrom<&IncomingMessage> for Request<()> {
    type Error = Error;

    fn try_from(message: &IncomingMessage) -> Result<Self, Error> {
        let version = match message.http_version().as_str() {
            "1.0" => Version::HTTP_10,
            "2.0" => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        let mut request =
            Request::builder().method(&*message.method()).uri(message.url()).version(version).body(())?;
        append(request.headers_mut(), message)?;
        Ok(request)
    }
}

/// The head of a response, as a call to another server has it.
impl TryFrom<&IncomingMessage> for Response<()> {
    type Error = Error;

    fn try_from(message: &IncomingMessage) -> Result<Self, Error> {
        // A request has no status; 0 is refused as one.
        let status = message.status_code().unwrap_or(0);
        let mut response = Response::builder().status(status).body(())?;
        append(response.headers_mut(), message)?;
        Ok(response)
    }
}

/// Every line as it came: nothing is joined and nothing dropped.
fn append(headers: &mut HeaderMap, message: &IncomingMessage) -> Result<(), Error> {
    for (name, value) in message.raw_headers() {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        headers.try_append(name, HeaderValue::from_bytes(&value)?)?;
    }
    Ok(())
}

/// Answers with types of the crate `http`.
impl ServerResponse {
    /// Sends a response, whole: its status, its headers over those that are set,
    /// its body with the length. The version is the connection's, whatever
    /// it says, and extensions are not looked at.
    ///
    /// # Errors
    /// Those of [`set_header`](Self::set_header) and [`end`](Self::end).
    pub fn send(&self, response: Response<impl AsRef<[u8]>>) -> Result<(), ErrorCode> {
        let (head, body) = response.into_parts();
        self.set_status_code(head.status.as_u16());
        for name in head.headers.keys() {
            let values: Vec<_> = head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            self.set_header(name.as_str(), values)?;
        }
        self.end(body)
    }
}
