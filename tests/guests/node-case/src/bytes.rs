//! How a script writes bytes: a string in which one char is one byte, or a
//! list of such strings and `{"repeat": s, "times": n}`, joined.

use innkeeper_guest::Field;
use serde_json::Value;

/// The bytes that this stands for. What is no such thing stands for none.
pub fn from_script(script: &Value) -> Vec<u8> {
    match script {
        Value::String(text) => text.chars().map(byte).collect(),
        Value::Array(parts) => parts.iter().flat_map(from_script).collect(),
        Value::Object(part) => {
            let piece = from_script(&part["repeat"]);
            let times = part["times"].as_u64().unwrap_or(0);
            piece.repeat(usize::try_from(times).unwrap_or(0))
        }
        _ => Vec::new(),
    }
}

/// The other way round: one char for each byte.
pub fn to_text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The values of a header: one, or a list.
pub fn values(script: &Value) -> Vec<Vec<u8>> {
    match script {
        Value::Array(values) => values.iter().map(from_script).collect(),
        value => vec![from_script(value)],
    }
}

/// Header lines: a list of a name and a value or values. Several values are
/// several lines.
pub fn fields(script: &Value) -> Vec<Field> {
    let pairs = script.as_array().into_iter().flatten();
    pairs.flat_map(lines).collect()
}

fn lines(pair: &Value) -> Vec<Field> {
    let name = pair[0].as_str().unwrap_or_default();
    let values = values(&pair[1]).into_iter();
    values.map(|value| (name.to_owned(), value)).collect()
}

/// A script has no char above U+00FF where it means bytes.
fn byte(char: char) -> u8 {
    u8::try_from(char).unwrap_or(b'?')
}
