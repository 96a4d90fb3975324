//! How a server tells its connections that it is closing, and learns what
//! became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::sync::watch;

/// How far closing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Open,
    /// No new connection; idle ones close, exchanges in flight finish.
    Draining,
    /// What is left is dropped.
    Cut,
}

/// The side that decides.
#[derive(Debug)]
pub struct DrainControl {
    phase: watch::Sender<Phase>,
    shared: Arc<Shared>,
}

/// The side that every connection holds.
#[derive(Debug, Clone)]
pub struct Drain {
    phase: watch::Receiver<Phase>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The phase once more, for a look without a lock.
    phase: AtomicU8,
    finished: AtomicU64,
    cut: AtomicU64,
}

/// What became of the exchanges that were in flight when draining began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Exchanges whose response was sent to its end.
    pub finished: u64,
    /// Exchanges that were dropped.
    pub cut: u64,
}

impl DrainControl {
    /// An open server, and what its connections hold.
    pub fn new() -> (Self, Drain) {
        let (sender, receiver) = watch::channel(Phase::Open);
        let shared = Arc::new(Shared::default());
        (DrainControl { phase: sender, shared: shared.clone() }, Drain { phase: receiver, shared })
    }

    /// Moves on to `phase`; never back.
    pub fn advance(&self, phase: Phase) {
        self.shared.phase.fetch_max(phase as u8, Ordering::Relaxed);
        self.phase.send_if_modified(|current| {
            let later = phase > *current;
            *current = phase.max(*current);
            later
        });
    }

    /// Waits until every connection has dropped its [`Drain`].
    pub async fn connections_closed(&self) {
        self.phase.closed().await;
    }

    /// The count so far.
    pub fn report(&self) -> DrainReport {
        DrainReport {
            finished: self.shared.finished.load(Ordering::Relaxed),
            cut: self.shared.cut.load(Ordering::Relaxed),
        }
    }
}

impl Drain {
    /// How far closing has come, without a lock.
    pub fn phase(&self) -> Phase {
        match self.shared.phase.load(Ordering::Relaxed) {
            0 => Phase::Open,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Whether draining has begun.
    pub fn is_draining(&self) -> bool {
        self.phase() >= Phase::Draining
    }

    /// Waits until closing has come as far as `phase`. Can be dropped at any
    /// time.
    pub async fn reached(&self, phase: Phase) {
        // An error means that the server is gone without a word: as good as cut.
        let _ = self.phase.clone().wait_for(|current| *current >= phase).await;
    }

    /// Counts an exchange that ended while draining.
    pub fn count(&self, finished: bool) {
        if self.is_draining() {
            let counter = if finished { &self.shared.finished } else { &self.shared.cut };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}
