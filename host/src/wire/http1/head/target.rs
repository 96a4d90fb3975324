//! What a request is for: the grammar of its target and of its host, as strict
//! as the rest of the head.

use crate::wire::error::ClientFault;

/// The four forms of a target (RFC 9112 3.2). A fragment is let through, as
/// Node does.
pub(super) fn check_target(method: &str, target: &str) -> Result<(), ClientFault> {
    let visible = target.bytes().all(|byte| byte.is_ascii_graphic());
    let form = match target.as_bytes() {
        [b'*'] => method == "OPTIONS",
        _ if method == "CONNECT" => target.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok() && check_host(target.as_bytes()).is_ok()
        }),
        [b'/', ..] => true,
        _ => target.split_once("://").is_some_and(|(scheme, rest)| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
                && !rest.is_empty()
                && !rest.starts_with(['/', '?', '#'])
        }),
    };
    if visible && form { Ok(()) } else { Err(ClientFault::Malformed("request target")) }
}

/// `uri-host [":" port]` (RFC 9110 7.2), without the comma, which no name has
/// and which would make one line look like two.
pub(super) fn check_host(value: &[u8]) -> Result<(), ClientFault> {
    let (host, port) = match value.iter().rposition(|&byte| byte == b':' || byte == b']') {
        Some(at) if value.get(at) == Some(&b':') => (value.get(..at), value.get(at + 1..)),
        _ => (Some(value), None),
    };
    let (host, port) = (host.unwrap_or_default(), port.unwrap_or_default());
    let good_host = match host {
        [b'[', inner @ .., b']'] => {
            inner.iter().all(|byte| byte.is_ascii_hexdigit() || b":.%".contains(byte))
        }
        _ => host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(byte)),
    };
    if good_host && port.iter().all(u8::is_ascii_digit) {
        Ok(())
    } else {
        Err(ClientFault::Malformed("Host header"))
    }
}
