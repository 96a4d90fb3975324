//! A request on its way to its fixed head: what the guest has set, how the
//! body is framed, what of it may be written. The rules are those of Node's
//! `ClientRequest`, but every body is framed and `Host` always goes out
//! (RFC 9112 3.2, 6.3). Which bytes it becomes is `http1`'s and `http2`'s.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::BytesMut;

use crate::outbound::error::OutboundError;
use crate::outbound::origin::Origin;
use crate::wire::error::MessageError;
use crate::wire::http1::fields::{FieldLimits, Fields, Line, check_lines, put_line, shown};
use crate::wire::http1::response::may_be_trailer;
use crate::wire::http1::syntax::{contains_word, content_length, is_token};

/// What a request begins with (Node: the options of `http.request`).
#[derive(Debug, Clone)]
pub struct Opening {
    /// Any token.
    pub method: String,
    /// Where it goes.
    pub origin: Origin,
    /// The request target.
    pub path: String,
    /// Header lines, in order.
    pub headers: Vec<Line>,
    /// `user:password`.
    pub auth: Option<Vec<u8>>,
}

/// A request until its last byte is handed to a connection.
#[derive(Debug)]
pub struct Draft {
    method: String,
    path: String,
    host: String,
    /// The headers set so far.
    fields: Fields,
    limits: DraftLimits,
    phase: Phase,
    framing: Framing,
    /// Whether the framing has to be said, for the guest did not.
    adds_framing: bool,
    trailers: Vec<Line>,
    body_bytes: u64,
    /// Pieces of the body that no connection has yet.
    pieces: VecDeque<Vec<u8>>,
    piece_bytes: usize,
}

/// How much a request may hold.
#[derive(Debug, Clone, Copy)]
pub struct DraftLimits {
    /// For its head and its trailers.
    pub fields: FieldLimits,
    /// `outbound_buffer_bytes_max`.
    pub buffer_bytes_max: usize,
    /// `outbound_request_body_bytes_max`.
    pub body_bytes_max: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Fixed,
    Ended,
}

/// How the body of a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl Draft {
    /// A request of which nothing is sent.
    ///
    /// # Errors
    /// A method, target or header that cannot be sent.
    pub fn new(opening: Opening, limits: DraftLimits) -> Result<Self, OutboundError> {
        let Opening { method, origin, path, headers, auth } = opening;
        if !is_token(method.as_bytes()) {
            return Err(MessageError::InvalidArg(format!("method {:?} is no token", shown(&method))).into());
        }
        // Node refuses what is outside U+0021 to U+00FF; above ASCII a target
        // would have to be percent-encoded (RFC 3986 2.1).
        if path.is_empty() || !path.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            return Err(OutboundError::UnescapedPath(format!(
                "{:?}: encode what is no visible ASCII character as %XX",
                shown(&path)
            )));
        }
        let mut fields = Fields::default();
        set_all(&mut fields, headers, limits.fields)?;
        if let Some(auth) = auth.filter(|_| !fields.has("authorization")) {
            let value = format!("Basic {}", BASE64.encode(auth)).into_bytes();
            fields.set("Authorization", vec![value], limits.fields)?;
        }
        let host = origin.authority();
        if !fields.has("host") {
            fields.set("Host", vec![host.clone().into_bytes()], limits.fields)?;
        }
        Ok(Draft {
            method,
            path,
            host,
            fields,
            limits,
            phase: Phase::Open,
            framing: Framing::None,
            adds_framing: false,
            trailers: Vec::new(),
            body_bytes: 0,
            pieces: VecDeque::new(),
            piece_bytes: 0,
        })
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The request target.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The headers.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The trailers.
    pub fn trailers(&self) -> &[Line] {
        &self.trailers
    }

    /// How the body is framed, once the head is fixed.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the head is fixed.
    pub fn is_fixed(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Whether `end` was called.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Bytes of body that no connection has yet.
    pub fn buffered(&self) -> usize {
        self.piece_bytes
    }

    /// Bytes of body so far.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Whether the guest waits for a 100 before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.says("expect", b"100-continue")
    }

    /// Whether the guest's own `Connection` says `close`.
    pub fn says_close(&self) -> bool {
        self.says("connection", b"close")
    }

    fn says(&self, name: &str, word: &[u8]) -> bool {
        self.fields.values(name).any(|value| contains_word(value, word))
    }

    /// The headers, to be changed.
    ///
    /// # Errors
    /// `HeadersSent`.
    pub fn open_fields(&mut self) -> Result<(&mut Fields, FieldLimits), MessageError> {
        if self.is_fixed() {
            return Err(MessageError::HeadersSent);
        }
        Ok((&mut self.fields, self.limits.fields))
    }

    /// Fixes the head if it is not; see `flush-headers`.
    ///
    /// # Errors
    /// Headers that exclude each other.
    pub fn fix(&mut self) -> Result<(), MessageError> {
        if self.is_fixed() {
            return Ok(());
        }
        // Node leaves a method without a usual body unframed here, too.
        let framing = if self.is_usually_empty() { Framing::None } else { Framing::Chunked };
        self.fix_as(framing)
    }

    /// Appends a piece of body; see `write`. `bounded` refuses it when the
    /// buffer is at its bound, where `unsent` bytes are already; for callers
    /// that do not wait afterwards.
    ///
    /// # Errors
    /// Those of `write` and `try-write`; then nothing was appended.
    pub fn write(&mut self, piece: Vec<u8>, bounded: bool, unsent: usize) -> Result<(), MessageError> {
        if self.is_ended() {
            return Err(MessageError::WriteAfterEnd);
        }
        if bounded && unsent.saturating_add(piece.len()) > self.limits.buffer_bytes_max {
            return Err(MessageError::LimitExceeded("outbound_buffer_bytes_max"));
        }
        if !self.is_fixed() {
            if piece.is_empty() {
                return self.fix();
            }
            let framing = if self.method == "CONNECT" { Framing::None } else { Framing::Chunked };
            let framing = self.plan(framing)?;
            self.check_body(framing, piece.len(), false)?;
            self.fix_as(framing)?;
        } else {
            self.check_body(self.framing, piece.len(), false)?;
        }
        self.push(piece);
        Ok(())
    }

    /// Ends the request; see `end`.
    ///
    /// # Errors
    /// Those of `end`; then nothing has changed.
    pub fn end(&mut self, piece: Option<Vec<u8>>) -> Result<(), MessageError> {
        if self.is_ended() {
            let again = MessageError::AlreadyFinished;
            return Err(if piece.is_some() { MessageError::WriteAfterEnd } else { again });
        }
        let length = piece.as_ref().map_or(0, Vec::len);
        if !self.is_fixed() {
            let known = match length {
                0 if self.is_usually_empty() => Framing::None,
                _ if self.method == "CONNECT" => Framing::None,
                // Trailers need chunks.
                _ if self.fields.has("trailer") || !self.trailers.is_empty() => Framing::Chunked,
                length => Framing::Length(length as u64),
            };
            let framing = self.plan(known)?;
            self.check_body(framing, length, true)?;
            self.fix_as(framing)?;
        } else {
            self.check_body(self.framing, length, true)?;
        }
        if let Some(piece) = piece {
            self.push(piece);
        }
        self.phase = Phase::Ended;
        Ok(())
    }

    /// Sets the trailers; see `add-trailers`.
    ///
    /// # Errors
    /// Those of `add-trailers`; then the earlier ones stay.
    pub fn add_trailers(&mut self, lines: Vec<Line>) -> Result<(), MessageError> {
        if self.is_ended() {
            return Err(MessageError::AlreadyFinished);
        }
        check_lines(&lines, self.limits.fields)?;
        if let Some((name, _)) = lines.iter().find(|(name, _)| !may_be_trailer(name)) {
            return Err(MessageError::TrailerInvalid(format!("{name} cannot be a trailer (RFC 9110 6.5.1)")));
        }
        self.trailers = lines;
        Ok(())
    }

    /// The next piece of the body that no connection has.
    pub fn take_piece(&mut self) -> Option<Vec<u8>> {
        let piece = self.pieces.pop_front()?;
        self.piece_bytes -= piece.len();
        Some(piece)
    }

    /// Takes pieces back, in front of those that are left, to be sent on
    /// another connection.
    pub fn put_back(&mut self, pieces: Vec<Vec<u8>>) {
        for piece in pieces.into_iter().rev() {
            self.piece_bytes += piece.len();
            self.pieces.push_front(piece);
        }
    }

    /// Forgets what was not sent.
    pub fn forget_body(&mut self) {
        self.pieces.clear();
        self.piece_bytes = 0;
    }

    /// Renders the head for HTTP/1.1: the guest's fields, then `Connection` and
    /// the framing, as Node orders them.
    pub fn render(&self, keep_alive: bool) -> BytesMut {
        let mut head = BytesMut::with_capacity(self.fields.bytes() + self.path.len() + 128);
        head.extend_from_slice(self.method.as_bytes());
        head.extend_from_slice(b" ");
        head.extend_from_slice(self.path.as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        self.fields.render(&mut head, |_| false);
        // A guest may have removed it, or left it without a value.
        if self.fields.first("host").is_none() {
            put_line(&mut head, "Host", self.host.as_bytes());
        }
        if !self.fields.has("connection") {
            put_line(&mut head, "Connection", if keep_alive { b"keep-alive" } else { b"close" });
        }
        match self.framing {
            Framing::Length(length) if self.adds_framing => {
                put_line(&mut head, "Content-Length", itoa::Buffer::new().format(length).as_bytes());
            }
            Framing::Chunked if self.adds_framing => put_line(&mut head, "Transfer-Encoding", b"chunked"),
            _ => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    fn push(&mut self, piece: Vec<u8>) {
        if !piece.is_empty() && self.framing != Framing::None {
            self.body_bytes += piece.len() as u64;
            self.piece_bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// The framing: what the guest says in its headers, or `otherwise`.
    fn plan(&self, otherwise: Framing) -> Result<Framing, MessageError> {
        if self.fields.values("host").count() > 1 {
            let message = "Host must have one value (RFC 9112 3.2)".to_owned();
            return Err(MessageError::InvalidHeaderValue(message));
        }
        let length = self.fields.first("content-length").and_then(content_length);
        let coding = self.fields.has("transfer-encoding");
        if (length.is_some() || coding) && self.method == "CONNECT" {
            let message = "a CONNECT request has no body (RFC 9110 9.3.6)".to_owned();
            return Err(MessageError::InvalidHeaderValue(message));
        }
        match length {
            Some(_) if coding => Err(MessageError::InvalidHeaderValue(
                "Content-Length and Transfer-Encoding exclude each other (RFC 9112 6.2)".to_owned(),
            )),
            Some(_) if self.fields.has("trailer") => {
                Err(MessageError::TrailerInvalid("Trailer and Content-Length exclude each other".to_owned()))
            }
            Some(length) => Ok(Framing::Length(length)),
            None if coding => Ok(Framing::Chunked),
            None => Ok(otherwise),
        }
    }

    fn fix_as(&mut self, otherwise: Framing) -> Result<(), MessageError> {
        self.framing = self.plan(otherwise)?;
        self.adds_framing = !self.fields.has("content-length") && !self.fields.has("transfer-encoding");
        self.phase = Phase::Fixed;
        Ok(())
    }

    fn check_body(&self, framing: Framing, length: usize, last: bool) -> Result<(), MessageError> {
        let actual = self.body_bytes + length as u64;
        match framing {
            Framing::None if length > 0 => Err(MessageError::BodyNotAllowed),
            Framing::Length(declared) if actual > declared || (last && actual != declared) => {
                Err(MessageError::ContentLengthMismatch { declared, actual })
            }
            _ if actual > self.limits.body_bytes_max => {
                Err(MessageError::LimitExceeded("outbound_request_body_bytes_max"))
            }
            _ => Ok(()),
        }
    }

    /// Whether requests of its method have no body as a rule
    /// (Node: `useChunkedEncodingByDefault` is false).
    fn is_usually_empty(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT")
    }
}

/// Sets header lines, several of one name as several lines, but those of
/// `Cookie` as one (RFC 6265 5.4).
fn set_all(fields: &mut Fields, lines: Vec<Line>, limits: FieldLimits) -> Result<(), MessageError> {
    for (name, value) in lines {
        match fields.first("cookie") {
            Some(first) if name.eq_ignore_ascii_case("cookie") => {
                let joined = [first, &value].join(&b"; "[..]);
                fields.set(&name, vec![joined], limits)?;
            }
            // In its place and its spelling (Node: headers as an array).
            _ => fields.push(&name, value, limits)?,
        }
    }
    Ok(())
}

/// Whether to do twice what a method asks for does no harm (RFC 9110 9.2.2).
pub fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
}

#[cfg(test)]
mod tests;
