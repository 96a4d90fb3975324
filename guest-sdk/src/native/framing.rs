//! The head of a response as it goes out: how the body is framed, whether the
//! connection goes on, and the lines that say so (RFC 9112 6 and 9; Node's
//! `_storeHeader`).

use super::fields::{Fields, check_room, contains_word, content_length, is_field_value};
use crate::{ErrorCode, Field};

/// What a response has to know of its request.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Whether the client speaks HTTP/1.0, and so understands neither chunks
    /// nor 1xx.
    pub http_1_0: bool,
    /// Whether the request is a HEAD.
    pub head_request: bool,
    /// Whether the connection may not go on.
    pub closes: bool,
    /// Whether the client waits for a 100 that was not sent yet.
    pub awaits_continue: bool,
}

/// How the client finds the end of the body (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body; what is written is dropped.
    None,
    Length(u64),
    Chunked,
    /// The connection's end.
    Close,
}

/// A head that is not fixed yet.
pub struct Draft<'a> {
    pub context: &'a Context,
    pub status: u16,
    pub reason: Option<&'a str>,
    pub fields: &'a Fields,
    /// Whether the handler lets the connection go on.
    pub keep_alive: bool,
    /// The body's length, if `end` is what fixes the head.
    pub known: Option<u64>,
}

/// A head that is fixed.
#[derive(Debug)]
pub struct Fixed {
    pub framing: Framing,
    /// Whether the connection closes after this response.
    pub closes: bool,
    pub status: u16,
    pub reason: String,
    pub lines: Vec<Field>,
    /// Whether it was put out.
    pub put: bool,
}

impl Draft<'_> {
    /// Decides framing and persistence, and writes the lines.
    ///
    /// # Errors
    /// A status, reason phrase or combination of fields that cannot be sent.
    pub fn fix(&self) -> Result<Fixed, ErrorCode> {
        let Draft { context, status, fields, .. } = *self;
        check_status(status)?;
        if self.reason.is_some_and(|reason| !is_field_value(reason.as_bytes())) {
            return Err(ErrorCode::InvalidChar("the reason phrase".to_owned()));
        }
        check_room(self.reason.map_or(0, str::len) + fields.bytes(), 0)?;
        let length = fields.get("content-length").and_then(|values| content_length(values.first()?));
        let coding = fields.has("transfer-encoding");
        if length.is_some() && coding {
            return Err(ErrorCode::InvalidHeaderValue(
                "Content-Length and Transfer-Encoding exclude each other (RFC 9112 6.2)".to_owned(),
            ));
        }
        let trailer = fields.has("trailer");
        if length.is_some() && trailer {
            return Err(ErrorCode::TrailerInvalid(
                "Trailer and Content-Length exclude each other".to_owned(),
            ));
        }
        // RFC 9110 8.6 and 15.3.6: a 204 has neither field, a 205 no body.
        let bare = status == 204 || status == 205;
        let (framing, added) = if bare {
            (Framing::None, (status == 205).then(|| length_line(0)))
        } else if context.head_request || status == 304 {
            (Framing::None, None)
        } else if let Some(length) = length {
            (Framing::Length(length), None)
        } else if context.http_1_0 {
            (Framing::Close, None)
        } else if coding {
            (Framing::Chunked, None)
        } else if let Some(known) = self.known.filter(|_| !trailer && !fields.suppresses("content-length")) {
            (Framing::Length(known), Some(length_line(known)))
        } else if !fields.suppresses("transfer-encoding") {
            (Framing::Chunked, Some(line("Transfer-Encoding", "chunked")))
        } else {
            (Framing::Close, None)
        };
        let closes = framing == Framing::Close
            || (!bare && coding && status == 304)
            || !self.keep_alive
            || context.closes
            || self.says_close()
            || (context.http_1_0 && length.is_none());
        let skipped = |name: &str| {
            (bare && name.eq_ignore_ascii_case("content-length"))
                || ((bare || context.http_1_0) && name.eq_ignore_ascii_case("transfer-encoding"))
        };
        let mut lines: Vec<_> = fields.lines().filter(|(name, _)| !skipped(name)).collect();
        self.put_connection(closes, &mut lines);
        lines.extend(added);
        let reason = self.reason.unwrap_or_else(|| reason_of(status)).to_owned();
        Ok(Fixed { framing, closes, status, reason, lines, put: false })
    }

    fn put_connection(&self, closes: bool, lines: &mut Vec<Field>) {
        let own = self.fields.has("connection");
        let contradicts = closes && own && !self.says_close();
        if contradicts {
            lines.retain(|(name, _)| !name.eq_ignore_ascii_case("connection"));
        }
        let generates = !own && !self.fields.suppresses("connection");
        if contradicts || (generates && closes) {
            lines.push(line("Connection", "close"));
        } else if generates {
            lines.push(line("Connection", "keep-alive"));
            if !self.fields.has("keep-alive") {
                lines.push(line("Keep-Alive", "timeout=5"));
            }
        }
    }

    /// Whether the handler's own `Connection` says `close`.
    fn says_close(&self) -> bool {
        let values = self.fields.get("connection").unwrap_or_default();
        values.iter().any(|value| contains_word(value, b"close"))
    }
}

/// Refuses what cannot be a final status.
///
/// # Errors
/// `InvalidStatusCode`.
pub fn check_status(status: u16) -> Result<(), ErrorCode> {
    if (200..=999).contains(&status) { Ok(()) } else { Err(ErrorCode::InvalidStatusCode(status)) }
}

fn line(name: &str, value: &str) -> Field {
    (name.to_owned(), value.into())
}

fn length_line(length: u64) -> Field {
    line("Content-Length", &length.to_string())
}

/// The usual reason phrase of a status, `unknown` for one that has none.
pub fn reason_of(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a Teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        509 => "Bandwidth Limit Exceeded",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "unknown",
    }
}
