//! The one form of each host and of each path: what is written in several ways
//! and means the same becomes the same. Routes are kept in this form and
//! requests are brought into it, so that no spelling reaches another route
//! than the plain one does. The guest is still told what the client sent.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// A host as a `Host` field or an authority has it: in lower case, without
/// port and without one final dot; an IPv6 address as RFC 5952 writes it, in
/// its brackets. None for what is no host: empty, with an empty last label,
/// with a port that is no number or an address that is none.
pub fn normal_host(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
        let address: Ipv6Addr = address.parse().ok()?;
        return is_port.then(|| format!("[{address}]"));
    }
    let name = match text.split_once(':') {
        Some((name, port)) if is_number(port) => name,
        Some(_) => return None,
        None => text,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_host = !name.is_empty() && !name.ends_with('.');
    is_host.then(|| name.to_ascii_lowercase())
}

/// A port as RFC 3986 has it, which may be empty.
fn is_number(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
}

/// A path without its query: escapes of unreserved characters (RFC 3986, 2.3)
/// decoded, other escapes in upper case, dot segments removed (RFC 3986,
/// 5.2.4). It begins with a slash; only `*`, which is no path, is kept.
///
/// `%2F` stays an escape and divides no segments. Empty segments stay. A `%`
/// that begins no escape stays as it is, and an escape right behind it too:
/// decoded, the two could become an escape that nobody wrote.
pub fn normal_path(text: &str) -> String {
    if text == "*" {
        return text.to_owned();
    }
    without_dot_segments(&with_normal_escapes(text))
}

fn with_normal_escapes(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut out = String::with_capacity(text.len() + 1);
    out.push_str(pieces.next().unwrap_or_default());
    // Up to here the output could be taken for the digits of a stray `%`.
    let mut guarded = 0;
    for piece in pieces {
        match split_escape(piece) {
            Some((byte, rest)) => {
                if is_unreserved(byte) && out.len() >= guarded {
                    out.push(char::from(byte));
                } else {
                    // Writing to a string does not fail.
                    let _ = write!(out, "%{byte:02X}");
                }
                out.push_str(rest);
            }
            None => {
                guarded = out.len() + "%00".len();
                out.push('%');
                out.push_str(piece);
            }
        }
    }
    out
}

/// What follows a `%`: the byte that it stands for, and the rest.
fn split_escape(piece: &str) -> Option<(u8, &str)> {
    let (digits, rest) = piece.split_at_checked(2)?;
    // `from_str_radix` would take a sign for a digit.
    let is_escape = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = is_escape.then(|| u8::from_str_radix(digits, 16).ok())??;
    Some((byte, rest))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn without_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 1);
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_dots = match segment {
            "." => true,
            ".." => {
                out.truncate(out.rfind('/').unwrap_or(0));
                true
            }
            _ => false,
        };
        if is_dots && segments.peek().is_some() {
            continue;
        }
        out.push('/');
        if !is_dots {
            out.push_str(segment);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_form_of_each_host() {
        for (text, normal) in [
            ("Shop.Example", "shop.example"),
            ("shop.example:8080", "shop.example"),
            ("shop.example:", "shop.example"),
            ("shop.example.", "shop.example"),
            ("SHOP.example.:443", "shop.example"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
            ("[2001:DB8::A]:", "[2001:db8::a]"),
            ("[::FFFF:1.2.3.4]", "[::ffff:1.2.3.4]"),
        ] {
            assert_eq!(normal_host(text).as_deref(), Some(normal), "{text}");
        }
    }

    #[test]
    fn what_is_no_host() {
        for text in
            ["", ".", "..", ":80", ".:80", "a..", "a:b", "a:80:80", "::1", "[::1", "[::1]x", "[::1]:x", "[a]"]
        {
            assert_eq!(normal_host(text), None, "{text}");
        }
    }

    #[test]
    fn one_form_of_each_path() {
        for (text, normal) in [
            ("/", "/"),
            ("", "/"),
            ("a", "/a"),
            ("*", "*"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("/a//b", "/a//b"),
            ("//", "//"),
            // Unreserved characters are decoded, all others are not.
            ("/%61%7e%2D", "/a~-"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2f..%2fb", "/a%2F..%2Fb"),
            ("/%c3%a4%20", "/%C3%A4%20"),
            ("/%252e%252e", "/%252e%252e"),
            ("/%00", "/%00"),
            // Dot segments, however they are written.
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("../a", "/a"),
            ("/a//../b", "/a/b"),
            ("/...", "/..."),
            ("/.a/..b", "/.a/..b"),
            ("/mid/content=5/../6", "/mid/6"),
            ("/a/b/c/./../../g", "/a/g"),
            // Not an escape, and none may come of it.
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%zz", "/%zz"),
            ("/%+f", "/%+f"),
            ("/%%32e", "/%%32e"),
            ("/%2%65%2%65", "/%2%65%2%65"),
            ("/%é", "/%é"),
            ("/%zz%61", "/%zza"),
        ] {
            assert_eq!(normal_path(text), normal, "{text}");
        }
    }

    #[test]
    fn a_long_path_takes_linear_time() {
        let path = "/a/..".repeat(200_000);
        assert_eq!(normal_path(&path), "/");
        let path = "/%2e%2e/%".repeat(100_000);
        assert!(!has_dot_segment(&normal_path(&path)));
    }

    fn has_dot_segment(path: &str) -> bool {
        path.split('/').any(|segment| matches!(segment, "." | ".."))
    }

    /// Texts that consist of what is special in paths and hosts.
    fn special() -> impl Strategy<Value = String> {
        const PIECES: &[&str] = &[
            "/", ".", "..", "%", "%2e", "%2E", "%2f", "%25", "2", "e", "E", "a", "*", "é", ":", "[", "]", "8",
        ];
        prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_normal_path_stays_as_it_is(text in prop_oneof![special(), any::<String>()]) {
            let normal = normal_path(&text);
            prop_assert_eq!(normal_path(&normal), normal.clone());
            prop_assert!(!has_dot_segment(&normal), "{}", normal);
            prop_assert!(normal.starts_with('/') || normal == "*", "{}", normal);
        }

        #[test]
        fn a_normal_path_has_no_escape_of_an_unreserved_character(text in "(/|%[2-7][0-9a-fA-F]|[a-z.]){0,24}") {
            let normal = normal_path(&text);
            for piece in normal.split('%').skip(1) {
                let (byte, _) = split_escape(piece).expect("no stray % was written");
                prop_assert!(!is_unreserved(byte), "{}", normal);
            }
        }

        #[test]
        fn escaping_what_is_unreserved_changes_nothing(path in "(/[a-z.~_-]{0,4}){1,8}") {
            let escaped: String = path
                .bytes()
                .map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02x}") })
                .collect();
            prop_assert_eq!(normal_path(&escaped), normal_path(&path));
        }

        #[test]
        fn a_normal_host_stays_as_it_is(text in prop_oneof![special(), any::<String>()]) {
            if let Some(normal) = normal_host(&text) {
                prop_assert_eq!(normal_host(&normal), Some(normal.clone()));
                prop_assert!(!normal.is_empty() && !normal.ends_with('.'), "{}", normal);
            }
        }
    }
}
