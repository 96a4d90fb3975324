//! Node's rules for a header that occurs several times (`message.headers`),
//! and its plain list form (`message.headersDistinct`).

use crate::guest::api::bindings::innkeeper::http::types::JoinedValue;

/// Headers of which the first line counts and the others are dropped.
const FIRST_WINS: [&str; 18] = [
    "age",
    "authorization",
    "content-length",
    "content-type",
    "etag",
    "expires",
    "from",
    "host",
    "if-modified-since",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "proxy-authorization",
    "referer",
    "retry-after",
    "server",
    "user-agent",
];

/// Each name once, in lower case and in order of first appearance, with all
/// its values.
pub fn distinct<'a>(lines: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut names: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    let mut all: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for (name, value) in lines {
        let name = name.to_ascii_lowercase();
        let at = *names.entry(name.clone()).or_insert_with(|| {
            all.push((name, Vec::new()));
            all.len() - 1
        });
        if let Some((_, values)) = all.get_mut(at) {
            values.push(value.to_vec());
        }
    }
    all
}

/// Each name once, with its value by Node's rules.
pub fn joined<'a>(lines: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<(String, JoinedValue)> {
    let join = |(name, values): (String, Vec<Vec<u8>>)| {
        let value = match name.as_str() {
            "set-cookie" => JoinedValue::Multiple(values),
            _ => JoinedValue::Single(join_one(&name, &values)),
        };
        (name, value)
    };
    distinct(lines).into_iter().map(join).collect()
}

/// The value of one name, in lower case, from all its values.
pub fn join_one(name: &str, values: &[Vec<u8>]) -> Vec<u8> {
    match name {
        "cookie" => values.join(&b"; "[..]),
        _ if FIRST_WINS.contains(&name) => values.first().cloned().unwrap_or_default(),
        _ => values.join(&b", "[..]),
    }
}
