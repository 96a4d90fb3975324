//! What an agent is told, by which its connections are told apart, and what it
//! tells: the words of the contract's `agent`.

use std::time::Duration;

use crate::outbound::connect::Alpn;
use crate::outbound::origin::Origin;

/// How an agent keeps connections; see `agent-options`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of that name in the contract")]
pub struct AgentOptions {
    pub keep_alive: bool,
    pub keep_alive_delay: Duration,
    pub max_sockets: Option<u32>,
    pub max_total_sockets: Option<u32>,
    pub max_free_sockets: u32,
    pub scheduling: Scheduling,
    /// None for as long as the operator allows.
    pub free_socket_timeout: Option<Duration>,
}

/// Which free connection is used first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduling {
    /// The one that was used last.
    Lifo,
    /// The one that was not used for the longest time.
    Fifo,
}

impl Default for AgentOptions {
    /// Node's, for `globalAgent`.
    fn default() -> Self {
        AgentOptions {
            keep_alive: true,
            keep_alive_delay: Duration::from_secs(1),
            max_sockets: None,
            max_total_sockets: None,
            max_free_sockets: 256,
            scheduling: Scheduling::Lifo,
            free_socket_timeout: None,
        }
    }
}

/// What connections have to have in common to be used for each other's
/// requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Where they go.
    pub origin: Origin,
    /// Which HTTP they speak.
    pub alpn: Alpn,
    /// The TLS identity that they were made with.
    pub identity: u64,
}

/// What an agent has for one origin; see `origin-stats`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of that name in the contract")]
pub struct OriginStats {
    pub name: String,
    pub sockets: u32,
    pub free_sockets: u32,
    pub requests: u32,
}
