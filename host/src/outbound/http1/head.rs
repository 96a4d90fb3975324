//! The head of a response: found in the bytes, parsed by `httparse`, judged
//! more strictly than that (RFC 9112 sections 2 to 6). What could be read in
//! two ways is refused.

use bytes::BytesMut;

use crate::outbound::error::OutboundError;
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::{BodyFraming, HeadLimits};
use crate::wire::http1::syntax::{content_length, is_field_value, is_token, list};

/// The head of a response, of whichever version of HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// 100 to 999.
    pub status: u16,
    /// The reason phrase; empty in HTTP/2.
    pub reason: String,
    /// `1.0`, `1.1` or `2.0`.
    pub version: &'static str,
    /// The header lines as they came.
    pub lines: Vec<Line>,
}

/// What a head of HTTP/1 says beside that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Persistence {
    /// Whether the server lets the connection go on.
    pub keep_alive: bool,
    /// For how many seconds it says to keep it (`Keep-Alive: timeout`).
    pub timeout: Option<u64>,
}

impl ResponseHead {
    /// The values of a header, by name in any case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = move |(other, _): &&Line| other.eq_ignore_ascii_case(name);
        self.lines.iter().filter(named).map(|(_, value)| value.as_slice())
    }

    /// What it says of the connection.
    pub fn persistence(&self) -> Persistence {
        let (mut close, mut keep_alive) = (false, false);
        for member in self.values("connection").flat_map(list) {
            close |= member.eq_ignore_ascii_case(b"close");
            keep_alive |= member.eq_ignore_ascii_case(b"keep-alive");
        }
        let timeout = self.values("keep-alive").flat_map(list).find_map(|member| {
            let (name, value) = str::from_utf8(member).ok()?.split_once('=')?;
            let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
            is_timeout.then(|| value.trim().parse().ok()).flatten()
        });
        Persistence { keep_alive: !close && (self.version == "1.1" || keep_alive), timeout }
    }

    /// Where the body ends, of a response to a request with this method.
    ///
    /// # Errors
    /// `Parse` for fields that contradict each other or are not understood.
    pub fn framing(&self, method: &str) -> Result<BodyFraming, OutboundError> {
        let mut lengths = self.values("content-length");
        let length = lengths.next();
        let mut codings = self.values("transfer-encoding").peekable();
        let coded = codings.peek().is_some();
        let connected = method == "CONNECT" && (200..300).contains(&self.status);
        if connected || self.status == 101 {
            // What follows is the tunnel's; a length means nothing
            // (RFC 9110 9.3.6).
            return Ok(BodyFraming::None);
        }
        if length.is_some() && coded {
            return Err(OutboundError::Parse("Content-Length beside Transfer-Encoding"));
        }
        if lengths.next().is_some() {
            return Err(OutboundError::Parse("more than one Content-Length"));
        }
        let length = length.map(|value| content_length(value).ok_or(OutboundError::Parse("Content-Length")));
        let length = length.transpose()?;
        if coded && self.version == "1.0" {
            return Err(OutboundError::Parse("Transfer-Encoding in HTTP/1.0"));
        }
        if method == "HEAD" || self.status < 200 || matches!(self.status, 204 | 304) {
            return Ok(BodyFraming::None);
        }
        let mut codings = codings.flat_map(list);
        match (length, codings.next(), codings.next()) {
            (Some(length), ..) => Ok(BodyFraming::Length(length)),
            (None, Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(BodyFraming::Chunked),
            (None, None, _) if !coded => Ok(BodyFraming::Close),
            _ => Err(OutboundError::Parse("transfer coding that is not understood")),
        }
    }
}

/// Looks for the end of a head while its bytes come in, each byte once.
#[derive(Debug, Default)]
pub struct Scanner {
    scanned: usize,
    /// Bytes of whole lines that are in order.
    checked: usize,
}

impl Scanner {
    /// Takes a head off `buffer` once it is complete.
    ///
    /// # Errors
    /// `Parse`, `Limit`.
    pub fn advance(
        &mut self,
        buffer: &mut BytesMut,
        limits: HeadLimits,
    ) -> Result<Option<ResponseHead>, OutboundError> {
        if buffer.first().is_some_and(|&byte| byte != b'H') {
            return Err(OutboundError::Parse("status line"));
        }
        let from = self.scanned.saturating_sub(3);
        let found = memchr::memmem::find(buffer.get(from..).unwrap_or_default(), b"\r\n\r\n");
        let Some(found) = found else {
            self.scanned = buffer.len();
            // Garbage without an end is told from a slow head.
            let whole = last_line(buffer).max(self.checked);
            check_lines(buffer.get(self.checked..whole).unwrap_or_default())?;
            self.checked = whole;
            return if buffer.len() > limits.raw_bytes_max() { Err(TOO_LARGE) } else { Ok(None) };
        };
        *self = Scanner::default();
        let raw = buffer.split_to(from + found + 4);
        if raw.len() > limits.raw_bytes_max() {
            return Err(TOO_LARGE);
        }
        parse(&raw, limits).map(Some)
    }
}

const TOO_LARGE: OutboundError = OutboundError::Limit("outbound_head_bytes_max");

/// Where the line begins that is not complete.
fn last_line(buffer: &[u8]) -> usize {
    memchr::memrchr(b'\n', buffer).map_or(0, |at| at + 1)
}

fn parse(raw: &[u8], limits: HeadLimits) -> Result<ResponseHead, OutboundError> {
    check_lines(raw)?;
    let count = memchr::memchr_iter(b'\n', raw).count().saturating_sub(2);
    if count > limits.count_max {
        return Err(OutboundError::Limit("outbound_header_count_max"));
    }
    let mut headers = vec![httparse::EMPTY_HEADER; count];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(raw) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) | Err(httparse::Error::Status) => {
            return Err(OutboundError::Parse("status line"));
        }
        Err(httparse::Error::Version) => return Err(OutboundError::Parse("HTTP version")),
        Err(_) => return Err(OutboundError::Parse("header")),
    }
    let mut bytes = 0;
    let mut lines = Vec::with_capacity(response.headers.len());
    for header in response.headers.iter() {
        let value = header.value.trim_ascii();
        if !is_token(header.name.as_bytes()) || !is_field_value(value) {
            return Err(OutboundError::Parse("header"));
        }
        bytes += header.name.len() + value.len();
        lines.push((header.name.to_owned(), value.to_vec()));
    }
    if bytes >= limits.bytes_max {
        return Err(TOO_LARGE);
    }
    let version = if response.version == Some(1) { "1.1" } else { "1.0" };
    let status = response.code.filter(|code| *code >= 100).ok_or(OutboundError::Parse("status line"))?;
    Ok(ResponseHead { status, reason: reason_of(raw), version, lines })
}

/// The reason phrase, byte for char: `httparse` shows none that is not ASCII.
fn reason_of(raw: &[u8]) -> String {
    let line = raw.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let reason = line.splitn(3, |&byte| byte == b' ').nth(2).unwrap_or_default();
    reason.iter().copied().map(char::from).collect()
}

/// Refuses line ends that are not CRLF, and control characters.
fn check_lines(raw: &[u8]) -> Result<(), OutboundError> {
    for line in raw.split_inclusive(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").ok_or(OutboundError::Parse("line end in the head"))?;
        if !is_field_value(line) {
            return Err(OutboundError::Parse("control character in the head"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
