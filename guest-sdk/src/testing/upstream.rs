//! The other side of what a handler asks other servers: the [`Call`] that comes
//! there, and the [`Reply`] that a test gives.

use std::collections::VecDeque;

use crate::{ErrorCode, Field, HeaderValues};

/// A request of the handler's own, as the server has it.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<Field>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
}

impl Call {
    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The request target.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The header lines, in order.
    pub fn headers(&self) -> &[Field] {
        &self.headers
    }

    /// The first value of a header, by name in any case; `None` if it is not
    /// there or is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The trailer lines.
    pub fn trailers(&self) -> &[Field] {
        &self.trailers
    }
}

/// What a server of the test answers. Text and bytes become the body of a 200,
/// a number becomes a status without a body, an [`ErrorCode`] what the handler
/// gets in the place of a response.
#[derive(Debug)]
pub struct Reply(pub(crate) Result<Parts, ErrorCode>);

#[derive(Debug)]
pub(crate) struct Parts {
    pub status: u16,
    pub headers: Vec<Field>,
    pub pieces: VecDeque<Result<Vec<u8>, ErrorCode>>,
    pub streamed: bool,
    pub trailers: Vec<Field>,
}

impl Reply {
    /// A response of this status. What frames its body is added where it is not
    /// given.
    pub fn new(status: u16) -> Self {
        Self(Ok(Parts {
            status,
            headers: Vec::new(),
            pieces: VecDeque::new(),
            streamed: false,
            trailers: Vec::new(),
        }))
    }

    /// Adds a header, one line for each value.
    pub fn header(self, name: &str, values: impl HeaderValues) -> Self {
        self.with(|parts| parts.headers.extend(lines(name, values)))
    }

    /// The body, which comes at once.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.with(|parts| parts.pieces = VecDeque::from([Ok(body.into())]))
    }

    /// Adds a piece of body, which is chunked.
    pub fn piece(self, piece: impl Into<Vec<u8>>) -> Self {
        self.with(|parts| {
            parts.streamed = true;
            parts.pieces.push_back(Ok(piece.into()));
        })
    }

    /// Has reading the body fail like this after what was given of it.
    pub fn breaks(self, error: ErrorCode) -> Self {
        self.with(|parts| {
            parts.streamed = true;
            parts.pieces.push_back(Err(error));
        })
    }

    /// Adds a trailer to a body that is chunked.
    pub fn trailer(self, name: &str, values: impl HeaderValues) -> Self {
        self.with(|parts| {
            parts.streamed = true;
            parts.trailers.extend(lines(name, values));
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        if let Ok(parts) = &mut self.0 {
            change(parts);
        }
        self
    }
}

fn lines(name: &str, values: impl HeaderValues) -> Vec<Field> {
    values.with_values(|values| values.iter().map(|value| (name.to_owned(), value.to_vec())).collect())
}

impl From<&str> for Reply {
    fn from(body: &str) -> Self {
        Self::new(200).body(body)
    }
}

impl From<String> for Reply {
    fn from(body: String) -> Self {
        Self::new(200).body(body)
    }
}

impl From<Vec<u8>> for Reply {
    fn from(body: Vec<u8>) -> Self {
        Self::new(200).body(body)
    }
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self::new(status)
    }
}

impl From<ErrorCode> for Reply {
    fn from(error: ErrorCode) -> Self {
        Self(Err(error))
    }
}
