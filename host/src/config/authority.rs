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
mod tests {
    use super::*;

    #[test]
    fn hosts_have_one_form() {
        for (text, shown) in [
            ("api.example", "api.example"),
            ("API.Example.", "api.example"),
            ("localhost", "localhost"),
            ("a-b_c.d", "a-b_c.d"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("1and1.example", "1and1.example"),
            ("10.example", "10.example"),
            ("a.0b1", "a.0b1"),
            ("10.0.0.1", "10.0.0.1"),
            ("[0::1]", "[::1]"),
            ("[FD00::A]", "[fd00::a]"),
            ("[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"),
        ] {
            assert_eq!(Host::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_others_might_take_for_a_host_is_refused() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a..",
            "a b",
            "a\t",
            "a\n",
            "a\0b",
            "a%41",
            "%61",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "a:b",
            "a,b",
            "*",
            "*.a",
            "ä.example",
            "a。b",
            "ａ",
            "::1",
            "[::1",
            "[a]",
            "[]",
            "[fe80::1%eth0]",
            "[fe80::1%25eth0]",
            "[10.0.0.1]",
            "[::1].",
            "[::1]x",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
        for number in [
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "127.1",
            "0177.0.0.1",
            "127.0.0.01",
            "10.0.0.1.",
            "1.2.3.4.5",
            "256.0.0.1",
            "a.1",
            "a.0x",
            "a.0X7F",
            "0",
        ] {
            let error = Host::parse(number).unwrap_err();
            assert!(error.starts_with("write an IPv4 address"), "{number}: {error}");
        }
        assert!(Host::parse(&"a".repeat(LABEL_BYTES_MAX + 1)).is_err());
        assert!(Host::parse(&"a.".repeat(NAME_BYTES_MAX.div_ceil(2) + 1)).is_err());
        assert!(Host::parse(&"a.".repeat(NAME_BYTES_MAX.div_ceil(2))).is_ok());
    }

    #[test]
    fn authorities_come_apart() {
        for (authority, parts) in [
            ("a", ("a", None)),
            ("a:80", ("a", Some("80"))),
            ("a:", ("a", Some(""))),
            ("[::1]", ("[::1]", None)),
            ("[::1]:80", ("[::1]", Some("80"))),
            ("10.0.0.0/8:*", ("10.0.0.0/8", Some("*"))),
        ] {
            assert_eq!(host_and_port(authority), Ok(parts), "{authority}");
        }
        for authority in ["u@a", "u:p@a:80", "::1", "a:80:80", "[::1]80", "[::1]:80:80"] {
            assert!(host_and_port(authority).is_err(), "{authority}");
        }
        assert_eq!((port("1"), port("65535"), port("080")), (Ok(1), Ok(65535), Ok(80)));
        for text in ["", "0", "65536", "+80", "-1", "80 ", "x", "٣"] {
            assert!(port(text).is_err(), "{text:?}");
        }
    }
}
