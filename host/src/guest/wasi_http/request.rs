//! An exchange's request as the `http` crate has it, whose body is read from
//! the exchange as the guest asks for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::wire::error::{ClientFault, MessageError};
use crate::wire::exchange::Exchange;
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::{BodyFraming, RequestHead};

/// Bytes that one frame of a body has at most.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// The body of an exchange's request. It must be polled by the task that
/// drives the exchange.
pub struct RequestBody {
    exchange: Exchange,
    ended: bool,
}

impl RequestBody {
    /// The body of `exchange`.
    pub fn new(exchange: &Exchange) -> Self {
        RequestBody { exchange: exchange.clone(), ended: false }
    }
}

/// The request of `exchange`, with its body.
///
/// # Errors
/// A target that the `http` crate cannot hold, which no guest could be told.
pub fn request_of(exchange: &Exchange) -> Result<Request<WasiBody>, ClientFault> {
    let body = if exchange.head().framing == BodyFraming::None {
        Empty::new().map_err(|never| match never {}).boxed_unsync()
    } else {
        RequestBody::new(exchange).boxed_unsync()
    };
    request_with(exchange, body)
}

/// The request of `exchange`, with another body in place of its own.
///
/// # Errors
/// Those of [`request_of`].
pub fn request_with(exchange: &Exchange, body: WasiBody) -> Result<Request<WasiBody>, ClientFault> {
    let head = exchange.head();
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(head.method().as_bytes())
        .map_err(|_| ClientFault::Malformed("method that wasi:http cannot tell"))?;
    *request.uri_mut() =
        uri(exchange, head).ok_or(ClientFault::Malformed("request target that wasi:http cannot tell"))?;
    *request.version_mut() = if head.version_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    *request.headers_mut() = header_map(head.lines());
    Ok(request)
}

/// The whole URI. Who was asked is in the target or in `Host`; a client of
/// HTTP/1.0 may have said neither, and has asked this very address.
fn uri(exchange: &Exchange, head: &RequestHead) -> Option<Uri> {
    let target = Uri::try_from(head.target()).ok()?;
    let mut parts = target.into_parts();
    if parts.authority.is_none() {
        let host = head.values("host").next().filter(|host| !host.is_empty());
        parts.authority = match host {
            Some(host) => Authority::try_from(host).ok(),
            None => Authority::try_from(exchange.socket().local().to_string().as_str()).ok(),
        };
        parts.authority.as_ref()?;
    }
    parts.scheme = Some(Scheme::HTTP);
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    Uri::from_parts(parts).ok()
}

/// Header lines as a map, as far as it can hold them: what the wire let
/// through it can.
fn header_map<'a>(lines: impl ExactSizeIterator<Item = (&'a str, &'a [u8])>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(lines.len());
    for (name, value) in lines {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value))
        {
            map.append(name, value);
        }
    }
    map
}

/// The trailers that came, as a map.
pub fn trailer_map(lines: &[Line]) -> HeaderMap {
    header_map(lines.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
}

/// What a guest is told of a body that breaks.
pub fn body_error(error: &MessageError) -> Error {
    match error {
        MessageError::ConnectionReset | MessageError::Destroyed => Error::ConnectionTerminated,
        MessageError::Timeout(_) => Error::ConnectionReadTimeout,
        MessageError::LimitExceeded("request_body_bytes_max") => Error::HttpRequestBodySize(None),
        MessageError::Parse(_) => Error::HttpProtocolError,
        other => Error::InternalError(Some(other.to_string())),
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut piece = Vec::new();
        let read = ready!(self.exchange.poll_read(cx, &mut piece, FRAME_BYTES_MAX));
        Poll::Ready(match read {
            Ok(0) => {
                self.ended = true;
                let trailers = self.exchange.trailers();
                (!trailers.is_empty()).then(|| Ok(Frame::trailers(trailer_map(&trailers))))
            }
            Ok(_) => Some(Ok(Frame::data(piece.into()))),
            Err(error) => {
                self.ended = true;
                Some(Err(body_error(&error)))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
