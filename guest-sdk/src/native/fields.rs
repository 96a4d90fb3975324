//! The header fields that a handler sets, with Node's semantics, and the checks
//! of names and values.

use crate::{ErrorCode, Field};

/// What a host allows by default: `response_head_bytes_max`,
/// `header_count_max`.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const LINES_MAX: usize = 1000;

/// Bytes that a line takes beside its name and value: `": "` and CRLF.
const LINE_OVERHEAD: usize = 4;

/// The fields of a head.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    entries: Vec<(String, Vec<Vec<u8>>)>,
    /// Headers that are not to be generated: those that were removed.
    suppressed: Vec<String>,
}

impl Fields {
    /// Sets `name` to `values`; see `set-header`.
    ///
    /// # Errors
    /// Those of `set-header`; then nothing has changed.
    pub fn set(&mut self, name: &str, values: Vec<Vec<u8>>) -> Result<(), ErrorCode> {
        check_values(name, &values)?;
        if values.len() != 1 {
            check_not_framing(name)?;
        }
        let entry = (name.to_owned(), values);
        let old = self.position(name);
        self.check_room(old, &entry)?;
        self.suppressed.retain(|other| !other.eq_ignore_ascii_case(name));
        match old {
            Some(at) => self.entries[at] = entry,
            None => self.entries.push(entry),
        }
        Ok(())
    }

    /// Adds `values` to `name`; see `append-header`.
    ///
    /// # Errors
    /// Those of [`Fields::set`].
    pub fn append(&mut self, name: &str, values: Vec<Vec<u8>>) -> Result<(), ErrorCode> {
        let Some(at) = self.position(name) else {
            return self.set(name, values);
        };
        check_values(name, &values)?;
        check_not_framing(name)?;
        let mut entry = self.entries[at].clone();
        entry.1.extend(values);
        self.check_room(Some(at), &entry)?;
        self.entries[at] = entry;
        Ok(())
    }

    /// Puts the headers of `write-head` over these: the first line of a name
    /// replaces it in its place, further ones are added.
    ///
    /// # Errors
    /// Those of [`Fields::set`].
    pub fn overlay(&mut self, lines: Vec<Field>) -> Result<(), ErrorCode> {
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in lines {
            if seen.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
                self.append(&name, vec![value])?;
            } else {
                self.set(&name, vec![value])?;
                seen.push(name);
            }
        }
        Ok(())
    }

    /// Removes `name`, and suppresses its generation; see `remove-header`.
    pub fn remove(&mut self, name: &str) {
        self.entries.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.suppressed.push(name.to_owned());
    }

    pub fn get(&self, name: &str) -> Option<&[Vec<u8>]> {
        self.position(name).map(|at| self.entries[at].1.as_slice())
    }

    pub fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Whether the host is not to add `name` by itself.
    pub fn suppresses(&self, name: &str) -> bool {
        self.suppressed.iter().any(|other| other.eq_ignore_ascii_case(name))
    }

    /// The names, in lower case and in order.
    pub fn names(&self) -> Vec<String> {
        self.entries.iter().map(|(name, _)| name.to_ascii_lowercase()).collect()
    }

    /// Every line.
    pub fn lines(&self) -> impl Iterator<Item = Field> {
        self.entries
            .iter()
            .flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone())))
    }

    /// Bytes of all lines.
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| size(entry).0).sum()
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    /// Whether there is room for an entry in the place of another.
    fn check_room(&self, old: Option<usize>, new: &(String, Vec<Vec<u8>>)) -> Result<(), ErrorCode> {
        let others = self.entries.iter().enumerate().filter(|(at, _)| Some(*at) != old);
        let sizes = others.map(|(_, entry)| entry).chain([new]).map(size);
        let (bytes, lines) = sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
        check_room(bytes, lines)
    }
}

/// Bytes and lines of an entry. A header without a value costs its name.
fn size((name, values): &(String, Vec<Vec<u8>>)) -> (usize, usize) {
    let bare = name.len() + LINE_OVERHEAD;
    let bytes: usize = values.iter().map(|value| bare + value.len()).sum();
    (bytes.max(bare), values.len().max(1))
}

/// Whether a head may have this many.
///
/// # Errors
/// `LimitExceeded`, by the limits that a host has by default.
pub fn check_room(bytes: usize, lines: usize) -> Result<(), ErrorCode> {
    if bytes > HEAD_BYTES_MAX {
        return Err(ErrorCode::LimitExceeded("response_head_bytes_max".to_owned()));
    }
    if lines > LINES_MAX {
        return Err(ErrorCode::LimitExceeded("header_count_max".to_owned()));
    }
    Ok(())
}

/// Checks the lines of trailers or of an interim response, which stand alone.
///
/// # Errors
/// Those of [`Fields::set`].
pub fn check_lines(lines: &[Field]) -> Result<(), ErrorCode> {
    for (name, value) in lines {
        check_name(name)?;
        check_value(name, value)?;
    }
    let bytes = lines.iter().map(|(name, value)| name.len() + value.len() + LINE_OVERHEAD).sum();
    check_room(bytes, lines.len())
}

fn check_values(name: &str, values: &[Vec<u8>]) -> Result<(), ErrorCode> {
    check_name(name)?;
    for value in values {
        check_value(name, value)?;
        let shown = || shown(&String::from_utf8_lossy(value)).to_owned();
        if name.eq_ignore_ascii_case("content-length") && content_length(value).is_none() {
            let told = format!("Content-Length must be digits, not {:?}", shown());
            return Err(ErrorCode::InvalidHeaderValue(told));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") && !value.eq_ignore_ascii_case(b"chunked") {
            let told = format!("Transfer-Encoding must be chunked, not {:?}", shown());
            return Err(ErrorCode::InvalidHeaderValue(told));
        }
    }
    Ok(())
}

fn check_not_framing(name: &str) -> Result<(), ErrorCode> {
    if is_framing(name) {
        return Err(ErrorCode::InvalidHeaderValue(format!("{name} must have one value")));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ErrorCode> {
    if is_token(name) { Ok(()) } else { Err(ErrorCode::InvalidHeaderName(format!("{:?}", shown(name)))) }
}

fn check_value(name: &str, value: &[u8]) -> Result<(), ErrorCode> {
    if is_field_value(value) {
        Ok(())
    } else {
        Err(ErrorCode::InvalidChar(format!("header {}", shown(name))))
    }
}

/// As much of a text as an error needs to show.
fn shown(text: &str) -> &str {
    const CHARS_MAX: usize = 100;
    text.char_indices().nth(CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

/// Whether a text is a token (RFC 9110 5.6.2).
pub fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Whether bytes may be a field value or a reason phrase (RFC 9110 5.5).
pub fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

/// A `Content-Length`: digits only, and no more than fit (RFC 9110 8.6).
pub fn content_length(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(digits)?.parse().ok()
}

/// Whether a field says where the body ends.
pub fn is_framing(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
}

/// Whether `word` stands in a value on its own, in any case: as Node looks for
/// `close`.
pub fn contains_word(value: &[u8], word: &[u8]) -> bool {
    let boundary = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    value.windows(word.len()).enumerate().any(|(at, window)| {
        window.eq_ignore_ascii_case(word)
            && boundary(at.checked_sub(1).and_then(|before| value.get(before)))
            && boundary(value.get(at + word.len()))
    })
}
