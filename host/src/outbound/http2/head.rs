//! The head of a request as HTTP/2 has it, and the lines of a response as a
//! guest reads them (RFC 9113 8.2, 8.3).

use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TE};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{HeaderMap, Method, Request, Response, Uri, Version};

use crate::outbound::draft::{Draft, Framing};
use crate::outbound::error::OutboundError;
use crate::outbound::http1::head::ResponseHead;
use crate::outbound::origin::Origin;
use crate::wire::error::MessageError;
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::HeadLimits;
use crate::wire::http1::syntax::{contains_word, list};

/// Fields of a connection of HTTP/1.1, which HTTP/2 must not have
/// (RFC 9113 8.2.2).
const OF_HTTP1: &[&str] = &["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The head of a request.
///
/// # Errors
/// `InvalidArg`, `InvalidHeaderValue` or a limit: what HTTP/2 cannot send.
pub(super) fn request(draft: &Draft, origin: &Origin) -> Result<Request<()>, OutboundError> {
    if draft.method() == "CONNECT" {
        return Err(invalid("CONNECT needs HTTP/1.1; leave the protocol out".to_owned()));
    }
    let method = Method::from_bytes(draft.method().as_bytes())
        .map_err(|_| invalid(format!("method {:?} is no token", draft.method())))?;
    let uri = Uri::builder()
        .scheme(origin.scheme.to_string().as_str())
        .authority(authority(draft, origin)?)
        .path_and_query(target(draft.path())?)
        .build()
        .map_err(|_| invalid(format!("{origin} is no origin of HTTP/2 requests")))?;
    let mut head = Request::new(());
    *head.method_mut() = method;
    *head.uri_mut() = uri;
    *head.version_mut() = Version::HTTP_2;
    *head.headers_mut() = fields(draft)?;
    Ok(head)
}

/// The `Host` that the guest set, or else the origin's.
fn authority(draft: &Draft, origin: &Origin) -> Result<Authority, OutboundError> {
    let host = draft.fields().first("host").filter(|host| !host.is_empty());
    let host = host.map_or_else(|| origin.authority().into_bytes(), <[u8]>::to_vec);
    // A user has no place there (RFC 9113 8.3.1).
    let parsed = Authority::try_from(host.as_slice()).ok().filter(|_| !host.contains(&b'@'));
    parsed.ok_or_else(|| {
        let shown = String::from_utf8_lossy(&host).into_owned();
        MessageError::InvalidHeaderValue(format!("Host {shown:?} is no host with a port or without")).into()
    })
}

fn target(path: &str) -> Result<PathAndQuery, OutboundError> {
    // What it does not take it refuses, or drops: a fragment.
    let parsed = PathAndQuery::try_from(path).ok().filter(|parsed| parsed.as_str() == path);
    parsed.ok_or_else(|| {
        invalid(format!("the request target {path:?} is none of HTTP/2: begin it with / and have no # in it"))
    })
}

fn fields(draft: &Draft) -> Result<HeaderMap, OutboundError> {
    let lines = draft.fields();
    let connection: Vec<_> = lines.values("connection").collect();
    let mut map = HeaderMap::new();
    for name in lines.names() {
        let mut values = lines.values(&name);
        match name.as_str() {
            "host" => {}
            name if OF_HTTP1.contains(&name) => {}
            name if is_named_by(&connection, name) => {}
            "content-length" => put_length(&mut map, draft)?,
            "te" => {
                if values.any(|value| contains_word(value, b"trailers")) {
                    append(&mut map, TE, HeaderValue::from_static("trailers"))?;
                }
            }
            name => {
                for value in values {
                    let (name, value) = line(name, value)?;
                    append(&mut map, name, value)?;
                }
            }
        }
    }
    if !map.contains_key(CONTENT_LENGTH) {
        put_length(&mut map, draft)?;
    }
    Ok(map)
}

/// Whether `Connection` says that a field is for the next hop only
/// (RFC 9110 7.6.1).
fn is_named_by(connection: &[&[u8]], name: &str) -> bool {
    connection.iter().flat_map(|value| list(value)).any(|member| member.eq_ignore_ascii_case(name.as_bytes()))
}

fn put_length(map: &mut HeaderMap, draft: &Draft) -> Result<(), OutboundError> {
    match draft.framing() {
        Framing::Length(length) => append(map, CONTENT_LENGTH, HeaderValue::from(length)),
        Framing::None | Framing::Chunked => Ok(()),
    }
}

/// Trailers to be sent, if there are any. A draft has checked them.
pub(super) fn trailers(lines: &[Line]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in lines.iter().filter(|(name, _)| !is_of_http1(name)) {
        if let Ok((name, value)) = line(name, value) {
            append(&mut map, name, value).ok()?;
        }
    }
    (!map.is_empty()).then_some(map)
}

fn is_of_http1(name: &str) -> bool {
    OF_HTTP1.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn line(name: &str, value: &[u8]) -> Result<(HeaderName, HeaderValue), OutboundError> {
    let known = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| MessageError::InvalidHeaderName(format!("{name:?}")))?;
    let value =
        HeaderValue::from_bytes(value).map_err(|_| MessageError::InvalidChar(format!("header {name}")))?;
    Ok((known, value))
}

fn append(map: &mut HeaderMap, name: HeaderName, value: HeaderValue) -> Result<(), OutboundError> {
    // The map has a bound of its own, some 24,000 lines.
    map.try_append(name, value).map_err(|_| TOO_MANY)?;
    Ok(())
}

fn invalid(message: String) -> OutboundError {
    MessageError::InvalidArg(message).into()
}

/// The head of a response. The lines of one name stand together, at the place
/// of the first.
///
/// # Errors
/// `Limit`.
pub(super) fn response<B>(response: &Response<B>, limits: HeadLimits) -> Result<ResponseHead, OutboundError> {
    let lines = lines(response.headers(), limits)?;
    let status = response.status().as_u16();
    Ok(ResponseHead { status, reason: String::new(), version: "2.0", lines })
}

/// The lines of a head or of trailers.
///
/// # Errors
/// `Limit`.
pub(super) fn lines(map: &HeaderMap, limits: HeadLimits) -> Result<Vec<Line>, OutboundError> {
    if map.len() > limits.count_max {
        return Err(TOO_MANY);
    }
    let lines: Vec<Line> =
        map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    let bytes: usize = lines.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes >= limits.bytes_max { Err(TOO_LARGE) } else { Ok(lines) }
}

const TOO_MANY: OutboundError = OutboundError::Limit("outbound_header_count_max");
const TOO_LARGE: OutboundError = OutboundError::Limit("outbound_head_bytes_max");
