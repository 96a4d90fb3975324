//! What the instances of one tenant use up together: memory, CPU time,
//! connections, lines of the log. `app` gives each tenant one account; every
//! instance of its apps draws on it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::guest::budget::Budget;
use crate::guest::demotion::Share;
use crate::guest::log::LogQuota;
use crate::wire::ledger::Ledger;

/// A tenant's means.
#[derive(Clone)]
pub struct Account {
    /// Memories, tables, buffers.
    pub memory: Arc<Ledger>,
    /// CPU time per second.
    pub cpu: Arc<Budget>,
    /// Its share of the threads for demoted guests.
    pub share: Share,
    /// Connections to elsewhere.
    pub outbound: Arc<Ledger>,
    /// Bytes of keys and values that it may have. What it has is known where
    /// they are, which several hosts may share.
    pub keyvalue_bytes_max: Arc<AtomicU64>,
    /// Bytes of the log per second.
    pub log: Arc<LogQuota>,
}
