//! Which file a request target means.

use include_dir::Dir;

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, by its path in the directory.
    File(String),
    /// A folder with an index, named without the slash at its end. The place to
    /// go to is relative, because a prefix may have been stripped on the way.
    Folder { location: String },
}

const INDEX: &str = "index.html";

/// What a request target finds below `prefix`; none if there is nothing.
pub fn find(dir: &Dir<'_>, prefix: &str, url: &str) -> Option<Target> {
    let (path, query) = split(url);
    let path = path.strip_prefix(prefix)?;
    if path.is_empty() && !prefix.is_empty() {
        let last = prefix.rsplit('/').next().unwrap_or_default();
        return dir.get_file(INDEX).map(|_| Target::Folder { location: location(last, query) });
    }
    let names = path.strip_prefix('/')?;
    let (names, slash) = match names.strip_suffix('/') {
        Some(names) => (names, true),
        None => (names, names.is_empty()),
    };
    let segments: Vec<_> = match names {
        "" if path.len() > 1 => return None,
        "" => Vec::new(),
        names => names.split('/').map(name).collect::<Option<_>>()?,
    };
    let file = segments.join("/");
    if slash {
        let index = if file.is_empty() { INDEX.to_owned() } else { format!("{file}/{INDEX}") };
        return dir.get_file(&index).map(|_| Target::File(index));
    }
    if dir.get_file(&file).is_some() {
        return Some(Target::File(file));
    }
    dir.get_file(format!("{file}/{INDEX}"))?;
    let last = names.rsplit('/').next().unwrap_or_default();
    Some(Target::Folder { location: location(last, query) })
}

/// The path and the query of a request target, also of one with an authority.
fn split(url: &str) -> (&str, Option<&str>) {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let path = match path.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => path,
    };
    (path, query)
}

/// `./`, so that no first segment is taken for a scheme.
fn location(last: &str, query: Option<&str>) -> String {
    query.map_or_else(|| format!("./{last}/"), |query| format!("./{last}/?{query}"))
}

/// One decoded segment; none if it is no name of a file.
fn name(segment: &str) -> Option<String> {
    let mut pieces = segment.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    let name = String::from_utf8(decoded).ok()?;
    let bad = matches!(&*name, "" | "." | "..") || name.contains(['/', '\\', '\0']);
    (!bad).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_a_name_or_nothing() {
        assert_eq!(name("a%20b%C3%A9").as_deref(), Some("a bé"));
        for bad in ["", ".", "..", "%2e%2E", "a%2fb", "a%5Cb", "%00", "%", "%1", "%+1", "%zz", "%ff", "%é"] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    #[test]
    fn targets_are_split() {
        assert_eq!(split("/a?b?c"), ("/a", Some("b?c")));
        assert_eq!(split("http://inn/a?b"), ("/a", Some("b")));
        assert_eq!(split("http://inn"), ("/", None));
        assert_eq!(split("/to/http://inn"), ("/to/http://inn", None));
    }
}
