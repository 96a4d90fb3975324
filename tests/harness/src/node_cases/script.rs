//! The format of a file of cases, as `tests/node-cases/README.md` describes
//! it. What is not of the format is an error when the file is read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::bytes::from_text;
use crate::message::Framing;

/// A file of cases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Where the cases come from.
    #[serde(default)]
    pub about: String,
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// Its short name.
    pub id: String,
    /// The part of HTTP that it is about.
    pub area: String,
    /// What happens in it.
    pub title: String,
    /// The test of Node's suite that it comes from.
    pub source: String,
    /// Whether Node does the same.
    pub verdict: Verdict,
    /// Why Innkeeper differs from Node.
    pub why: Option<String>,
    /// The settings of the server.
    #[serde(default)]
    pub server: ServerSettings,
    /// The guest's ops, for each of its exports.
    pub on: BTreeMap<String, Value>,
    /// The steps of the upstream, for each connection it accepts.
    pub upstream: Option<Vec<Vec<Step>>>,
    /// The client's part.
    pub connections: Vec<Block>,
    /// How long to listen at the end, in milliseconds.
    #[serde(default = "default_settle_ms")]
    pub settle_ms: u64,
    /// What must hold.
    pub expect: Expect,
    /// What Node 20 showed; for the reader.
    #[serde(default)]
    pub node_observed: Value,
}

fn default_settle_ms() -> u64 {
    80
}

/// Whether Node 20 meets a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does.
    Node,
    /// It does not, and the difference is deliberate.
    Innkeeper,
}

/// Settings of the server; what is absent keeps the host's default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerSettings {
    headers_timeout_ms: Option<u64>,
    request_timeout_ms: Option<u64>,
    keep_alive_timeout_ms: Option<u64>,
    keep_alive_timeout_buffer_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
    write_stall_timeout_ms: Option<u64>,
    max_header_bytes: Option<u64>,
    max_headers: Option<u64>,
    max_requests_per_connection: Option<u64>,
    max_connections: Option<u64>,
    half_open: Option<bool>,
    reject_body_not_allowed: Option<bool>,
    /// Always so in Innkeeper.
    #[serde(rename = "strict-content-length")]
    _strict_content_length: Option<bool>,
}

impl ServerSettings {
    /// The settings as flags of `innkeeper serve`.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let ms = |value: Option<u64>| value.map(|value| format!("{value}ms"));
        let text = |value: Option<u64>| value.map(|value| value.to_string());
        let valued = [
            ("--head-timeout", ms(self.headers_timeout_ms)),
            ("--request-timeout", ms(self.request_timeout_ms)),
            ("--keep-alive-timeout", ms(self.keep_alive_timeout_ms)),
            ("--keep-alive-timeout-buffer", ms(self.keep_alive_timeout_buffer_ms)),
            ("--idle-timeout", ms(self.idle_timeout_ms)),
            ("--write-stall-timeout", ms(self.write_stall_timeout_ms)),
            ("--head-bytes-max", text(self.max_header_bytes)),
            ("--header-count-max", text(self.max_headers)),
            ("--requests-per-connection-max", text(self.max_requests_per_connection)),
            ("--connections-max", text(self.max_connections)),
            ("--half-open", self.half_open.map(|value| value.to_string())),
        ];
        let mut flags: Vec<String> = valued
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]))
            .flatten()
            .collect();
        if self.reject_body_not_allowed == Some(true) {
            flags.push("--reject-body-not-allowed".to_owned());
        }
        flags
    }
}

/// A part of the client's script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Block {
    /// The connection to go on with; absent for a new one.
    pub again: Option<usize>,
    /// What to do on it.
    pub steps: Vec<Step>,
}

/// One step of a client or of the upstream.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "StepFields")]
pub enum Step {
    /// Sends bytes in one write.
    Send(Bytes),
    /// Lets time pass.
    Wait(Duration),
    /// Waits until bytes were received so many times in all.
    WaitFor(Bytes, usize),
    /// Waits until the peer has closed, at most so long.
    WaitClose(Duration),
    /// Sends a FIN.
    HalfClose,
    /// Closes.
    Close,
    /// Sends an RST.
    Reset,
    /// Leaves what comes in the system's buffers.
    PauseReading,
    /// Reads again.
    ResumeReading,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StepFields {
    send: Option<Bytes>,
    wait_ms: Option<u64>,
    wait_for: Option<Bytes>,
    times: Option<usize>,
    wait_close_ms: Option<u64>,
    half_close: Option<bool>,
    close: Option<bool>,
    reset: Option<bool>,
    pause_reading: Option<bool>,
    resume_reading: Option<bool>,
}

impl TryFrom<StepFields> for Step {
    type Error = &'static str;

    fn try_from(fields: StepFields) -> Result<Self, Self::Error> {
        let flag = |value: Option<bool>, step| (value == Some(true)).then_some(step);
        let times = fields.times;
        let found = [
            fields.send.map(Step::Send),
            fields.wait_ms.map(|ms| Step::Wait(Duration::from_millis(ms))),
            fields.wait_for.map(|bytes| Step::WaitFor(bytes, times.unwrap_or(1))),
            fields.wait_close_ms.map(|ms| Step::WaitClose(Duration::from_millis(ms))),
            flag(fields.half_close, Step::HalfClose),
            flag(fields.close, Step::Close),
            flag(fields.reset, Step::Reset),
            flag(fields.pause_reading, Step::PauseReading),
            flag(fields.resume_reading, Step::ResumeReading),
        ];
        let mut found = found.into_iter().flatten();
        match (found.next(), found.next()) {
            (Some(step), None) if times.is_none() || matches!(step, Step::WaitFor(..)) => Ok(step),
            (Some(_), None) => Err("`times` belongs to `wait-for`"),
            (None, _) => Err("a step that does nothing"),
            (Some(_), Some(_)) => Err("a step that does two things"),
        }
    }
}

/// Bytes, as a string or a list of strings and repetitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BytesForm")]
pub struct Bytes(pub Vec<u8>);

#[derive(Deserialize)]
#[serde(untagged)]
enum BytesForm {
    Text(String),
    Pieces(Vec<Piece>),
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Piece {
    Text(String),
    Repeat { repeat: String, times: usize },
}

impl TryFrom<BytesForm> for Bytes {
    type Error = &'static str;

    fn try_from(form: BytesForm) -> Result<Self, Self::Error> {
        const NO_BYTE: &str = "a char above U+00FF is no byte";
        let pieces = match form {
            BytesForm::Text(text) => return from_text(&text).map(Self).ok_or(NO_BYTE),
            BytesForm::Pieces(pieces) => pieces,
        };
        let mut bytes = Vec::new();
        for piece in pieces {
            let (text, times) = match piece {
                Piece::Text(text) => (text, 1),
                Piece::Repeat { repeat, times } => (repeat, times),
            };
            bytes.extend(from_text(&text).ok_or(NO_BYTE)?.repeat(times));
        }
        Ok(Self(bytes))
    }
}

/// One value or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// What must hold in the end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// Of the client's connections.
    #[serde(default)]
    pub connections: Vec<ExpectConnection>,
    /// Of the upstream's connections.
    #[serde(default)]
    pub upstream: Vec<ExpectConnection>,
    /// How many connections the upstream accepted.
    pub upstream_connections: Option<usize>,
    /// The guest's whole log.
    pub guest_log: Option<Vec<String>>,
    /// Beginnings of entries that occur in this order.
    #[serde(default)]
    pub guest_log_has: Vec<String>,
    /// Beginnings of entries that do not occur.
    #[serde(default)]
    pub guest_log_lacks: Vec<String>,
    /// Beginnings of entries of which one occurs.
    pub guest_log_one_of: Option<Vec<String>>,
}

/// What must hold of a connection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExpectConnection {
    /// All bytes received.
    pub exact: Option<Bytes>,
    /// Bytes that were received.
    #[serde(default)]
    pub contains: Vec<Bytes>,
    /// Bytes that were not received.
    #[serde(default)]
    pub lacks: Vec<Bytes>,
    /// How it stands.
    pub state: Option<ExpectState>,
    /// How many reads it took.
    pub segments: Option<usize>,
    /// When the peer closed, in milliseconds from the connect.
    pub closed_after_ms: Option<[u64; 2]>,
    /// All final responses.
    pub responses: Option<Vec<ExpectMessage>>,
    /// All requests, at the upstream.
    pub requests: Option<Vec<ExpectMessage>>,
    /// The first final response.
    pub first_response: Option<ExpectMessage>,
    /// The first request, at the upstream.
    pub first_request: Option<ExpectMessage>,
    /// Alternatives, of which one must hold.
    pub any_of: Option<Vec<ExpectConnection>>,
}

/// How a connection must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectState {
    /// The peer has not ended it.
    Open,
    /// The peer sent a FIN.
    Closed,
    /// The peer sent an RST, or took no more bytes.
    Reset,
    /// Closed or reset.
    Ended,
    /// It never came about.
    Refused,
}

/// What must hold of a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExpectMessage {
    /// The status, or those allowed.
    pub status: Option<OneOrMany<u16>>,
    /// The request line.
    pub line: Option<String>,
    /// Headers: their values, or none for absent.
    #[serde(default)]
    pub header: BTreeMap<String, Option<OneOrMany<String>>>,
    /// The framing, or those allowed.
    pub framing: Option<OneOrMany<Framing>>,
    /// The body.
    pub body: Option<Bytes>,
    /// The length of the body.
    pub body_length: Option<usize>,
    /// The body as JSON.
    pub body_json: Option<Value>,
    /// Whether the whole message came.
    pub complete: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn all_cases_are_of_the_format() {
        let cases = crate::node_cases::load(&workspace::root().join(crate::node_cases::CASES))
            .expect("they are read");
        assert!(cases.len() > 100);
        for case in cases {
            assert_eq!(case.why.is_some(), case.verdict == Verdict::Innkeeper, "{}", case.id);
        }
    }

    #[test]
    fn bytes_in_pieces() {
        let bytes: Bytes =
            serde_json::from_str(r#"["a", {"repeat": "bc", "times": 2}, "\u00ff"]"#).expect("bytes");
        assert_eq!(bytes.0, b"abcbc\xff");
        assert!(serde_json::from_str::<Bytes>(r#""\u0100""#).is_err());
    }

    #[test]
    fn steps_do_one_thing() {
        let step = |text| serde_json::from_str::<Step>(text);
        assert!(matches!(step(r#"{"wait-for": "a", "times": 2}"#), Ok(Step::WaitFor(_, 2))));
        assert!(matches!(step(r#"{"half-close": true}"#), Ok(Step::HalfClose)));
        assert!(step(r#"{"send": "a", "times": 2}"#).is_err());
        assert!(step(r#"{"send": "a", "reset": true}"#).is_err());
        assert!(step("{}").is_err());
        assert!(step(r#"{"sned": "a"}"#).is_err());
    }

    #[test]
    fn settings_become_flags() {
        let settings: ServerSettings =
            serde_json::from_str(r#"{"idle-timeout-ms": 100, "half-open": false, "max-headers": 1, "strict-content-length": true}"#)
                .expect("settings");
        assert_eq!(
            settings.flags(),
            ["--idle-timeout", "100ms", "--header-count-max", "1", "--half-open", "false"]
        );
    }
}
