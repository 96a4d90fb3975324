//! The header fields that a guest sets, with Node's semantics: case and place,
//! several values, and "removed, and not to be generated either". Checks names
//! and values; the framing that follows from them is `response`'s.

use bytes::BytesMut;

use crate::wire::error::MessageError;
use crate::wire::http1::syntax::{content_length, is_field_value, is_token};

/// A header line as a guest gives it.
pub type Line = (String, Vec<u8>);

/// Bytes that a line takes beside its name and value: `": "` and CRLF.
const LINE_OVERHEAD: usize = 4;

/// The fields of a response head (Node: what `setHeader` and its kin change).
#[derive(Debug, Default, Clone)]
pub struct Fields {
    entries: Vec<Entry>,
    bytes: usize,
    lines: usize,
    /// Which of the headers that the host generates it shall leave out.
    pub suppressed: Suppressed,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    values: Vec<Vec<u8>>,
}

/// Headers that were removed by name, and thereby switched off.
#[derive(Debug, Default, Clone, Copy)]
#[expect(missing_docs, reason = "each is the name of its header")]
pub struct Suppressed {
    pub connection: bool,
    pub content_length: bool,
    pub transfer_encoding: bool,
    pub date: bool,
}

/// How much a head may hold.
#[derive(Debug, Clone, Copy)]
pub struct FieldLimits {
    /// `response_head_bytes_max`.
    pub bytes_max: usize,
    /// `header_count_max`.
    pub lines_max: usize,
}

impl Fields {
    /// Sets `name` to `values`; see `set-header`.
    ///
    /// # Errors
    /// A name or value that is not allowed, or more than `limits` allows; then
    /// nothing has changed.
    pub fn set(&mut self, name: &str, values: Vec<Vec<u8>>, limits: FieldLimits) -> Result<(), MessageError> {
        check_values(name, &values)?;
        if values.len() != 1 && is_framing(name) {
            return Err(MessageError::InvalidHeaderValue(format!("{name} must have one value")));
        }
        let place = self.position(name);
        let old = place.and_then(|at| self.entries.get(at)).map_or((0, 0), Entry::size);
        let entry = Entry { name: name.to_owned(), values };
        self.reserve(old, entry.size(), limits)?;
        self.suppress(name, false);
        match place.and_then(|at| self.entries.get_mut(at)) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
        if let Some(place) = place {
            self.remove_behind(name, place + 1);
        }
        Ok(())
    }

    /// Adds `values` to `name`; see `append-header`.
    ///
    /// # Errors
    /// Those of [`Fields::set`].
    pub fn append(
        &mut self,
        name: &str,
        values: Vec<Vec<u8>>,
        limits: FieldLimits,
    ) -> Result<(), MessageError> {
        let Some(at) = self.position(name) else {
            return self.set(name, values, limits);
        };
        check_values(name, &values)?;
        if is_framing(name) {
            return Err(MessageError::InvalidHeaderValue(format!("{name} must have one value")));
        }
        let Some(entry) = self.entries.get_mut(at) else { return Ok(()) };
        let (old, kept) = (entry.size(), entry.values.len());
        entry.values.extend(values);
        let new = entry.size();
        let reserved = self.reserve(old, new, limits);
        if let (Err(_), Some(entry)) = (&reserved, self.entries.get_mut(at)) {
            entry.values.truncate(kept);
        }
        reserved
    }

    /// Adds one line behind all others, as it is: in its own spelling, and not
    /// beside other lines of its name.
    ///
    /// # Errors
    /// Those of [`Fields::set`].
    pub fn push(&mut self, name: &str, value: Vec<u8>, limits: FieldLimits) -> Result<(), MessageError> {
        let values = vec![value];
        check_values(name, &values)?;
        if is_framing(name) && self.has(name) {
            return Err(MessageError::InvalidHeaderValue(format!("{name} must have one value")));
        }
        let entry = Entry { name: name.to_owned(), values };
        self.reserve((0, 0), entry.size(), limits)?;
        self.suppress(name, false);
        self.entries.push(entry);
        Ok(())
    }

    /// Puts the headers of `write-head` over these: the first line of a name
    /// replaces it in its place, further ones are added (Node 22).
    ///
    /// # Errors
    /// Those of [`Fields::set`].
    pub fn overlay(&mut self, lines: Vec<Line>, limits: FieldLimits) -> Result<(), MessageError> {
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in lines {
            if seen.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
                self.append(&name, vec![value], limits)?;
            } else {
                self.set(&name, vec![value], limits)?;
                seen.push(name);
            }
        }
        Ok(())
    }

    /// Removes `name`, and suppresses its generation; see `remove-header`.
    pub fn remove(&mut self, name: &str) {
        self.remove_behind(name, 0);
        self.suppress(name, true);
    }

    /// Removes what there is of `name` from this place on.
    fn remove_behind(&mut self, name: &str, place: usize) {
        let mut at = place;
        while let Some(entry) = self.entries.get(at) {
            if !entry.name.eq_ignore_ascii_case(name) {
                at += 1;
                continue;
            }
            let (bytes, lines) = entry.size();
            self.bytes -= bytes;
            self.lines -= lines;
            self.entries.remove(at);
        }
    }

    /// All values of `name`, those of lines that were pushed as well.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.entries.iter().filter(move |entry| entry.name.eq_ignore_ascii_case(name));
        named.flat_map(|entry| &entry.values).map(Vec::as_slice)
    }

    /// The values of `name`, without further lines that were pushed.
    pub fn get(&self, name: &str) -> Option<&[Vec<u8>]> {
        self.position(name).and_then(|at| self.entries.get(at)).map(|entry| entry.values.as_slice())
    }

    /// The first value of `name`.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.get(name).and_then(<[_]>::first).map(Vec::as_slice)
    }

    /// Whether `name` is set.
    pub fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The names, in lower case and in order.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            if !names.iter().any(|name| name.eq_ignore_ascii_case(&entry.name)) {
                names.push(entry.name.to_ascii_lowercase());
            }
        }
        names
    }

    /// Appends every line but those of the names for which `skip` is true.
    pub fn render(&self, out: &mut BytesMut, skip: impl Fn(&str) -> bool) {
        for entry in self.entries.iter().filter(|entry| !skip(&entry.name)) {
            for value in &entry.values {
                put_line(out, &entry.name, value);
            }
        }
    }

    /// Bytes that [`Fields::render`] appends at most.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// Counts an entry of one size, bytes and lines, in the place of another.
    fn reserve(
        &mut self,
        old: (usize, usize),
        new: (usize, usize),
        limits: FieldLimits,
    ) -> Result<(), MessageError> {
        let bytes = self.bytes - old.0 + new.0;
        let lines = self.lines - old.1 + new.1;
        if bytes > limits.bytes_max {
            return Err(MessageError::LimitExceeded("response_head_bytes_max"));
        }
        if lines > limits.lines_max {
            return Err(MessageError::LimitExceeded("header_count_max"));
        }
        self.bytes = bytes;
        self.lines = lines;
        Ok(())
    }

    fn suppress(&mut self, name: &str, value: bool) {
        let flag = if name.eq_ignore_ascii_case("connection") {
            &mut self.suppressed.connection
        } else if name.eq_ignore_ascii_case("content-length") {
            &mut self.suppressed.content_length
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            &mut self.suppressed.transfer_encoding
        } else if name.eq_ignore_ascii_case("date") {
            &mut self.suppressed.date
        } else {
            return;
        };
        *flag = value;
    }
}

impl Entry {
    /// Bytes and lines. A header without a value costs its name: an endless
    /// list of such is an endless list all the same.
    fn size(&self) -> (usize, usize) {
        let bare = self.name.len() + LINE_OVERHEAD;
        let bytes: usize = self.values.iter().map(|value| bare + value.len()).sum();
        (bytes.max(bare), self.values.len().max(1))
    }
}

/// Appends one header line.
pub fn put_line(out: &mut BytesMut, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Checks the lines of trailers or of an interim response, which stand alone.
///
/// # Errors
/// Those of [`Fields::set`].
pub fn check_lines(lines: &[Line], limits: FieldLimits) -> Result<(), MessageError> {
    if lines.len() > limits.lines_max {
        return Err(MessageError::LimitExceeded("header_count_max"));
    }
    let mut bytes = 0;
    for (name, value) in lines {
        check_name(name)?;
        check_value(name, value)?;
        bytes += name.len() + value.len() + LINE_OVERHEAD;
    }
    if bytes > limits.bytes_max {
        return Err(MessageError::LimitExceeded("response_head_bytes_max"));
    }
    Ok(())
}

fn check_values(name: &str, values: &[Vec<u8>]) -> Result<(), MessageError> {
    check_name(name)?;
    for value in values {
        check_value(name, value)?;
        if name.eq_ignore_ascii_case("content-length") && content_length(value).is_none() {
            return Err(MessageError::InvalidHeaderValue(format!(
                "Content-Length must be digits, not {:?}",
                shown(&String::from_utf8_lossy(value))
            )));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") && !value.eq_ignore_ascii_case(b"chunked") {
            return Err(MessageError::InvalidHeaderValue(format!(
                "Transfer-Encoding must be chunked, not {:?}",
                shown(&String::from_utf8_lossy(value))
            )));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), MessageError> {
    if is_token(name.as_bytes()) {
        Ok(())
    } else {
        Err(MessageError::InvalidHeaderName(format!("{:?}", shown(name))))
    }
}

fn check_value(name: &str, value: &[u8]) -> Result<(), MessageError> {
    if is_field_value(value) {
        Ok(())
    } else {
        Err(MessageError::InvalidChar(format!("header {}", shown(name))))
    }
}

/// As much of a guest's text as an error needs to show.
pub fn shown(text: &str) -> &str {
    const CHARS_MAX: usize = 100;
    text.char_indices().nth(CHARS_MAX).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Whether a field says where the body ends.
pub fn is_framing(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
}

#[cfg(test)]
mod tests;
