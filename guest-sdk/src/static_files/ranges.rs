//! Which part of a file is sent (RFC 9110 14).

use std::ops::Range;

/// More than that is no reader that seeks, but somebody who makes us work.
const RANGES_MAX: usize = 16;

/// What `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Selection {
    /// The whole: it asks for nothing that is understood, or for too much.
    Whole,
    /// One part.
    One(Range<usize>),
    /// Several parts, in the order in which they were asked for.
    Several(Vec<Range<usize>>),
    /// Nothing that there is.
    Nothing,
}

/// What a `Range` selects of so many bytes.
pub fn select(asked: &str, length: usize) -> Selection {
    let Some(list) = asked.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"))
    else {
        return Selection::Whole;
    };
    let mut ranges = Vec::new();
    let mut named = 0;
    for spec in list.1.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        named += 1;
        match range(spec, length) {
            // What is no list of ranges is as if it were not there.
            None => return Selection::Whole,
            Some(range) if range.is_empty() => {}
            Some(range) => ranges.push(range),
        }
    }
    match ranges.len() {
        _ if named == 0 || named > RANGES_MAX || overlap(&ranges) => Selection::Whole,
        0 => Selection::Nothing,
        1 => Selection::One(ranges.remove(0)),
        _ => Selection::Several(ranges),
    }
}

/// One range of the list: empty if there is nothing of it, none if it is no
/// range.
fn range(spec: &str, length: usize) -> Option<Range<usize>> {
    let (first, last) = spec.split_once('-')?;
    let (first, last) = (first.trim_end(), last.trim_start());
    if first.is_empty() {
        let suffix = number(last)?;
        return Some(length.saturating_sub(suffix)..length);
    }
    let first = number(first)?;
    let end = match last {
        "" => length,
        last => {
            let last = number(last)?;
            if last < first {
                return None;
            }
            last.saturating_add(1).min(length)
        }
    };
    Some(first..end)
}

/// Digits only; what is too large for the machine is as large as can be.
fn number(digits: &str) -> Option<usize> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(usize::MAX))
}

/// Whether any two have a byte in common: who asks for that gets the whole
/// (RFC 9110 14.2).
fn overlap(ranges: &[Range<usize>]) -> bool {
    let mut sorted: Vec<_> = ranges.iter().collect();
    sorted.sort_by_key(|range| range.start);
    sorted.windows(2).any(|pair| pair[0].end > pair[1].start)
}

/// The value of `Content-Range`.
pub fn content_range(range: &Range<usize>, length: usize) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end - 1)
}

/// The body of several parts (RFC 9110 14.6).
pub struct Multipart<'a> {
    boundary: String,
    /// The head of each part, and its bytes.
    parts: Vec<(String, &'a [u8])>,
    close: String,
}

impl<'a> Multipart<'a> {
    /// The parts of a content of that type.
    pub fn of(ranges: &[Range<usize>], content: &'a [u8], content_type: &str) -> Self {
        let boundary = boundary(content);
        let part = |(index, range): (usize, &Range<usize>)| {
            let before = if index == 0 { "" } else { "\r\n" };
            let content_range = content_range(range, content.len());
            let head = format!(
                "{before}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {content_range}\r\n\r\n"
            );
            (head, &content[range.clone()])
        };
        let parts = ranges.iter().enumerate().map(part).collect();
        let close = format!("\r\n--{boundary}--\r\n");
        Self { boundary, parts, close }
    }

    /// The `Content-Type` of the response.
    pub fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// The body, piece by piece.
    pub fn pieces(&self) -> Vec<&[u8]> {
        let parts = self.parts.iter().flat_map(|(head, bytes)| [head.as_bytes(), bytes]);
        parts.chain([self.close.as_bytes()]).collect()
    }
}

/// A text that is nowhere in the content.
fn boundary(content: &[u8]) -> String {
    let mut number = 0_u32;
    loop {
        let boundary = format!("part-of-{}-{number}", content.len());
        if !content.windows(boundary.len()).any(|window| window == boundary.as_bytes()) {
            return boundary;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        for (asked, expected) in [
            ("bytes=0-0", Selection::One(0..1)),
            ("Bytes=2-", Selection::One(2..10)),
            ("bytes=-3", Selection::One(7..10)),
            ("bytes=-30", Selection::One(0..10)),
            ("bytes=5-99999999999999999999999", Selection::One(5..10)),
            ("bytes= 0-1 , 9-", Selection::Several(vec![0..2, 9..10])),
            ("bytes=8-9,0-1", Selection::Several(vec![8..10, 0..2])),
            ("bytes=0-1,20-30", Selection::One(0..2)),
            ("bytes=10-", Selection::Nothing),
            ("bytes=-0", Selection::Nothing),
            ("bytes=99999999999999999999999-", Selection::Nothing),
            ("bytes=10-12,-0", Selection::Nothing),
            ("bytes=0-5,5-9", Selection::Whole),
            ("bytes=3-2", Selection::Whole),
            ("bytes=", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("bytes=a-b", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("bytes=0-1,x", Selection::Whole),
            ("lines=0-1", Selection::Whole),
            ("0-1", Selection::Whole),
        ] {
            assert_eq!(select(asked, 10), expected, "{asked}");
        }
        let many = format!("bytes={}", (0..17).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(","));
        assert_eq!(select(&many, 100), Selection::Whole);
        assert_eq!(select("bytes=0-", 0), Selection::Nothing);
    }

    #[test]
    fn a_boundary_is_not_in_the_content() {
        let mut content = b"before part-of-25-0 after".to_vec();
        assert_eq!((content.len(), &*boundary(&content)), (25, "part-of-25-1"));
        content.clear();
        assert_eq!(boundary(&content), "part-of-0-0");
    }
}
