//! A request of the handler's own, until the test's server answers it. The
//! rules are those of Node's `ClientRequest`, but every body is framed and
//! `Host` always goes out (RFC 9112 3.2, 6.3).

use std::sync::Arc;

use super::connection::Connection;
use super::fields::{Fields, check_lines, content_length, is_token};
use super::incoming::{Head, Incoming};
use super::response::may_be_trailer;
use super::types::IncomingMessage;
use super::world;
use crate::testing::{Call, Reply};
use crate::{ErrorCode, Field};

/// One request.
#[derive(Debug)]
pub struct Outgoing {
    method: String,
    path: String,
    origin: String,
    host: String,
    pub fields: Fields,
    phase: Phase,
    framing: Framing,
    trailers: Vec<Field>,
    body: Vec<u8>,
    answered: Option<Result<IncomingMessage, ErrorCode>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Fixed,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// What a request begins with.
pub struct Opening<'a> {
    pub method: &'a str,
    pub scheme: &'a str,
    pub authority: &'a str,
    pub path: &'a str,
    pub headers: Vec<Field>,
    pub authorization: Option<Vec<u8>>,
}

impl Outgoing {
    /// A request of which nothing is sent.
    ///
    /// # Errors
    /// A method, target or header that cannot be sent; `Denied` if the test has
    /// no server there.
    pub fn new(opening: Opening<'_>) -> Result<Self, ErrorCode> {
        let Opening { method, scheme, authority, path, headers, authorization } = opening;
        let origin = origin(scheme, authority)?;
        if world::upstream(&origin).is_none() {
            return Err(ErrorCode::Denied(format!("the operator does not allow requests to {origin}")));
        }
        if !is_token(method) {
            return Err(ErrorCode::InvalidArg(format!("method {method:?} is no token")));
        }
        if path.is_empty() || !path.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            return Err(ErrorCode::UnescapedPath(format!(
                "{path:?}: encode what is no visible ASCII character as %XX"
            )));
        }
        let mut fields = Fields::default();
        fields.overlay(headers)?;
        if let Some(value) = authorization.filter(|_| !fields.has("authorization")) {
            fields.set("Authorization", vec![value])?;
        }
        let host = host(scheme, authority);
        if !fields.has("host") {
            fields.set("Host", vec![host.clone().into_bytes()])?;
        }
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            origin,
            host,
            fields,
            phase: Phase::Open,
            framing: Framing::None,
            trailers: Vec::new(),
            body: Vec::new(),
            answered: None,
        })
    }

    pub fn is_fixed(&self) -> bool {
        self.phase != Phase::Open
    }

    /// The headers, to be changed.
    ///
    /// # Errors
    /// `HeadersSent`.
    pub fn open_fields(&mut self) -> Result<&mut Fields, ErrorCode> {
        if self.is_fixed() { Err(ErrorCode::HeadersSent) } else { Ok(&mut self.fields) }
    }

    /// Fixes the head if it is not; see `flush-headers`.
    ///
    /// # Errors
    /// Headers that exclude each other.
    pub fn fix(&mut self) -> Result<(), ErrorCode> {
        if !self.is_fixed() {
            let framing = if self.is_usually_empty() { Framing::None } else { Framing::Chunked };
            self.framing = self.plan(framing)?;
            self.phase = Phase::Fixed;
        }
        Ok(())
    }

    /// Appends a piece of body; see `write`.
    ///
    /// # Errors
    /// Those of `write`; then nothing was appended.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Ended => return Err(ErrorCode::WriteAfterEnd),
            Phase::Open if piece.is_empty() => return self.fix(),
            Phase::Open => {
                let framing = self.plan(Framing::Chunked)?;
                self.check_body(framing, piece.len(), false)?;
                self.framing = framing;
                self.phase = Phase::Fixed;
            }
            Phase::Fixed => self.check_body(self.framing, piece.len(), false)?,
        }
        self.push(piece);
        Ok(())
    }

    /// Ends the request; see `end`.
    ///
    /// # Errors
    /// Those of `end`; then nothing has changed.
    pub fn end(&mut self, piece: Option<&[u8]>) -> Result<(), ErrorCode> {
        let length = piece.map_or(0, <[u8]>::len);
        match self.phase {
            Phase::Ended if piece.is_some() => return Err(ErrorCode::WriteAfterEnd),
            Phase::Ended => return Err(ErrorCode::AlreadyFinished),
            Phase::Open => {
                let known = match length {
                    0 if self.is_usually_empty() => Framing::None,
                    // Trailers need chunks.
                    _ if self.fields.has("trailer") || !self.trailers.is_empty() => Framing::Chunked,
                    length => Framing::Length(length as u64),
                };
                let framing = self.plan(known)?;
                self.check_body(framing, length, true)?;
                self.framing = framing;
            }
            Phase::Fixed => self.check_body(self.framing, length, true)?,
        }
        self.push(piece.unwrap_or_default());
        self.phase = Phase::Ended;
        Ok(())
    }

    /// Sets the trailers; see `add-trailers`.
    ///
    /// # Errors
    /// Those of `add-trailers`.
    pub fn add_trailers(&mut self, lines: Vec<Field>) -> Result<(), ErrorCode> {
        if self.phase == Phase::Ended {
            return Err(ErrorCode::AlreadyFinished);
        }
        check_lines(&lines)?;
        if let Some((name, _)) = lines.iter().find(|(name, _)| !may_be_trailer(name)) {
            return Err(ErrorCode::TrailerInvalid(format!("{name} cannot be a trailer (RFC 9110 6.5.1)")));
        }
        self.trailers = lines;
        Ok(())
    }

    /// What the test's server answers; it is asked once.
    ///
    /// # Errors
    /// What it has in the place of an answer.
    ///
    /// # Panics
    /// If the request was not ended: the server answers whole requests.
    pub fn answer(&mut self) -> Result<IncomingMessage, ErrorCode> {
        if let Some(answered) = &self.answered {
            return answered.clone();
        }
        assert!(
            self.phase == Phase::Ended,
            "a response was waited for before the request to {} was ended: in a test only whole requests are \
             answered",
            self.origin
        );
        world::wait();
        let upstream = world::upstream(&self.origin);
        let call = self.call();
        let answered = match upstream {
            Some(upstream) => message(upstream.borrow_mut()(&call), &self.method),
            None => Err(ErrorCode::Destroyed),
        };
        self.answered.insert(answered).clone()
    }

    /// It is given up.
    pub fn destroy(&mut self) {
        if self.answered.is_none() {
            self.answered = Some(Err(ErrorCode::Aborted));
        }
        if let Some(Ok(message)) = &self.answered {
            message.connection.destroy();
        }
    }

    fn call(&self) -> Call {
        let mut headers: Vec<_> = self.fields.lines().collect();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            headers.push(("Host".to_owned(), self.host.clone().into_bytes()));
        }
        if !self.fields.has("connection") {
            headers.push(("Connection".to_owned(), b"keep-alive".to_vec()));
        }
        let said = self.fields.has("content-length") || self.fields.has("transfer-encoding");
        match self.framing {
            _ if said => {}
            Framing::None => {}
            Framing::Length(length) => headers.push(("Content-Length".to_owned(), length.to_string().into())),
            Framing::Chunked => headers.push(("Transfer-Encoding".to_owned(), b"chunked".to_vec())),
        }
        let trailers = if self.framing == Framing::Chunked { self.trailers.clone() } else { Vec::new() };
        Call {
            method: self.method.clone(),
            url: self.path.clone(),
            headers,
            body: self.body.clone(),
            trailers,
        }
    }

    fn push(&mut self, piece: &[u8]) {
        if self.framing != Framing::None {
            self.body.extend_from_slice(piece);
        }
    }

    /// The framing that the headers say, or `otherwise`.
    fn plan(&self, otherwise: Framing) -> Result<Framing, ErrorCode> {
        let length = self.fields.get("content-length").and_then(|values| content_length(values.first()?));
        match (length, self.fields.has("transfer-encoding")) {
            (Some(_), true) => Err(ErrorCode::InvalidHeaderValue(
                "Content-Length and Transfer-Encoding exclude each other (RFC 9112 6.2)".to_owned(),
            )),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, true) => Ok(Framing::Chunked),
            (None, false) => Ok(otherwise),
        }
    }

    fn check_body(&self, framing: Framing, length: usize, last: bool) -> Result<(), ErrorCode> {
        let actual = (self.body.len() + length) as u64;
        match framing {
            Framing::Length(declared) if actual > declared || (last && actual != declared) => {
                Err(ErrorCode::ContentLengthMismatch { declared, actual })
            }
            _ => Ok(()),
        }
    }

    /// Whether requests of this method have no body, as a rule (Node's list).
    fn is_usually_empty(&self) -> bool {
        ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"].contains(&self.method.as_str())
    }
}

/// The response that a reply is.
fn message(reply: Reply, method: &str) -> Result<IncomingMessage, ErrorCode> {
    let reply = reply.0?;
    let empty = method == "HEAD" || reply.status == 204 || reply.status == 304;
    let framed = reply.headers.iter().any(|(name, _)| super::fields::is_framing(name));
    let mut lines = reply.headers;
    let streamed = reply.streamed && !empty;
    let length: usize = reply.pieces.iter().flatten().map(Vec::len).sum();
    match streamed {
        _ if framed || empty => {}
        true => lines.push(("Transfer-Encoding".to_owned(), b"chunked".to_vec())),
        false => lines.push(("Content-Length".to_owned(), length.to_string().into())),
    }
    let reason = super::framing::reason_of(reply.status).to_owned();
    let head = Head { version: "1.1", status: Some((reply.status, reason)), lines, ..Head::default() };
    let pieces = if empty { Default::default() } else { reply.pieces };
    let incoming = Incoming::new(head, pieces, streamed, reply.trailers);
    Ok(IncomingMessage {
        incoming: Arc::new(incoming.into()),
        connection: Arc::new(Connection::default()),
        response: None,
    })
}

/// Scheme, host and port in one form.
///
/// # Errors
/// `InvalidProtocol`, `InvalidArg`.
pub fn origin(scheme: &str, authority: &str) -> Result<String, ErrorCode> {
    let port = usual_port(scheme)?;
    if authority.is_empty() || authority.contains(['@', '/', ' ']) {
        return Err(ErrorCode::InvalidArg(format!("{authority:?} is no authority: give host or host:port")));
    }
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    Ok(if has_port { format!("{scheme}://{authority}") } else { format!("{scheme}://{authority}:{port}") })
}

/// An authority as a `Host` field has it: without the usual port.
fn host(scheme: &str, authority: &str) -> String {
    let port = usual_port(scheme).map(|port| format!(":{port}")).unwrap_or_default();
    let authority = authority.to_ascii_lowercase();
    authority.strip_suffix(&port).unwrap_or(&authority).to_owned()
}

fn usual_port(scheme: &str) -> Result<u16, ErrorCode> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => Ok(80),
        _ if scheme.eq_ignore_ascii_case("https") => Ok(443),
        _ => Err(ErrorCode::InvalidProtocol(format!(
            "{scheme:?} is no scheme of requests; give http or https"
        ))),
    }
}
