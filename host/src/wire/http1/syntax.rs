//! The small grammar that heads share in both directions (RFC 9110 5.5, 5.6):
//! tokens, field values, lists.

/// Whether `byte` may stand in a token (RFC 9110 5.6.2).
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `bytes` is a token: a method or a field name.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Whether `bytes` may be a field value or a reason phrase: HTAB, and
/// everything visible or above ASCII.
pub fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

/// The members of a comma-separated list, without the blanks around them and
/// without empty ones (RFC 9110 5.6.1).
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

/// A `Content-Length`: digits only, and no more than fit (RFC 9110 8.6).
pub fn content_length(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Whether `word` stands in `value` on its own, in any case, as the regular
/// expression `\bword\b` would find it. Node looks for `close` and
/// `100-continue` like this.
pub fn contains_word(value: &[u8], word: &[u8]) -> bool {
    let boundary = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    value.windows(word.len()).enumerate().any(|(at, window)| {
        window.eq_ignore_ascii_case(word)
            && boundary(at.checked_sub(1).and_then(|before| value.get(before)))
            && boundary(value.get(at + word.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_digits_only() {
        assert_eq!(content_length(b"0042"), Some(42));
        for bad in ["", "+5", "-1", "0x5", "5, 5", "5 5", "99999999999999999999999"] {
            assert_eq!(content_length(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn words_stand_alone() {
        assert!(contains_word(b"Foo, cLoSe", b"close"));
        assert!(contains_word(b"close", b"close"));
        assert!(!contains_word(b"closed", b"close"));
        assert!(!contains_word(b"enclose", b"close"));
        assert!(!contains_word(b"", b"close"));
    }
}
