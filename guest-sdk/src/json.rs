//! Bodies that are JSON: read with [`IncomingMessage::json`], answered with
//! [`ServerResponse::json`]. With the feature `json`.
//!
//! ```
//! use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
//!
//! #[handler]
//! fn double(req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     let numbers: Vec<f64> = match req.json(64 * 1024) {
//!         Ok(numbers) => numbers,
//!         // 400, 413 or 415, with what is wrong.
//!         Err(error) => return error.answer(&res),
//!     };
//!     res.json(&numbers.iter().map(|number| number * 2.0).collect::<Vec<_>>())
//! }
//! # fn main() {}
//! ```
//!
//! The types are those of serde; name the crates `serde` and, for
//! `json!`, `serde_json` among the handler's own dependencies.

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{ErrorCode, IncomingMessage, Result, ServerResponse};

/// Why a body is not the JSON that was to be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonError {
    /// `Content-Type` is missing (`None`), or neither `application/json` nor
    /// one that ends in `+json`.
    ContentType(Option<String>),
    /// The body is compressed, as this `Content-Encoding` says.
    ContentEncoding(String),
    /// The body is longer than this handler, or the operator, takes.
    TooLong,
    /// The body is no JSON, or other JSON than was to be read.
    Malformed(serde_json::Error),
    /// The body could not be read to its end.
    Read(ErrorCode),
}

impl IncomingMessage {
    /// The body as JSON, of `limit` bytes at most.
    ///
    /// # Errors
    /// Why it is not; [`JsonError::answer`] tells the client.
    pub fn json<T: DeserializeOwned>(&self, limit: u64) -> Result<T, JsonError> {
        let content_type = self.header_str("content-type");
        if !content_type.as_deref().is_some_and(is_json) {
            return Err(JsonError::ContentType(content_type));
        }
        if let Some(encoding) = self.header_str("content-encoding")
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(JsonError::ContentEncoding(encoding));
        }
        let declared = self.header_str("content-length").and_then(|length| length.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit) {
            return Err(JsonError::TooLong);
        }
        let body = self.read_all(limit).map_err(|error| match error {
            ErrorCode::LimitExceeded(_) => JsonError::TooLong,
            error => JsonError::Read(error),
        })?;
        serde_json::from_slice(&body).map_err(JsonError::Malformed)
    }
}

impl ServerResponse {
    /// Ends the response with a value as JSON, and says so in `Content-Type`,
    /// unless that is set already.
    ///
    /// # Errors
    /// If the value is none that JSON has, with nothing sent; those of
    /// [`end`](Self::end).
    pub fn json(&self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        let body = serde_json::to_vec(value)?;
        if !self.has_header("content-type") {
            self.set_header("Content-Type", "application/json")?;
        }
        Ok(self.end(body)?)
    }
}

impl JsonError {
    /// The status that says so: 400, 413 or 415.
    pub fn status(&self) -> u16 {
        match self {
            Self::ContentType(_) | Self::ContentEncoding(_) => 415,
            Self::TooLong => 413,
            Self::Malformed(_) | Self::Read(_) => 400,
        }
    }

    /// Tells the client, as `application/problem+json` (RFC 9457).
    ///
    /// # Errors
    /// What reading failed with, if it failed: then there may be nobody to tell,
    /// and the host does what is left to do. Those of [`ServerResponse::json`].
    pub fn answer(self, res: &ServerResponse) -> Result<()> {
        let status = self.status();
        let detail = self.to_string();
        if let Self::Read(error) = self {
            return Err(error.into());
        }
        res.set_status_code(status);
        if status == 415 {
            // RFC 9110 15.5.16: what would have been accepted.
            res.set_header("Accept", "application/json")?;
        }
        if status == 413 {
            // The rest of the body is of no use to anybody.
            res.set_should_keep_alive(false);
        }
        res.set_header("Content-Type", "application/problem+json")?;
        res.json(&serde_json::json!({ "status": status, "detail": detail }))
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContentType(None) => {
                f.write_str("the body has no content-type; send it as application/json")
            }
            Self::ContentType(Some(other)) => {
                write!(f, "the body is {other:?}; send it as application/json")
            }
            Self::ContentEncoding(encoding) => {
                write!(f, "the body is encoded as {encoding:?}; send it plain")
            }
            Self::TooLong => f.write_str("the body is too long"),
            Self::Malformed(error) => write!(f, "the body is not as it should be: {error}"),
            Self::Read(_) => f.write_str("the body was not read to its end"),
        }
    }
}

impl StdError for JsonError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // Its text is part of this one's.
            Self::Read(error) => Some(error),
            _ => None,
        }
    }
}

/// `application/json`, or any type with the suffix `+json` (RFC 6839 3.1).
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    !kind.is_empty()
        && (essence == "application/json" || subtype.strip_suffix("+json").is_some_and(|s| !s.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn types_of_json() {
        for yes in
            ["application/json", "Application/JSON; charset=utf-8", "application/ld+json", "a/b+json ;c=d"]
        {
            assert!(is_json(yes), "{yes}");
        }
        for no in ["", "json", "text/plain", "application/jsonp", "application/json5", "/+json", "a/+json"] {
            assert!(!is_json(no), "{no}");
        }
    }
}
