//! What is counted of an app's requests to others, for whoever reads the
//! metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::outbound::error::OutboundError;

/// The numbers of one app.
#[derive(Debug, Default)]
pub struct Tally {
    answered: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    connections: AtomicU64,
    retries: AtomicU64,
}

impl Tally {
    /// Counts a request whose response has come.
    pub fn note_answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that came to this instead.
    pub fn note_failure(&self, error: &OutboundError) {
        let counter = match error {
            OutboundError::Denied(_) | OutboundError::Limit(_) => &self.refused,
            _ => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that was made.
    pub fn note_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that was sent once more.
    pub fn note_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests by what came of them.
    pub fn outcomes(&self) -> [(&'static str, u64); 3] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [("answered", read(&self.answered)), ("refused", read(&self.refused)), ("failed", read(&self.failed))]
    }

    /// Connections that were made.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Requests that were sent once more.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }
}
