//! A client of a host's administration, over TCP or a Unix socket: one method
//! that asks and one that reads answers line by line. Which host and which
//! token is `admin::access`'s affair, what is asked is that of each subcommand.

use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::admin::views::ErrorView;
use crate::config::AdminAddress;

/// Time to be connected: a host is near, or it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for an answer that is no stream. Activating a version may compile it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Bytes of a line of an answer: more than any that a host writes.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Where a host is administered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// At this `HOST:PORT`.
    Http(String),
    /// At a Unix socket.
    Unix(PathBuf),
}

/// A token, and where it is from.
#[derive(Clone)]
pub struct Token {
    /// The token.
    pub value: String,
    /// What an error calls its source.
    pub from: String,
}

/// A client of one host's administration.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    address: Address,
    token: Token,
}

/// What the administration said.
pub struct Answer {
    /// Its body, unchanged.
    pub text: String,
}

/// An answer that comes line by line.
pub struct Lines {
    response: Response,
    address: Address,
    pending: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody is there.
    #[error("cannot reach a host at {address}: {reason}; start the host, or name its address with --admin")]
    Unreachable {
        /// Where it was looked for.
        address: Address,
        /// What the system says.
        reason: String,
    },
    /// The host went away before it had answered.
    #[error("the host at {address} did not answer to the end: {reason}")]
    Broken {
        /// The host.
        address: Address,
        /// What became of the connection.
        reason: String,
    },
    /// The token opens nothing.
    #[error("the host at {address} does not take the token of {from}: {message}")]
    Unauthorized {
        /// The host.
        address: Address,
        /// Where the token is from.
        from: String,
        /// The host's words.
        message: String,
    },
    /// It will not do this.
    #[error("{message}")]
    Refused {
        /// The host's words.
        message: String,
    },
    /// What it says is not what this program expects.
    #[error("the host speaks otherwise than this program ({0}); use the version of the host")]
    Foreign(String),
}

impl Client {
    /// A client; it connects when it is asked something.
    ///
    /// # Errors
    /// None but the library's own.
    pub fn new(address: Address, token: Token) -> anyhow::Result<Self> {
        // Environment variables that name proxies are not about this.
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT);
        let (http, base) = match &address {
            Address::Http(authority) => (http, Url::parse(&format!("http://{authority}/"))?),
            // Every request has a host name; this one is never looked up.
            Address::Unix(path) => (http.unix_socket(path.as_path()), Url::parse("http://innkeeper/")?),
        };
        Ok(Client { http: http.build()?, base, address, token })
    }

    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// No host, a host that goes away, or one that refuses.
    pub async fn ask(&self, method: Method, path: &[&str]) -> Result<Answer, AskError> {
        self.send(self.request(method, path).timeout(ANSWER_TIMEOUT)).await
    }

    /// The same with something to say as JSON.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub async fn ask_with(
        &self,
        method: Method,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<Answer, AskError> {
        self.send(self.request(method, path).timeout(ANSWER_TIMEOUT).json(body)).await
    }

    /// The same with a query.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub async fn ask_for(&self, path: &[&str], query: &impl Serialize) -> Result<Answer, AskError> {
        self.send(self.request(Method::GET, path).timeout(ANSWER_TIMEOUT).query(query)).await
    }

    /// A request to be completed; a path is given by its segments.
    pub fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        self.http.request(method, url).bearer_auth(&self.token.value)
    }

    /// Sends a request whose answer comes line by line.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), but for what happens after the head.
    pub async fn lines(&self, request: RequestBuilder) -> Result<Lines, AskError> {
        let response = self.respond(request).await?;
        Ok(Lines { response, address: self.address.clone(), pending: Vec::new() })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, AskError> {
        let response = self.respond(request).await?;
        let text = response.text().await.map_err(|error| broken(&self.address, &error))?;
        Ok(Answer { text })
    }

    /// The head of an answer that is a good one.
    async fn respond(&self, request: RequestBuilder) -> Result<Response, AskError> {
        let response = request.send().await.map_err(|error| match error.is_connect() {
            true => AskError::Unreachable { address: self.address.clone(), reason: root_cause(&error) },
            false => broken(&self.address, &error),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let message = match serde_json::from_str(&text) {
            Ok(ErrorView { error }) => error,
            Err(_) if text.trim().is_empty() => format!("the host answered {status}"),
            Err(_) => text.trim().to_owned(),
        };
        Err(match status {
            StatusCode::UNAUTHORIZED => AskError::Unauthorized {
                address: self.address.clone(),
                from: self.token.from.clone(),
                message,
            },
            _ => AskError::Refused { message },
        })
    }
}

impl Answer {
    /// What it says.
    ///
    /// # Errors
    /// A host of another version.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, AskError> {
        read(&self.text)
    }
}

impl Lines {
    /// The next line without its end, or none. If the future is dropped, no
    /// line is lost.
    ///
    /// # Errors
    /// A host that goes away.
    pub async fn next(&mut self) -> Result<Option<String>, AskError> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.pending) {
                let line: Vec<u8> = self.pending.drain(..=end).take(end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if self.pending.len() > LINE_BYTES_MAX {
                return Err(AskError::Foreign("a line without an end".to_owned()));
            }
            match self.response.chunk().await.map_err(|error| broken(&self.address, &error))? {
                Some(piece) => self.pending.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
    }
}

/// What a text of the host says.
///
/// # Errors
/// A host of another version.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, AskError> {
    serde_json::from_str(text).map_err(|error| AskError::Foreign(error.to_string()))
}

fn broken(address: &Address, error: &reqwest::Error) -> AskError {
    AskError::Broken { address: address.clone(), reason: root_cause(error) }
}

/// What the system says; the libraries around it only repeat the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let how = "write it as http://127.0.0.1:9090 or unix:/run/innkeeper.sock";
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(how.to_owned()) } else { Ok(Address::Unix(path.into())) };
        }
        let url = Url::parse(text).map_err(|error| format!("{error}; {how}"))?;
        let authority = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        match authority.filter(|_| url.path() == "/" && url.query().is_none()) {
            Some(authority) => Ok(Address::Http(authority.to_owned())),
            None => Err(how.to_owned()),
        }
    }
}

impl From<AdminAddress> for Address {
    fn from(address: AdminAddress) -> Self {
        match address {
            AdminAddress::Unix(path) => Address::Unix(path),
            AdminAddress::Tcp(address) => Address::Http(address.to_string()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Http(authority) => write!(f, "http://{authority}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_they_are_written() {
        for text in ["http://127.0.0.1:9090", "http://[::1]:1", "http://inn", "unix:/run/a.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("http://inn:1/".parse::<Address>().unwrap().to_string(), "http://inn:1");
        for text in ["", "inn:1", "127.0.0.1:9090", "https://inn", "http://inn/path", "http://", "unix:"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
