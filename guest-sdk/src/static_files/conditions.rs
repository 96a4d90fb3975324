//! Whether a file is sent, by the conditions of the request, in the order of
//! RFC 9110 13.2.2.

use std::time::SystemTime;

use crate::IncomingMessage;

/// What is known of the file's version.
pub struct Known<'a> {
    /// Its entity tag, which is a strong one.
    pub etag: &'a str,
    /// When it changed last, if that is known.
    pub modified: Option<SystemTime>,
}

/// What becomes of the request, which is a GET or a HEAD.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 304: the client has it.
    NotModified,
    /// 412: it is not what the client thinks.
    Failed,
    /// It is sent, and `Range` counts or not.
    Send { ranges: bool },
}

/// Evaluates the conditions.
pub fn judge(req: &IncomingMessage, known: &Known<'_>) -> Verdict {
    // Lists may come in several lines, which are joined.
    let header = |name| req.header_str(name);
    if let Some(tags) = header("if-match") {
        if !matches(&tags, known.etag, Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let (Some(since), Some(modified)) = (date(header("if-unmodified-since")), known.modified)
        && modified > since
    {
        return Verdict::Failed;
    }
    if let Some(tags) = header("if-none-match") {
        if matches(&tags, known.etag, Comparison::Weak) {
            return Verdict::NotModified;
        }
    } else if let (Some(since), Some(modified)) = (date(header("if-modified-since")), known.modified)
        && modified <= since
    {
        return Verdict::NotModified;
    }
    let unchanged = header("if-range").is_none_or(|validator| is_still(&validator, known));
    Verdict::Send { ranges: req.method() == "GET" && unchanged }
}

/// Whether what `If-Range` names is what there is: a strong tag, or the very
/// date (RFC 9110 13.1.5).
fn is_still(validator: &str, known: &Known<'_>) -> bool {
    if validator.starts_with(['"', 'W']) && validator.contains('"') {
        return validator == known.etag;
    }
    let date = httpdate::parse_http_date(validator).ok();
    date.is_some() && date == known.modified
}

/// A date; what is none does not count.
fn date(value: Option<String>) -> Option<SystemTime> {
    httpdate::parse_http_date(&value?).ok()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of entity tags, or `*`, has this one (RFC 9110 8.8.3.2). What
/// is behind something that is no tag is not looked at.
fn matches(list: &str, etag: &str, comparison: Comparison) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let mut rest = list;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        // A tag may hold commas.
        let Some(end) = quoted.strip_prefix('"').and_then(|inner| inner.find('"')) else {
            return false;
        };
        let (tag, behind) = quoted.split_at(end + 2);
        if tag == etag && (!weak || comparison == Comparison::Weak) {
            return true;
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags() {
        let both = |list| {
            let compare = |comparison| matches(list, r#""a""#, comparison);
            (compare(Comparison::Strong), compare(Comparison::Weak))
        };
        assert_eq!(both("*"), (true, true));
        assert_eq!(both(r#""a""#), (true, true));
        assert_eq!(both(r#"W/"a""#), (false, true));
        assert_eq!(both(r#", "x,y" ,W/"z",	"a""#), (true, true));
        for none in ["", "a", r#""b""#, r#""a"#, r#"a, "a""#, r#""x"a", "#, r#"w/"a""#] {
            assert_eq!(both(none), (false, false), "{none}");
        }
    }
}
