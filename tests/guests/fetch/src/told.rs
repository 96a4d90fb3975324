//! What came of a request, in the words that the tests compare.

use innkeeper_guest::bindings::innkeeper::http::types::{ErrorCode, IncomingMessage, Socket};
use serde::Serialize;

/// An answer, or the error that came in its place.
#[derive(Default, Serialize)]
pub struct Told {
    status: Option<u16>,
    version: Option<String>,
    headers: Vec<(String, String)>,
    /// The body; of a long one its beginning.
    body: String,
    body_bytes: usize,
    /// Whether the connection had served before.
    reused: bool,
    /// The address of the server.
    peer: String,
    encrypted: bool,
    /// Which call failed: `agent`, `new`, `trailers`, `write`, `try-write`,
    /// `end`, `response` or `body`.
    at: Option<&'static str>,
    /// The name of the error.
    error: Option<&'static str>,
    /// What it says.
    text: String,
}

/// Bytes of a body that are shown.
const SHOWN_MAX: usize = 1024;

const PIECE_BYTES_MAX: u32 = 64 * 1024;

impl Told {
    pub fn failed(at: &'static str, error: ErrorCode) -> Self {
        let (code, text) = words(error);
        Self { at: Some(at), error: Some(code), text, ..Self::default() }
    }

    /// A response, read to its end.
    pub fn answered(response: &IncomingMessage, reused: bool) -> Self {
        let mut told = Self::head(response);
        told.reused = reused;
        loop {
            match response.read(PIECE_BYTES_MAX) {
                Ok(Some(piece)) => {
                    let room = SHOWN_MAX.saturating_sub(told.body.len()).min(piece.len());
                    told.body.push_str(&text(&piece[..room]));
                    told.body_bytes += piece.len();
                }
                Ok(None) => return told,
                Err(error) => {
                    let Self { at, error, text, .. } = Self::failed("body", error);
                    return Self { at, error, text, ..told };
                }
            }
        }
    }

    /// What comes back through a tunnel for what is sent.
    pub fn tunnel(response: &IncomingMessage, socket: &Socket, sent: &str) -> Self {
        let mut told = Self::head(response);
        let answer = socket.write(sent.as_bytes()).and_then(|()| socket.read(PIECE_BYTES_MAX));
        match answer {
            Ok(bytes) => told.body = text(&bytes.unwrap_or_default()),
            Err(error) => return Self::failed("tunnel", error),
        }
        told
    }

    fn head(response: &IncomingMessage) -> Self {
        let socket = response.socket();
        let lines = response.raw_headers();
        Self {
            status: response.status_code(),
            version: Some(response.http_version()),
            headers: lines.into_iter().map(|(name, value)| (name, text(&value))).collect(),
            peer: format!("{}:{}", socket.remote_address(), socket.remote_port()),
            encrypted: socket.encrypted(),
            ..Self::default()
        }
    }

    /// Where a redirect leads.
    pub fn location(&self) -> Option<String> {
        self.status.filter(|status| (300..400).contains(status))?;
        let mut lines = self.headers.iter();
        lines.find(|(name, _)| name.eq_ignore_ascii_case("location")).map(|(_, value)| value.clone())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn words(error: ErrorCode) -> (&'static str, String) {
    match error {
        ErrorCode::InvalidHeaderName(text) => ("invalid-header-name", text),
        ErrorCode::InvalidHeaderValue(text) => ("invalid-header-value", text),
        ErrorCode::InvalidChar(text) => ("invalid-char", text),
        ErrorCode::TrailerInvalid(text) => ("trailer-invalid", text),
        ErrorCode::InvalidArg(text) => ("invalid-arg", text),
        ErrorCode::ConnectionReset => ("connection-reset", String::new()),
        ErrorCode::Timeout(text) => ("timeout", text),
        ErrorCode::Parse(text) => ("parse", text),
        ErrorCode::LimitExceeded(text) => ("limit-exceeded", text),
        ErrorCode::Denied(text) => ("denied", text),
        ErrorCode::UnescapedPath(text) => ("unescaped-path", text),
        ErrorCode::InvalidProtocol(text) => ("invalid-protocol", text),
        ErrorCode::Dns(text) => ("dns", text),
        ErrorCode::Connect(text) => ("connect", text),
        ErrorCode::Tls(text) => ("tls", text),
        ErrorCode::Aborted => ("aborted", String::new()),
        other => ("other", format!("{other:?}")),
    }
}
