//! What a request asks for, as far as routes go: its host and its path in
//! normal form (`config/normal.rs`), out of the four forms that a request
//! target has (RFC 9112 3.2). The head is a good one; what is refused here is
//! what makes two hosts out of one request.

use std::borrow::Cow;

use crate::config::normal::{normal_host, normal_path};
use crate::wire::http1::head::RequestHead;

/// Host, path and the rest.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// None if the request names no host, or nothing that could be one.
    pub host: Option<Cow<'a, str>>,
    /// None if the request is for the host as a whole (`OPTIONS *`, `CONNECT`).
    pub path: Option<Cow<'a, str>>,
    /// What follows the path, as it came: from `?` or `#` on.
    pub query: &'a str,
}

impl<'a> Asked<'a> {
    /// Reads a head. Says what is wrong if its target names a user, or no
    /// host, or another host than its `Host` field.
    pub fn of(head: &'a RequestHead) -> Result<Self, &'static str> {
        let target = head.target();
        let field = head.values("host").next().map(|value| std::str::from_utf8(value).unwrap_or_default());
        if target.starts_with('/') {
            let (path, query) = split_path(target);
            return Ok(Asked { host: field.and_then(host), path: Some(path_of(path)), query });
        }
        if target == "*" {
            return Ok(Asked { host: field.and_then(host), path: None, query: "" });
        }
        if head.method() == "CONNECT" {
            return Ok(Asked { host: host(target), path: None, query: "" });
        }
        absolute(head, target, field)
    }
}

/// An absolute-form target: its authority is the host, and `Host` has to agree
/// if it is there (RFC 9112 3.2.2 has it ignored; but who wrote such a request
/// wants somebody to read it in the other way).
fn absolute<'a>(head: &RequestHead, target: &'a str, field: Option<&str>) -> Result<Asked<'a>, &'static str> {
    let (_, rest) = target.split_once("://").ok_or("request target")?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("user in the request target");
    }
    let named = host(authority).ok_or("host of the request target")?;
    if field.is_some_and(|field| host(field).as_ref() != Some(&named)) {
        return Err("Host header that differs from the request target");
    }
    // What a proxy would have sent on as `OPTIONS *` (RFC 9112 3.2.4).
    let whole_host = rest.is_empty() && head.method() == "OPTIONS";
    let (path, query) = split_path(rest);
    Ok(Asked { host: Some(named), path: (!whole_host).then(|| path_of(path)), query })
}

fn split_path(target: &str) -> (&str, &str) {
    target.split_at(target.find(['?', '#']).unwrap_or(target.len()))
}

fn host(text: &str) -> Option<Cow<'_, str>> {
    let (name, port) = text.split_once(':').unwrap_or((text, ""));
    if is_name(name, is_plain) && port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Cow::Borrowed(name));
    }
    let normal = normal_host(text)?;
    (normal.starts_with('[') || is_name(&normal, is_name_byte)).then_some(Cow::Owned(normal))
}

fn is_name(name: &str, is_good: impl Fn(&u8) -> bool) -> bool {
    name.split('.').all(|label| !label.is_empty() && label.as_bytes().iter().all(&is_good))
}

/// What stays as it is in normal form.
fn is_plain(byte: &u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')
}

/// What a name may have in a `Host` field; an authority has it too, but
/// nobody has looked at that yet.
fn is_name_byte(byte: &u8) -> bool {
    is_plain(byte) || b"~%!$&'()*+;=".contains(byte)
}

fn path_of(path: &str) -> Cow<'_, str> {
    if path.is_empty() {
        return Cow::Borrowed("/");
    }
    if is_normal_path(path) { Cow::Borrowed(path) } else { Cow::Owned(normal_path(path)) }
}

/// Whether this is surely a path in normal form: nothing is spelt in another
/// way, and there are no dot segments.
pub(super) fn is_normal_path(path: &str) -> bool {
    let is_normal_escape = |at| match path.as_bytes().get(at + 1..) {
        Some([high, low, ..]) => {
            let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
            // These are escapes of unreserved characters, and some more.
            is_digit(high) && is_digit(low) && !matches!(high, b'3'..=b'7') && !matches!(low, b'D' | b'E')
        }
        _ => false,
    };
    path.split('/').all(|segment| segment != "." && segment != "..")
        && memchr::memchr_iter(b'%', path.as_bytes()).all(is_normal_escape)
}
