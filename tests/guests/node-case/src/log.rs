//! What the guest tells the test: a line on standard output for each entry.

/// Logs an entry as `LOG` and a JSON string, so that it is one line whatever
/// it holds.
pub fn entry(text: &str) {
    println!("LOG {}", serde_json::Value::from(text));
}
