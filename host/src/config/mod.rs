//! What a host is told to do, in types that cannot be wrong. `cli` makes a
//! [`Config`] out of flags; `server` runs it.

mod limits;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use limits::Limits;

/// A host: where it listens, what it serves, what that may cost.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses to listen on; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// What is served.
    pub app: AppConfig,
    /// What it may cost.
    pub limits: Limits,
    /// Where compiled components are kept.
    pub cache: Cache,
}

/// An app: a component and how to run it.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// Its name in logs.
    pub name: String,
    /// The component's file.
    pub component: PathBuf,
    /// Its environment variables.
    pub env: Vec<(String, String)>,
    /// How instances come and go.
    pub instances: InstancePolicy,
    /// What it may do beside answering.
    pub grants: Grants,
}

/// What an operator grants an app. By default it is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// To see and control its own listening side.
    pub server_control: bool,
    /// To open TCP connections to these.
    pub tcp: Vec<TcpGrant>,
}

/// A host and a port that an app may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpGrant {
    /// A name or an IP address, as the guest has to give it.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// How long an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstancePolicy {
    /// For one request: nothing of it survives.
    PerRequest,
    /// For up to `requests_per_instance_max` requests, one at a time.
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
