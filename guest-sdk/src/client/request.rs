//! [`Request`]: what a request is to be, before there is one.

use std::time::Duration;

use super::{Agent, ClientRequest, url};
use crate::host::client as wire;
use crate::socket::milliseconds;
use crate::{ErrorCode, Field, Fields, HeaderValues, IncomingMessage};

/// What a request is to be (Node: the options of `http.request`). Made by
/// [`request`](super::request), and ended by [`send`](Self::send),
/// [`send_empty`](Self::send_empty) or [`start`](Self::start).
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `send`, `send_empty` or `start`"]
pub struct Request<'a> {
    method: String,
    /// What was wrong with the URL is told when the request is to be made.
    url: Result<url::Url, ErrorCode>,
    headers: Vec<Field>,
    timeout: Duration,
    max_header_size: Option<u32>,
    protocol: Protocol,
    agent: AgentChoice<'a>,
}

/// Which version of HTTP carries a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 if the server agrees to it in the TLS handshake (ALPN), else
    /// HTTP/1.1. Without TLS this is HTTP/1.1.
    Negotiated,
    /// HTTP/2, without asking if there is no TLS (prior knowledge,
    /// RFC 9113 3.3); [`ErrorCode::Connect`] if the server does not agree to
    /// it.
    Http2,
}

#[derive(Clone, Debug)]
enum AgentChoice<'a> {
    Global,
    None,
    Agent(&'a Agent),
}

impl<'a> Request<'a> {
    pub(super) fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url::parse(url),
            headers: Vec::new(),
            timeout: Duration::ZERO,
            max_header_size: None,
            protocol: Protocol::default(),
            agent: AgentChoice::Global,
        }
    }

    /// Adds a header: one value or several, one line each. Several of `Cookie`
    /// are joined (Node: `headers`).
    pub fn header(mut self, name: &str, values: impl HeaderValues) -> Self {
        values.with_values(|values| {
            self.headers.extend(values.iter().map(|value| (name.to_owned(), value.to_vec())));
        });
        self
    }

    /// Adds header lines as they are (Node: `headers`).
    pub fn headers(mut self, headers: impl Fields) -> Self {
        headers.with_fields(|headers| {
            self.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())));
        });
        self
    }

    /// The request target, in place of what the URL says: `*`, or for CONNECT
    /// the authority that is asked for. It is sent as it is (Node: `path`).
    pub fn path(mut self, path: &str) -> Self {
        if let Ok(url) = &mut self.url {
            path.clone_into(&mut url.path);
        }
        self
    }

    /// `user:password`, in place of those of the URL, which becomes
    /// `Authorization: Basic` unless there is such a header (Node: `auth`).
    pub fn auth(mut self, auth: impl AsRef<[u8]>) -> Self {
        if let Ok(url) = &mut self.url {
            url.auth = Some(auth.as_ref().to_vec());
        }
        self
    }

    /// Time without a byte in either direction after which whoever waits is
    /// told; none unless it is said. See [`ClientRequest::set_timeout`]
    /// (Node: `timeout`).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Bytes of the response's head, within the operator's limit
    /// (Node: `maxHeaderSize`).
    pub fn max_header_size(mut self, bytes: u32) -> Self {
        self.max_header_size = Some(bytes);
        self
    }

    /// Which version of HTTP carries it; HTTP/1.1 unless it is said.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// The agent whose connections it may use; the app's own unless it is said
    /// (Node: `agent`).
    pub fn agent(mut self, agent: &'a Agent) -> Self {
        self.agent = AgentChoice::Agent(agent);
        self
    }

    /// A connection for this request alone, which is closed after it
    /// (Node: `agent: false`).
    pub fn no_agent(mut self) -> Self {
        self.agent = AgentChoice::None;
        self
    }

    /// Makes the request, and sends nothing yet: headers can still be set, and
    /// the body is written piece by piece (Node: `http.request`).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArg`] for what is no URL, no method or no host,
    /// [`ErrorCode::InvalidProtocol`] for a scheme other than `http` and
    /// `https`, [`ErrorCode::UnescapedPath`],
    /// [`ErrorCode::Denied`] if the operator does not allow this origin,
    /// [`ErrorCode::LimitExceeded`], and those of
    /// [`ClientRequest::set_header`].
    pub fn start(self) -> Result<ClientRequest, ErrorCode> {
        let url = self.url?;
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let options = wire::RequestOptions {
            method: &self.method,
            scheme: &url.scheme,
            authority: &url.authority,
            path: &url.path,
            headers: &headers,
            auth: url.auth.as_deref(),
            timeout: milliseconds(self.timeout),
            max_header_size: self.max_header_size,
            protocol: match self.protocol {
                Protocol::Http1 => wire::Protocol::Http1,
                Protocol::Negotiated => wire::Protocol::Negotiated,
                Protocol::Http2 => wire::Protocol::Http2,
            },
        };
        let agent = match self.agent {
            AgentChoice::Global => wire::AgentChoice::Global,
            AgentChoice::None => wire::AgentChoice::None,
            AgentChoice::Agent(agent) => wire::AgentChoice::Agent(&agent.0),
        };
        Ok(ClientRequest::new(wire::ClientRequest::new(options, agent)?))
    }

    /// Sends the request with this body, and waits for the response. The body
    /// goes out with its `Content-Length`.
    ///
    /// # Errors
    /// Those of [`start`](Self::start) and of [`ClientRequest::response`].
    pub fn send(self, body: impl AsRef<[u8]>) -> Result<IncomingMessage, ErrorCode> {
        let request = self.start()?;
        request.end(body)?;
        request.response()
    }

    /// Sends the request without a body, and waits for the response.
    ///
    /// # Errors
    /// Those of [`start`](Self::start) and of [`ClientRequest::response`].
    pub fn send_empty(self) -> Result<IncomingMessage, ErrorCode> {
        let request = self.start()?;
        request.end_empty()?;
        request.response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lines_are_in_order_and_none_is_lost() {
        let request = Request::new("GET", "http://a/")
            .header("X-A", ["1", "2"])
            .headers([("x-a", "3"), ("B", "4")])
            .header("Content-Length", 5);
        let lines: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        assert_eq!(
            lines,
            [("X-A", &b"1"[..]), ("X-A", b"2"), ("x-a", b"3"), ("B", b"4"), ("Content-Length", b"5")]
        );
    }

    #[test]
    fn what_is_said_goes_before_the_url() {
        let url =
            Request::new("CONNECT", "http://u:p@proxy:3128").path("a:443").auth("x:y").url.expect("a url");
        assert_eq!((url.path.as_str(), url.auth.as_deref()), ("a:443", Some(&b"x:y"[..])));
        assert_eq!(url.authority, "proxy:3128");
    }

    #[test]
    fn a_bad_url_is_told_where_the_request_is_made() {
        let request = Request::new("GET", "a.example").path("/").auth("x:y").timeout(Duration::from_secs(1));
        assert!(matches!(request.start(), Err(ErrorCode::InvalidArg(_))));
        assert!(matches!(Request::new("GET", "ftp://a").send_empty(), Err(ErrorCode::InvalidProtocol(_))));
    }
}
