//! What a host is told to do, in types that cannot be wrong. `cli` makes a
//! [`Config`] out of flags, or [`mod@file`] out of a file; `server` runs it.

pub mod file;
pub mod authority;
mod grant;
mod keyvalue;
mod limits;
mod name;
pub mod network;
pub mod normal;
mod outbound;
mod quotas;
mod route;
pub mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use grant::{DirectoryGrant, Grant, Grants, TcpGrant};
pub use keyvalue::{BucketGrant, KeyValueBackend, RedisConfig};
pub use limits::Limits;
pub use name::Name;
pub use outbound::{
    Hosts, OriginPattern, OutboundConfig, OutboundEntry, OutboundSettings, OutboundTls, PemFile, nameserver,
};
pub use quotas::Quotas;
pub use route::{HostPattern, PathPattern, RouteConfig};

/// A host: where it listens, what it serves, what that may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Addresses to listen on; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// What connections and the host as a whole may cost, and what apps have
    /// that say nothing else.
    pub limits: Limits,
    /// Where compiled components are kept.
    pub cache: Cache,
    /// Where deployed components and what is known of them are kept; without
    /// it nothing can be deployed.
    pub state: Option<PathBuf>,
    /// Where the host is administered.
    pub admin: Option<AdminConfig>,
    /// What requests of guests need of the host.
    pub outbound: OutboundConfig,
    /// Where guests keep keys and values.
    pub keyvalue: KeyValueBackend,
    /// What the host says of itself.
    pub telemetry: TelemetryConfig,
    /// Who may use how much.
    pub tenants: BTreeMap<Name, TenantConfig>,
    /// What a tenant that is not among them may use.
    pub default_quotas: Quotas,
    /// What is served, beside what is deployed.
    pub apps: Vec<AppConfig>,
    /// Whether the host is its author's own, who is shown where a guest failed,
    /// in the log and in the answer.
    pub development: bool,
}

/// A tenant: the owner of apps.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantConfig {
    /// What all its apps together may use.
    pub quotas: Quotas,
    /// The hosts that the tenant itself may give its apps routes for, when it
    /// deploys them; the operator may give any.
    pub hosts: Vec<HostPattern>,
}

/// An app: a component, what it is for and how to run it.
#[derive(Debug, Clone, PartialEq)]
pub struct AppConfig {
    /// Its name, unique in the host.
    pub name: Name,
    /// Who owns it.
    pub tenant: Name,
    /// The component's file; none for an app whose versions are deployed.
    pub component: Option<PathBuf>,
    /// The requests that it is for.
    pub routes: Vec<RouteConfig>,
    /// How to run it.
    pub settings: AppSettings,
}

/// How to run an app. A change makes new instances.
#[derive(Debug, Clone, PartialEq)]
pub struct AppSettings {
    /// Its environment variables.
    pub env: Vec<(String, String)>,
    /// Environment variables whose values are never shown.
    pub secrets: Vec<(String, Secret)>,
    /// What it finds in `wasi:config`.
    pub config: Vec<(String, String)>,
    /// What else it finds there, and nobody else sees.
    pub config_secrets: Vec<(String, Secret)>,
    /// The buckets of keys and values that it may open.
    pub keyvalue: Vec<BucketGrant>,
    /// How instances come and go.
    pub instances: InstancePolicy,
    /// What it may do beside answering.
    pub grants: Grants,
    /// Where it may send requests.
    pub outbound: OutboundSettings,
    /// What it may cost; of these only the limits of apps count.
    pub limits: Arc<Limits>,
}

/// A text that no log and no error shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: String) -> Self {
        Secret(text)
    }

    /// The text, for the guest that it is meant for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(secret)")
    }
}

/// Where the host is administered, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where it listens for that.
    pub listen: AdminAddress,
    /// The file with the operator's token, made at the first start.
    pub token_file: PathBuf,
}

/// An address of the administration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// What the host says of itself, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct TelemetryConfig {
    /// The form of log lines.
    pub log_format: LogFormat,
    /// Which log lines: a level, or directives of `tracing-subscriber`'s
    /// `EnvFilter`.
    pub log_filter: String,
    /// The line for each exchange.
    pub access_log: AccessLog,
    /// The response header that tells the client the request's id.
    pub request_id_header: Option<String>,
    /// Where traces go.
    pub traces: Option<TraceConfig>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        TelemetryConfig {
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            access_log: AccessLog::Log,
            request_id_header: None,
            traces: None,
        }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the access log goes, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// Among the other lines of the log, in their form.
    Log,
    /// To a file, or to standard output if there is none.
    File(AccessLogFormat, Option<PathBuf>),
}

/// The form of an access line outside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// Apache's combined log format.
    Combined,
    /// One JSON object a line.
    Json,
}

/// Where traces go (OpenTelemetry, OTLP over HTTP).
#[derive(Debug, Clone, PartialEq)]
pub struct TraceConfig {
    /// The collector, `http://127.0.0.1:4318` for example.
    pub endpoint: String,
    /// The `service.name`.
    pub service: String,
    /// How many of the requests that come without a trace begin one: 0 to 1.
    pub sample_ratio: f64,
}

/// How long an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstancePolicy {
    /// For one request: nothing of it survives.
    PerRequest,
    /// For up to `requests_per_instance_max` requests, one at a time, or a few
    /// if it is of WASI 0.3.
    Pooled,
}

/// Where compiled components are kept, so that a restart does not compile them
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cache {
    /// In the user's cache directory.
    Default,
    /// In this directory.
    Directory(PathBuf),
    /// Nowhere.
    Off,
}
