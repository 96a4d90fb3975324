//! The parts of an origin that somebody writes, an operator in an entry of
//! `outbound` or a guest in a request: scheme, host and port, each with one
//! form only. Strict where readers differ: what one library takes for a name
//! and another for an address is refused, so that what was allowed is what is
//! connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a name, without its final dot (RFC 1035, 2.3.4).
const NAME_BYTES_MAX: usize = 253;
/// Bytes of one of its labels.
const LABEL_BYTES_MAX: usize = 63;

/// Which protocol an origin speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

/// Whom to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, in lower case and without final dot.
    Name(String),
    /// An address.
    Ip(IpAddr),
}

impl Scheme {
    /// The scheme of this name, in any case; none for any other.
    pub fn of(text: &str) -> Option<Self> {
        [Scheme::Http, Scheme::Https].into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The port that it has if none is said.
    pub fn usual_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl Host {
    /// A host as an authority has it: a name, an IPv4 address, or an IPv6
    /// address in brackets.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(rest) = text.strip_prefix('[') {
            let address = rest.strip_suffix(']').and_then(|address| address.parse::<Ipv6Addr>().ok());
            return address
                .map(|address| Host::Ip(address.into()))
                .ok_or("write an IPv6 address without a zone, as in [fd00::1]");
        }
        if !text.is_ascii() {
            return Err("write the name in its ASCII form, which begins with xn--");
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Host::Ip(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err("a host is needed, as in api.example");
        }
        if !is_name(name) {
            return Err("a name consists of letters, digits, - and _, and of dots between them");
        }
        // The URL Standard has all of these be IPv4 addresses ("ends in a
        // number"), and resolvers read 0x7f.1 or 0177.1 as 127.0.0.1.
        if name.rsplit('.').next().is_some_and(is_number) {
            return Err("write an IPv4 address as four decimal numbers, as in 10.0.0.1");
        }
        Ok(Host::Name(name.to_ascii_lowercase()))
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

/// Whether a label is a decimal, octal or hexadecimal number.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Takes `host:port` apart; the port is as it is written.
///
/// # Errors
/// What to write instead.
pub fn host_and_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if authority.contains('@') {
        return Err("leave user and password out");
    }
    let colon = match authority.starts_with('[') {
        // An address in brackets has colons of its own.
        true => authority.find(']').map(|end| end + 1).filter(|end| authority.len() > *end),
        false => authority.find(':'),
    };
    let Some((host, port)) = colon.and_then(|colon| authority.split_at_checked(colon)) else {
        return Ok((authority, None));
    };
    match port.strip_prefix(':') {
        Some(port) if port.contains(':') => Err("write an IPv6 address in brackets, as in [fd00::1]:8080"),
        Some(port) => Ok((host, Some(port))),
        None => Err("only a port stands behind an address in brackets, as in [fd00::1]:8080"),
    }
}

/// A port.
///
/// # Errors
/// What to write instead.
pub fn port(text: &str) -> Result<u16, &'static str> {
    // The parser would take a sign.
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if is_digits && port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535"),
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// As an authority has it.
impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => out.write_str(name),
            Host::Ip(IpAddr::V4(address)) => address.fmt(out),
            Host::Ip(IpAddr::V6(address)) => write!(out, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests;
