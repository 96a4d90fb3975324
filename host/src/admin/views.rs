//! What the administration says, as JSON; `cli` reads the same types. Times are
//! RFC 3339 in UTC.

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::deploy::ActivationSpec;

/// What is wrong with a request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// What, and what to do about it.
    pub error: String,
}

/// An app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppView {
    /// Its name.
    pub name: String,
    /// Who owns it.
    pub tenant: String,
    /// Who says what it is: `file`, `file-and-deployed` or `deployed`.
    pub origin: String,
    /// Its routes, as host, path and methods.
    pub routes: Vec<String>,
    /// The version that answers.
    pub current: Option<LoadedView>,
    /// The version that answers some of the requests.
    pub canary: Option<CanaryView>,
    /// The version that a roll-back goes to.
    pub previous: Option<LoadedView>,
}

/// A version that is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadedView {
    /// Its number, if it was deployed.
    pub number: Option<u64>,
    /// The SHA-256 of its component.
    pub sha256: String,
    /// `closed`, or `open` or `half-open` if it was tripped.
    pub breaker: String,
    /// Pooled instances that wait for a request.
    pub idle_instances: u64,
}

/// A canary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CanaryView {
    /// The version.
    pub version: LoadedView,
    /// Requests of a hundred that it answers.
    pub weight_percent: u8,
    /// The share of errors above which it is rolled back by itself.
    pub error_rate_max: Option<f64>,
    /// Answers before which its errors say nothing.
    pub requests_min: u32,
    /// Answers so far.
    pub answers: u64,
    /// Errors among them.
    pub errors: u64,
}

/// A version that was deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionView {
    /// Its number.
    pub number: u64,
    /// The SHA-256 of its component.
    pub sha256: String,
    /// Bytes of the component.
    pub bytes: u64,
    /// When it was deployed.
    pub created: String,
    /// By whom.
    pub by: String,
    /// What they said of it.
    pub note: String,
    /// `current`, `canary`, `previous`, or nothing.
    pub serves_as: Option<String>,
}

/// How far a deploy is: one line each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum DeployProgress {
    /// The component is there.
    Uploaded {
        /// Its SHA-256.
        sha256: String,
        /// Its size.
        bytes: u64,
    },
    /// It is compiled, linked and started once.
    Compiling,
    /// It is written down.
    Recording,
    /// It takes over.
    Activating,
    /// It is done.
    Done {
        /// The version.
        version: VersionView,
        /// Whether it answers requests.
        active: bool,
    },
    /// It was not done.
    Failed {
        /// The status that an answer without lines would have had, `422` for a
        /// component that does not fit.
        status: u16,
        /// Why, and what to do about it.
        error: String,
    },
}

/// What answers after a roll-back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolledBackView {
    /// The version.
    pub version: u64,
}

/// A change that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryView {
    /// Its place in the history.
    pub sequence: u64,
    /// When.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The app, if it was one.
    pub app: Option<String>,
    /// What was done.
    pub action: String,
    /// More of it.
    pub detail: String,
}

/// A tenant, its quotas and what of them is in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TenantView {
    /// Its name.
    pub name: String,
    /// The hosts that its token may give apps routes for.
    pub hosts: Vec<String>,
    /// Exchanges in flight.
    pub exchanges: UseView,
    /// Exchanges that wait for a place.
    pub queued: UseView,
    /// Bytes of memory.
    pub memory_bytes: UseView,
    /// Connections.
    pub connections: UseView,
    /// Connections that its guests have open to elsewhere.
    pub outbound_connections: UseView,
    /// CPU time used so far, in seconds.
    pub cpu_seconds: f64,
    /// CPU time that it has for each second, in seconds.
    pub cpu_per_second: Option<f64>,
    /// Seconds until it has CPU time again, if it has none.
    pub cpu_debt_seconds: Option<f64>,
    /// Bytes of log per second.
    pub log_bytes_per_second: u64,
}

/// What of a quota is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UseView {
    /// In use.
    pub used: u64,
    /// At most.
    pub max: u64,
}

/// A connection that is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionView {
    /// Its number.
    pub id: u64,
    /// The client's address.
    pub peer: String,
    /// The address that it connected to.
    pub local: String,
    /// Seconds since it was accepted.
    pub age_seconds: f64,
    /// Bytes received.
    pub bytes_read: u64,
    /// Bytes sent.
    pub bytes_written: u64,
    /// The exchange that is under way, if one is.
    pub exchange: Option<ExchangeView>,
}

/// An exchange that is in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExchangeView {
    /// Its number.
    pub id: u64,
    /// The connection's number.
    pub connection: u64,
    /// Whose app answers.
    pub tenant: Option<String>,
    /// The app.
    pub app: Option<String>,
    /// The version: the first 12 digits of its SHA-256.
    pub version: Option<String>,
    /// The method.
    pub method: String,
    /// The request target.
    pub url: String,
    /// The client's address.
    pub peer: String,
    /// Seconds since its head was complete.
    pub age_seconds: f64,
    /// Whether a guest has taken the connection over.
    pub tunnel: bool,
}

/// What was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CutView {
    /// The number of the connection that closes.
    pub connection: u64,
}

/// A line that a guest printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLineView {
    /// When.
    pub at: String,
    /// `stdout`, `stderr`, or the level of a line that was logged, from `trace` to `critical`.
    pub stream: String,
    /// The exchange in which, if it was one.
    pub exchange: Option<u64>,
    /// The line.
    pub text: String,
}

/// How the host is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostView {
    /// The version of the host.
    pub innkeeper: String,
    /// Seconds since it started.
    pub uptime_seconds: f64,
    /// Whether requests should come here.
    pub ready: bool,
    /// The addresses that it listens on.
    pub listen: Vec<String>,
    /// Open connections.
    pub connections: UseView,
    /// Exchanges in flight.
    pub exchanges: UseView,
    /// Exchanges that wait.
    pub queued: u64,
    /// Connections that guests have taken over.
    pub tunnels: UseView,
    /// Pooled instances that wait for a request.
    pub idle_instances: u64,
    /// Guests that compute for long: running, and waiting for a turn.
    pub demoted_running: u64,
    /// Of these, those that wait for a turn.
    pub demoted_waiting: u64,
}

/// What the versions of the apps have done since they were loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopView {
    /// The host; only for the operator.
    pub host: Option<HostView>,
    /// The versions.
    pub versions: Vec<TopVersionView>,
    /// The tenants.
    pub tenants: Vec<TenantView>,
}

/// What one version has done since it was loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopVersionView {
    /// Whose app.
    pub tenant: String,
    /// The app.
    pub app: String,
    /// The version: the first 12 digits of its SHA-256.
    pub version: String,
    /// Answers, by class of status, 1xx to 5xx.
    pub answers: [u64; 5],
    /// Exchanges that did not go as they should.
    pub failed: u64,
    /// Crashes.
    pub crashes: u64,
    /// Exchanges in flight.
    pub in_flight: i64,
    /// CPU time of its guests, in seconds.
    pub cpu_seconds: f64,
    /// Bytes of request bodies.
    pub request_bytes: u64,
    /// Bytes of response bodies.
    pub response_bytes: u64,
    /// What half of the exchanges took at most.
    pub p50_seconds: f64,
    /// What 99 of a hundred took at most.
    pub p99_seconds: f64,
}

/// A token, without what opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenView {
    /// What it is called.
    pub id: String,
    /// Whose it is; none for the operator.
    pub tenant: Option<String>,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created: String,
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewTokenView {
    /// The token. It is said here and never again.
    pub token: String,
    /// What is kept of it.
    pub record: TokenView,
}

/// A token that is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// Whose it is to be; none for the operator.
    pub tenant: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub label: String,
}

/// A time as it is said.
pub(super) fn time(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
