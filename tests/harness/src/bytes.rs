//! Bytes as tests compare and print them.
//!
//! Where bytes stand in a string, one char is one byte (U+0000 to U+00FF), as
//! in the case files.

/// What stands in the place of a `Date` value.
pub const DATE: &str = "<DATE>";

/// The length of every date that RFC 9110 5.6.7 lets a server send.
pub const DATE_LEN: usize = "Sun, 06 Nov 1994 08:49:37 GMT".len();

/// Replaces the value of every `Date` header by [`DATE`]. A value that is not
/// of the form of RFC 9110 5.6.7 stays.
#[must_use]
pub fn mask_date(bytes: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = b"ate: ";
    let mut masked = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = find(rest, BEFORE) {
        let (before, value) = rest.split_at(at + BEFORE.len());
        masked.extend_from_slice(before);
        rest = match value.split_at_checked(DATE_LEN) {
            Some((date, after)) if is_date(date) && after.starts_with(b"\r\n") && is_name(before) => {
                masked.extend_from_slice(DATE.as_bytes());
                after
            }
            _ => value,
        };
    }
    masked.extend_from_slice(rest);
    masked
}

fn is_name(before: &[u8]) -> bool {
    let start = before.len().saturating_sub(b"\r\ndate: ".len());
    before.get(start..).is_some_and(|name| name.eq_ignore_ascii_case(b"\r\ndate: "))
}

fn is_date(bytes: &[u8]) -> bool {
    // a: letter, 0: digit, the others stand for themselves.
    bytes.len() == DATE_LEN
        && bytes.iter().zip(b"aaa, 00 aaa 0000 00:00:00 GMT").all(|(byte, form)| match form {
            b'a' => byte.is_ascii_alphabetic(),
            b'0' => byte.is_ascii_digit(),
            form => byte == form,
        })
}

/// The text of a byte string: one char for each byte.
#[must_use]
pub fn to_text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The bytes of a text, if each of its chars is one.
#[must_use]
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect()
}

/// How often `needle` occurs, without overlap.
#[must_use]
pub fn count(bytes: &[u8], needle: &[u8]) -> usize {
    memchr::memmem::find_iter(bytes, needle).count()
}

/// Where `needle` first occurs.
#[must_use]
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, needle)
}

/// Bytes for a human: escaped, one line for each line, the middle of a long
/// text left out.
#[must_use]
pub fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 1500;
    if bytes.is_empty() {
        return "    (nothing)".to_owned();
    }
    let lines = |bytes: &[u8]| {
        let text = bytes.escape_ascii().to_string().replace("\\'", "'").replace("\\\"", "\"");
        let text = text.replace("\\r\\n", "\\r\\n\n    ");
        format!("    {}", text.trim_end())
    };
    if bytes.len() <= 2 * SHOWN {
        return lines(bytes);
    }
    let (head, rest) = bytes.split_at(SHOWN);
    let (middle, tail) = rest.split_at(rest.len() - SHOWN);
    format!("{}\n    … {} bytes …\n{}", lines(head), middle.len(), lines(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_masked_and_other_values_stay() {
        let head = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT";
        let masked = b"HTTP/1.1 200 OK\r\nDate: <DATE>\r\n\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(mask_date(head), masked);
        let custom = b"HTTP/1.1 200 OK\r\nDate: custom\r\n\r\n";
        assert_eq!(mask_date(custom), custom);
        let cut = b"HTTP/1.1 200 OK\r\nDate: Sun, 06";
        assert_eq!(mask_date(cut), cut);
    }

    #[test]
    fn occurrences_do_not_overlap() {
        assert_eq!(count(b"aaaa", b"aa"), 2);
        assert_eq!(count(b"abc", b"x"), 0);
    }

    #[test]
    fn text_is_one_char_a_byte() {
        assert_eq!(from_text("a\u{ff}"), Some(vec![b'a', 0xff]));
        assert_eq!(from_text("\u{100}"), None);
        assert_eq!(to_text(&[0x80]), "\u{80}");
    }
}
