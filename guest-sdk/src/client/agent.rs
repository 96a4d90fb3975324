//! [`Agent`]: what keeps connections, and its options.

use std::time::Duration;

use crate::ErrorCode;
use crate::host::client as wire;
use crate::socket::milliseconds;

/// What keeps connections to servers, for requests to come
/// (Node: `http.Agent`).
///
/// The host has the connections and not this instance, so that a guest that is
/// made anew for each request finds those of the request before: with
/// [`global`](Self::global) and [`open`](Self::open). They are never shared
/// with another app.
///
/// ```no_run
/// use innkeeper_guest::client::{self, Agent, AgentOptions};
///
/// # fn example() -> innkeeper_guest::Result {
/// let options = AgentOptions { max_sockets: Some(4), ..AgentOptions::default() };
/// let agent = Agent::open("billing", options)?;
/// let res = client::request("GET", "http://billing.internal/open").agent(&agent).send_empty()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Agent(pub(super) wire::Agent);

impl Agent {
    /// An agent of this instance alone: its free connections close with the
    /// handle (Node: `new http.Agent`).
    ///
    /// # Errors
    /// [`ErrorCode::Denied`] if the operator grants nothing outbound,
    /// [`ErrorCode::InvalidArg`] for a limit of 0,
    /// [`ErrorCode::LimitExceeded`].
    pub fn new(options: AgentOptions) -> Result<Self, ErrorCode> {
        Ok(Self(wire::Agent::new(options.into())?))
    }

    /// The app's agent of that name, made if there is none. It outlives the
    /// instance. These options hold from now on.
    ///
    /// # Errors
    /// Those of [`new`](Self::new); [`ErrorCode::InvalidArg`] for a name that
    /// is empty or longer than 64 bytes.
    pub fn open(name: &str, options: AgentOptions) -> Result<Self, ErrorCode> {
        Ok(Self(wire::Agent::open(name, options.into())?))
    }

    /// The app's agent for requests that name none; it keeps connections
    /// (Node: `http.globalAgent`).
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn global() -> Result<Self, ErrorCode> {
        Ok(Self(wire::Agent::global()?))
    }

    /// The name under which [`stats`](Self::stats) counts what there is for an
    /// origin, such as `http` and `example.com:8080` (Node: `agent.getName`).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidProtocol`], [`ErrorCode::InvalidArg`].
    pub fn get_name(scheme: &str, authority: &str) -> Result<String, ErrorCode> {
        Ok(wire::Agent::get_name(scheme, authority)?)
    }

    /// What it has, of origins for which it has anything
    /// (Node: `agent.sockets`, `agent.freeSockets`, `agent.requests`).
    pub fn stats(&self) -> Vec<OriginStats> {
        self.0.stats().into_iter().map(Into::into).collect()
    }

    /// Closes its connections, those in use as well, whose requests end with
    /// [`ErrorCode::ConnectionReset`]. The agent can be used on
    /// (Node: `agent.destroy`).
    pub fn destroy(&self) {
        self.0.destroy();
    }
}

/// How an agent keeps connections (Node: the options of `http.Agent`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentOptions {
    /// Whether connections are kept for further requests; they are unless it
    /// is said (Node: `keepAlive`).
    pub keep_alive: bool,
    /// Idle time before the first TCP keep-alive probe on a kept connection;
    /// one second unless it is said (Node: `keepAliveMsecs`).
    pub keep_alive_delay: Duration,
    /// Connections to one origin at a time; requests beyond wait in order.
    /// `None` for no limit but the operator's (Node: `maxSockets`).
    pub max_sockets: Option<u32>,
    /// Connections to all origins at a time. `None` for no limit but the
    /// operator's (Node: `maxTotalSockets`).
    pub max_total_sockets: Option<u32>,
    /// Free connections that are kept for one origin; 256 unless it is said
    /// (Node: `maxFreeSockets`).
    pub max_free_sockets: u32,
    /// Which free connection is used first (Node: `scheduling`).
    pub scheduling: Scheduling,
    /// How long a free connection is kept; [`Duration::ZERO`] for as long as
    /// the operator allows. A server that says `Keep-Alive: timeout` shortens
    /// it (Node: `timeout`).
    pub free_socket_timeout: Duration,
}

/// Node's defaults, but for `keep_alive`, which is on as it is in Node's
/// global agent.
impl Default for AgentOptions {
    fn default() -> Self {
        Self {
            keep_alive: true,
            keep_alive_delay: Duration::from_secs(1),
            max_sockets: None,
            max_total_sockets: None,
            max_free_sockets: 256,
            scheduling: Scheduling::Lifo,
            free_socket_timeout: Duration::ZERO,
        }
    }
}

/// Which of the free connections is used first (Node: `scheduling`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduling {
    /// The one that was used last. Others get old, and close.
    #[default]
    Lifo,
    /// The one that was not used for the longest time. All stay in use.
    Fifo,
}

/// What an agent has for one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginStats {
    /// The origin; see [`Agent::get_name`].
    pub name: String,
    /// Connections in use, or being made (Node: `agent.sockets`).
    pub sockets: u32,
    /// Connections that wait for a request (Node: `agent.freeSockets`).
    pub free_sockets: u32,
    /// Requests that wait for a connection (Node: `agent.requests`).
    pub requests: u32,
}

impl From<AgentOptions> for wire::AgentOptions {
    fn from(options: AgentOptions) -> Self {
        Self {
            keep_alive: options.keep_alive,
            keep_alive_delay: milliseconds(options.keep_alive_delay),
            max_sockets: options.max_sockets,
            max_total_sockets: options.max_total_sockets,
            max_free_sockets: options.max_free_sockets,
            scheduling: match options.scheduling {
                Scheduling::Lifo => wire::Scheduling::Lifo,
                Scheduling::Fifo => wire::Scheduling::Fifo,
            },
            free_socket_timeout: milliseconds(options.free_socket_timeout),
        }
    }
}

impl From<wire::OriginStats> for OriginStats {
    fn from(stats: wire::OriginStats) -> Self {
        Self {
            name: stats.name,
            sockets: stats.sockets,
            free_sockets: stats.free_sockets,
            requests: stats.requests,
        }
    }
}
