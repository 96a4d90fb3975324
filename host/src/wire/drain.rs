//! How a server tells its connections that it is closing, or that they are to
//! close, and learns what became of them.

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

/// What connections were told so far. Two counts that differ mean that there
/// was another call in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// How far closing has come.
    pub phase: Phase,
    /// How often idle connections were told to close.
    pub close_idle: u64,
    /// How often all connections but tunnels were told to close.
    pub close_all: u64,
}

impl Told {
    /// Whether connections with a request are dropped, by what was told since
    /// `before`.
    pub fn drops_since(self, before: Told) -> bool {
        self.phase >= Phase::Cut || self.close_all != before.close_all
    }

    /// Whether idle connections were told to close since `before`.
    pub fn closes_idle_since(self, before: Told) -> bool {
        self.close_idle != before.close_idle || self.close_all != before.close_all
    }
}

/// The side that decides.
#[derive(Debug)]
pub struct DrainControl {
    told: watch::Sender<Told>,
    shared: Arc<Shared>,
}

/// The side that every connection holds.
#[derive(Debug, Clone)]
pub struct Drain {
    told: watch::Receiver<Told>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What was told once more, for a look without a lock.
    phase: AtomicU8,
    close_idle: AtomicU64,
    close_all: AtomicU64,
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
        let (sender, receiver) = watch::channel(Told { phase: Phase::Open, close_idle: 0, close_all: 0 });
        let shared = Arc::new(Shared::default());
        (DrainControl { told: sender, shared: shared.clone() }, Drain { told: receiver, shared })
    }

    /// Moves on to `phase`, never back; returns whether that was a move.
    pub fn advance(&self, phase: Phase) -> bool {
        self.tell(|told| {
            let later = phase > told.phase;
            told.phase = phase.max(told.phase);
            later
        })
    }

    /// Closes the connections that wait for a request.
    pub fn close_idle(&self) {
        self.tell(|told| {
            told.close_idle += 1;
            true
        });
    }

    /// Drops all connections but tunnels.
    pub fn close_all(&self) {
        self.tell(|told| {
            told.close_all += 1;
            true
        });
    }

    /// How far closing has come.
    pub fn phase(&self) -> Phase {
        self.told.borrow().phase
    }

    /// Waits until closing has come as far as `phase`. Can be dropped at any
    /// time.
    pub async fn reached(&self, phase: Phase) {
        // It cannot fail: the sender is here.
        let _ = self.told.subscribe().wait_for(|told| told.phase >= phase).await;
    }

    /// Waits until every connection has dropped its [`Drain`].
    pub async fn connections_closed(&self) {
        self.told.closed().await;
    }

    /// The count so far.
    pub fn report(&self) -> DrainReport {
        DrainReport {
            finished: self.shared.finished.load(Ordering::Relaxed),
            cut: self.shared.cut.load(Ordering::Relaxed),
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Told) -> bool) -> bool {
        self.told.send_if_modified(|told| {
            let changed = change(told);
            // Before anybody is woken, who will look here.
            self.shared.phase.store(told.phase as u8, Ordering::Relaxed);
            self.shared.close_idle.store(told.close_idle, Ordering::Relaxed);
            self.shared.close_all.store(told.close_all, Ordering::Relaxed);
            changed
        })
    }
}

impl Drain {
    /// What was told so far, without a lock.
    pub fn told(&self) -> Told {
        Told {
            phase: self.phase(),
            close_idle: self.shared.close_idle.load(Ordering::Relaxed),
            close_all: self.shared.close_all.load(Ordering::Relaxed),
        }
    }

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

    /// How often all connections were told to close, without a lock.
    pub fn close_all(&self) -> u64 {
        self.shared.close_all.load(Ordering::Relaxed)
    }

    /// Waits until closing has come as far as `phase`. Can be dropped at any
    /// time.
    pub async fn reached(&self, phase: Phase) {
        self.until(|told| told.phase >= phase).await;
    }

    /// Waits until what was told is such. Can be dropped at any time.
    pub async fn until(&self, such: impl Fn(Told) -> bool) {
        // An error means that the server is gone without a word: as good as cut.
        let _ = self.told.clone().wait_for(|told| such(*told)).await;
    }

    /// Counts an exchange that ended while draining.
    pub fn count(&self, finished: bool) {
        if self.is_draining() {
            let counter = if finished { &self.shared.finished } else { &self.shared.cut };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}
