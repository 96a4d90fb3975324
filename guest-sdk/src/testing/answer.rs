//! [`Answer`]: what a client would have received; [`Tunnelled`]: what it would
//! have on a connection that was taken over.

use crate::Field;
use crate::native::connection::Tunnel;
use crate::native::response::Sent;

/// What a client has once the handler has returned.
#[derive(Debug)]
pub struct Answer {
    sent: Sent,
    destroyed: bool,
    error: Option<String>,
}

/// An interim response, such as `103 Early Hints`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interim {
    /// The status, 100 to 199.
    pub status: u16,
    /// The header lines.
    pub headers: Vec<Field>,
}

impl Answer {
    pub(super) fn new(sent: Sent, destroyed: bool, error: Option<String>) -> Self {
        Self { sent, destroyed, error }
    }

    /// Whether there is a response at all, whole or not: not if the connection
    /// was destroyed, or the client went away, before anything was sent.
    pub fn is_answered(&self) -> bool {
        self.sent.head.is_some()
    }

    /// Whether the response came to its end. If not, the client sees a
    /// connection that was cut.
    pub fn is_whole(&self) -> bool {
        self.sent.ended
    }

    /// Whether the handler destroyed the connection.
    pub fn is_destroyed(&self) -> bool {
        self.destroyed
    }

    /// What the handler returned as `Err`, with its causes, as it stands in the
    /// log. The client does not see it.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The status.
    ///
    /// # Panics
    /// If there is no response.
    pub fn status(&self) -> u16 {
        self.head().0
    }

    /// The reason phrase.
    ///
    /// # Panics
    /// If there is no response.
    pub fn reason(&self) -> &str {
        &self.head().1
    }

    /// The header lines in order, those that a host adds included, but for
    /// `Date`.
    ///
    /// # Panics
    /// If there is no response.
    pub fn headers(&self) -> &[Field] {
        &self.head().2
    }

    /// The first value of a header, by name in any case; `None` if it is not
    /// there or is no text.
    ///
    /// # Panics
    /// If there is no response.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.values(name).next()?).ok()
    }

    /// All values of a header, by name in any case.
    ///
    /// # Panics
    /// If there is no response.
    pub fn values<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        values(self.headers(), name)
    }

    /// The body so far.
    pub fn body(&self) -> Vec<u8> {
        self.sent.pieces.concat()
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    pub fn text(&self) -> String {
        let text = String::from_utf8(self.body());
        text.unwrap_or_else(|error| panic!("the body is no text: {error}"))
    }

    /// The pieces in which the body was written. If it is chunked, each is a
    /// chunk.
    pub fn pieces(&self) -> &[Vec<u8>] {
        &self.sent.pieces
    }

    /// The trailer lines.
    pub fn trailers(&self) -> &[Field] {
        &self.sent.trailers
    }

    /// The first value of a trailer, by name in any case; `None` if it is not
    /// there or is no text.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(values(&self.sent.trailers, name).next()?).ok()
    }

    /// The interim responses that came before the response.
    pub fn interim(&self) -> Vec<Interim> {
        let interim = self.sent.interim.iter();
        interim.map(|(status, headers)| Interim { status: *status, headers: headers.clone() }).collect()
    }

    fn head(&self) -> &(u16, String, Vec<Field>) {
        self.sent.head.as_ref().unwrap_or_else(|| {
            let error = self.error.as_deref().unwrap_or("the handler returned no error");
            panic!("the connection was closed without a response ({error}); `is_answered` tells")
        })
    }
}

/// What became of a connection that was taken over.
#[derive(Debug)]
pub struct Tunnelled {
    tunnel: Tunnel,
    destroyed: bool,
    error: Option<String>,
}

impl Tunnelled {
    pub(super) fn new(tunnel: Tunnel, destroyed: bool, error: Option<String>) -> Self {
        Self { tunnel, destroyed, error }
    }

    /// What the handler wrote, the status line included.
    pub fn written(&self) -> &[u8] {
        &self.tunnel.written
    }

    /// What the handler wrote, as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    pub fn text(&self) -> &str {
        let text = std::str::from_utf8(&self.tunnel.written);
        text.unwrap_or_else(|error| panic!("what was written is no text: {error}"))
    }

    /// Whether the handler ended its side before it returned.
    pub fn is_ended(&self) -> bool {
        self.tunnel.ended
    }

    /// Whether the handler destroyed the connection.
    pub fn is_destroyed(&self) -> bool {
        self.destroyed
    }

    /// What the handler returned as `Err`, with its causes, as it stands in the
    /// log. The client sees a reset.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

fn values<'a, 'n>(lines: &'a [Field], name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    lines.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}
