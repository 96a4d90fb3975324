//! The host's log as `--log-format json` prints it.

use serde_json::{Map, Value};

/// One event of the log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// The part of the host that speaks; `guest` for a guest's own lines.
    pub target: String,
    /// The sentence, or the guest's line.
    pub message: String,
    fields: Map<String, Value>,
}

impl LogLine {
    /// Reads one line; none if it is not an event of the log.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let Value::Object(mut event) = serde_json::from_str(line).ok()? else {
            return None;
        };
        let mut text = |name: &str| match event.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (level, target, message) = (text("level")?, text("target")?, text("message"));
        // Fields stand in an object of their own or beside the others.
        let fields = match event.remove("fields") {
            Some(Value::Object(fields)) => fields,
            _ => event,
        };
        let message =
            message.or_else(|| Some(fields.get("message")?.as_str()?.to_owned())).unwrap_or_default();
        Some(Self { level, target, message, fields })
    }

    /// A field as text: strings as they are, other values as JSON.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A field as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.fields.get(name)?.as_u64()
    }

    /// Whether this is a line that a guest printed.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.target == "guest"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_in_an_object_of_their_own() {
        let line =
            r#"{"timestamp":"t","level":"INFO","fields":{"message":"hi","app":"a","n":3},"target":"guest"}"#;
        let line = LogLine::parse(line).expect("an event");
        assert_eq!((line.message.as_str(), line.is_guest()), ("hi", true));
        assert_eq!((line.field("app").as_deref(), line.number("n")), (Some("a"), Some(3)));
    }

    #[test]
    fn fields_beside_the_others() {
        let line =
            LogLine::parse(r#"{"level":"WARN","message":"hi","cut":0,"target":"drain"}"#).expect("an event");
        assert_eq!(
            (line.level.as_str(), line.message.as_str(), line.field("cut").as_deref()),
            ("WARN", "hi", Some("0"))
        );
    }

    #[test]
    fn what_is_no_event() {
        assert!(LogLine::parse("plain text").is_none());
        assert!(LogLine::parse("[1]").is_none());
    }
}
