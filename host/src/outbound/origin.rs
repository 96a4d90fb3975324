//! Whom a request is for: scheme, host and port of the request's options, in
//! one form. The guest's words become an origin here or nowhere; the policy,
//! the agents and the connections know only that.

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

pub use crate::config::authority::{Host, Scheme};
use crate::config::authority::{host_and_port, port};

/// Whom a request is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// With TLS or without.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port, which is never 0.
    pub port: u16,
}

/// Why something is no origin, in words for the guest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OriginError {
    /// The scheme is another.
    #[error("{0}")]
    Scheme(String),
    /// The authority is none.
    #[error("{0}")]
    Authority(String),
}

impl Origin {
    /// The origin of a scheme, `http` or `https`, and an authority: a host
    /// and, if it is not the usual one, the port.
    ///
    /// # Errors
    /// Which of them is wrong and what to write instead: an authority with a
    /// user, without a host, with port 0 or an empty one, with characters that
    /// no name has, with an address that some would read as another.
    pub fn parse(scheme: &str, authority: &str) -> Result<Self, OriginError> {
        let known = Scheme::of(scheme).ok_or_else(|| {
            OriginError::Scheme(format!("{scheme:?} is no scheme of requests; give http or https"))
        })?;
        let bad = |remedy: &str| OriginError::Authority(format!("{authority:?} is no authority: {remedy}"));
        let (host, written) = host_and_port(authority).map_err(bad)?;
        let port = match written {
            Some(written) => port(written).map_err(bad)?,
            None => known.usual_port(),
        };
        let host = Host::parse(host).map_err(bad)?;
        Ok(Origin { scheme: known, host, port })
    }

    /// As a `Host` field has it: without the port if it is the usual one, an
    /// IPv6 address in brackets.
    pub fn authority(&self) -> String {
        let Origin { scheme, host, port } = self;
        if *port == scheme.usual_port() { host.to_string() } else { format!("{host}:{port}") }
    }

    /// The name under which an agent counts its connections, Node's
    /// `agent.getName` with nothing but a host and a port; there, too, an IPv6
    /// address has no brackets. With TLS it is another.
    pub fn name(&self) -> String {
        let Origin { scheme, host, port } = self;
        let scheme = match scheme {
            Scheme::Http => "",
            Scheme::Https => "https:",
        };
        match host {
            Host::Ip(IpAddr::V6(address)) => format!("{scheme}{address}:{port}:"),
            host => format!("{scheme}{host}:{port}:"),
        }
    }
}

/// All three, the usual port too.
impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_form() {
        for (scheme, text, shown, authority, name) in [
            ("http", "a.example", "http://a.example:80", "a.example", "a.example:80:"),
            ("http", "a.example:80", "http://a.example:80", "a.example", "a.example:80:"),
            ("http", "a.example:443", "http://a.example:443", "a.example:443", "a.example:443:"),
            ("https", "A.Example.", "https://a.example:443", "a.example", "https:a.example:443:"),
            ("HTTPS", "a.example:80", "https://a.example:80", "a.example:80", "https:a.example:80:"),
            ("http", "10.0.0.1:8080", "http://10.0.0.1:8080", "10.0.0.1:8080", "10.0.0.1:8080:"),
            ("http", "[0::1]:80", "http://[::1]:80", "[::1]", "::1:80:"),
            ("https", "[::1]:8443", "https://[::1]:8443", "[::1]:8443", "https:::1:8443:"),
            ("http", "localhost:3000", "http://localhost:3000", "localhost:3000", "localhost:3000:"),
        ] {
            let origin = Origin::parse(scheme, text).unwrap();
            assert_eq!(origin.to_string(), shown);
            assert_eq!((origin.authority().as_str(), origin.name().as_str()), (authority, name));
            assert_eq!(Origin::parse(scheme, &origin.authority()), Ok(origin));
        }
    }

    #[test]
    fn what_is_no_origin() {
        for scheme in ["", "ftp", "http:", "https://", "ws"] {
            assert!(matches!(Origin::parse(scheme, "a"), Err(OriginError::Scheme(_))), "{scheme}");
        }
        for authority in [
            "",
            ":80",
            "u@a",
            "u:p@a",
            "a@b:80",
            "@a",
            "a:0",
            "a:",
            "a:65536",
            "a:+80",
            "a:x",
            "a:*",
            "a:80:80",
            "a b",
            " a",
            "a ",
            "a\r\nb",
            "a\0",
            "a\t",
            "%61",
            "a%2e",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "*",
            "*.a",
            "10.0.0.0/8",
            "[fd00::/8]",
            "[fe80::1%25eth0]",
            "fe80::1",
            "[::1",
            "[::1]x",
            "0x7f.1",
            "2130706433",
            "127.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "a.1",
            "ä.example",
            "１２７.0.0.1",
        ] {
            let error = Origin::parse("http", authority);
            assert!(matches!(error, Err(OriginError::Authority(_))), "{authority:?}: {error:?}");
        }
        let error = Origin::parse("http", "a:0").unwrap_err().to_string();
        assert_eq!(error, "\"a:0\" is no authority: a port is a number from 1 to 65535");
    }
}
