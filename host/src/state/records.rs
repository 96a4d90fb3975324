//! What the database holds, as types. Fields that a newer host has added are
//! passed over, so that an older one can read what it wrote.
//!
//! Times are for people to read: nothing is ordered by them, since a clock can
//! be set. Numbers order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Sha256;
use crate::config::Name;

/// An app of which something was deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppRecord {
    /// Its name.
    pub name: Name,
    /// How it is to run, and for which requests; none for an app of the
    /// configuration file, of which only versions are deployed.
    pub spec: Option<serde_json::Value>,
    /// Who owns it.
    pub tenant: Name,
    /// Which of its versions serve.
    pub serving: Serving,
    /// The number of the version that is deployed next.
    pub next_number: u64,
}

/// Which versions of an app serve.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    /// The one for all requests that the canary does not have.
    pub current: Option<u64>,
    /// The one that is tried out on some of them.
    pub canary: Option<CanaryRecord>,
    /// The one that a roll-back goes to.
    pub previous: Option<u64>,
}

impl Serving {
    /// The numbers of all versions that it names.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        let canary = self.canary.as_ref().map(|canary| canary.version);
        [self.current, canary, self.previous].into_iter().flatten()
    }
}

/// A version that is tried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanaryRecord {
    /// Its number.
    pub version: u64,
    /// How many of a hundred requests it has.
    pub weight_percent: u8,
    /// The part of its requests that may fail, 0 to 1; with more it is rolled
    /// back.
    pub error_rate_max: Option<f64>,
    /// The requests that it must have had before that is judged.
    pub requests_min: u32,
}

/// A version of an app: it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Its number: 1, 2 and so on for each app.
    pub number: u64,
    /// Its component.
    pub sha256: Sha256,
    /// The component's bytes.
    pub bytes: u64,
    /// When it was deployed.
    #[serde(with = "rfc3339")]
    pub created: SystemTime,
    /// By whom.
    pub by: String,
    /// What they said of it.
    pub note: String,
}

/// A change that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRecord {
    /// Its place in the history; a later change has a higher one.
    pub sequence: u64,
    /// When.
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// By whom.
    pub by: String,
    /// The app that was changed, if it was one.
    pub app: Option<Name>,
    /// Whose app, quotas or token it was; none for the operator's.
    pub tenant: Option<Name>,
    /// What was done.
    pub action: Action,
    /// More of it, for people.
    pub detail: String,
}

/// A change as its maker tells it; the store adds the rest of the
/// [`HistoryRecord`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What is done.
    pub action: Action,
    /// By whom.
    pub by: String,
    /// More of it, for people.
    pub detail: String,
}

/// Kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An app was made.
    Created,
    /// An app's routes or settings were changed.
    Configured,
    /// A version was added.
    Deployed,
    /// A version was made the current one.
    Activated,
    /// A version was put to the test, or its share changed.
    Canary,
    /// The version under test was made the current one.
    Promoted,
    /// Somebody went back to the previous version.
    RolledBack,
    /// The host went back, since the version under test failed too often.
    AutoRolledBack,
    /// An app was deleted.
    Deleted,
    /// A tenant's quotas were changed.
    QuotasChanged,
    /// A token was made.
    TokenMade,
    /// A token was revoked.
    TokenRevoked,
    /// Something that a newer host knows, and this one does not.
    #[serde(other)]
    Unknown,
}

/// What is kept of a token: not the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// What it is called, 8 hexadecimal digits.
    pub id: String,
    /// What it opens.
    pub scope: Scope,
    /// What it is for, for people.
    pub label: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created: SystemTime,
}

/// What a token opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything.
    Operator,
    /// What is this tenant's.
    Tenant(Name),
}

/// The time of a record, in the whole milliseconds in which it is written.
pub(super) fn now() -> SystemTime {
    writable(SystemTime::now())
}

/// The nearest time that RFC 3339 has: a clock may have been set to anything.
fn writable(time: SystemTime) -> SystemTime {
    /// 9999-12-31T23:59:59Z.
    const SECONDS_MAX: u64 = 253_402_300_799;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().min(Duration::from_secs(SECONDS_MAX));
    UNIX_EPOCH + Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000)
}

/// Times as text, as `2026-01-31T12:00:00.000Z`.
mod rfc3339 {
    use std::time::SystemTime;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_rfc3339_millis(super::writable(*time)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_clock_can_be_written() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000, "2023-11-14T22:13:20.000Z"),
            (i64::MAX as u64 / 2, "9999-12-31T23:59:59.000Z"),
        ] {
            let created = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(written(created), text);
        }
        assert_eq!(written(UNIX_EPOCH - Duration::from_secs(9)), "1970-01-01T00:00:00.000Z");
    }

    fn written(created: SystemTime) -> String {
        let record = TokenRecord { id: String::new(), scope: Scope::Operator, label: String::new(), created };
        serde_json::to_value(record).unwrap()["created"].as_str().unwrap().to_owned()
    }

    #[test]
    fn additions_of_a_newer_host_are_passed_over() {
        let newer = r#"{"sequence": 7, "at": "2030-01-01T00:00:00Z", "by": "x", "app": "a", "tenant": "t",
            "action": "teleported", "detail": "", "where": "elsewhere"}"#;
        let record: HistoryRecord = serde_json::from_str(newer).unwrap();
        assert_eq!((record.sequence, record.action), (7, Action::Unknown));
    }

    #[test]
    fn actions_have_the_names_that_are_documented() {
        for (action, name) in [(Action::Canary, "canary"), (Action::AutoRolledBack, "auto-rolled-back")] {
            assert_eq!(serde_json::to_value(action).unwrap(), name);
        }
    }
}
