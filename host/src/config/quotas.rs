//! What a tenant may use, all its apps together: each quota with its meaning,
//! its unit, its default and the reason for it.

use std::time::Duration;

use crate::config::Limits;

/// What one tenant may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Quotas {
    /// Exchanges in flight. By default half of the host's `instances_max`, so
    /// that no tenant can take them all.
    pub exchanges_max: u32,
    /// Exchanges that wait for a place; one more is told 503 at once.
    pub queue_max: u32,
    /// Time that one waits before it is told 503: long enough for a burst to
    /// pass, short enough that the client is still there.
    pub queue_wait_max: Duration,
    /// Bytes of all its instances' memories and tables, and of what the host
    /// buffers for its exchanges.
    pub memory_bytes_max: u64,
    /// CPU time for each second of wall-clock time; none for no quota.
    pub cpu_per_second: Option<Duration>,
    /// CPU time that can be saved up for a burst.
    pub cpu_burst: Duration,
    /// Connections whose latest exchange was the tenant's. By default half of
    /// the host's `connections_max`.
    pub connections_max: u32,
    /// Connections that its guests may have open to elsewhere, for requests and
    /// of their own. By default as many as one app may have of either.
    pub outbound_connections_max: u32,
    /// Bytes of its keys and values, and 64 more for each pair: enough for
    /// sessions and settings, and little beside a disk.
    pub keyvalue_bytes_max: u64,
    /// Bytes per second of its guests' output that reach the log.
    pub log_bytes_per_second: u64,
}

impl Quotas {
    /// What a tenant may use if nothing else is said.
    pub fn within(limits: &Limits) -> Self {
        Quotas {
            exchanges_max: limits.instances_max.div_ceil(2),
            queue_max: 1_000,
            queue_wait_max: Duration::from_secs(1),
            memory_bytes_max: 4 << 30,
            cpu_per_second: None,
            cpu_burst: Duration::from_secs(5),
            connections_max: u32::try_from(limits.connections_max.div_ceil(2)).unwrap_or(u32::MAX),
            outbound_connections_max: limits.tcp_sockets_max.max(limits.outbound_connections_max),
            keyvalue_bytes_max: 256 << 20,
            log_bytes_per_second: 256 * 1024,
        }
    }

    /// What the only tenant of a host may use: all of it. Nobody waits: with
    /// no neighbours, a place that is not there now is not there soon.
    pub fn all_of(limits: &Limits) -> Self {
        Quotas {
            exchanges_max: limits.instances_max,
            queue_max: 0,
            memory_bytes_max: u64::MAX,
            connections_max: u32::MAX,
            outbound_connections_max: u32::MAX,
            log_bytes_per_second: u64::MAX,
            ..Quotas::within(limits)
        }
    }
}
