//! Node's rules for a header that occurs several times: `headers`, `header` and
//! `headersDistinct` of a message.

use super::types::JoinedValue;
use crate::Field;

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
pub fn distinct(lines: &[Field]) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut all: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for (name, value) in lines {
        match all.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value.clone()),
            None => all.push((name.to_ascii_lowercase(), vec![value.clone()])),
        }
    }
    all
}

/// Each name once, with its value by Node's rules.
pub fn joined(lines: &[Field]) -> Vec<(String, JoinedValue)> {
    let join = |(name, values): (String, Vec<Vec<u8>>)| {
        let value = match name.as_str() {
            "set-cookie" => JoinedValue::Multiple(values),
            _ => JoinedValue::Single(join_one(&name, &values)),
        };
        (name, value)
    };
    distinct(lines).into_iter().map(join).collect()
}

/// The value of one name, in any case.
pub fn header(lines: &[Field], name: &str) -> Option<Vec<u8>> {
    let of_name = lines.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    let values: Vec<_> = of_name.map(|(_, value)| value.clone()).collect();
    (!values.is_empty()).then(|| join_one(&name.to_ascii_lowercase(), &values))
}

fn join_one(name: &str, values: &[Vec<u8>]) -> Vec<u8> {
    match name {
        "cookie" => values.join(&b"; "[..]),
        _ if FIRST_WINS.contains(&name) => values[0].clone(),
        _ => values.join(&b", "[..]),
    }
}
