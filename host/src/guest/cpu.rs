//! CPU time of guests. A guest runs in slices: from one poll of its future to
//! the return of that poll. Slices are timed; at an epoch tick the host
//! decides whether the guest goes on, lets others run, or has had enough.
//!
//! Time spent waiting is not counted, whatever number of ticks passes in it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::guest::engine::TICK;

thread_local! {
    static SLICE: Cell<Option<Instant>> = const { Cell::new(None) };
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// The CPU time of one call, shared by its driver and its store.
#[derive(Debug)]
pub struct Cpu {
    used_nanos: AtomicU64,
    max: Option<Duration>,
}

/// What an epoch tick means for a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preemption {
    /// It has only just begun or been resumed.
    Go,
    /// It has computed for a whole tick: others come first.
    Yield,
    /// It has used up its time.
    Stop,
}

impl Cpu {
    /// No time used, of at most `max`.
    pub fn new(max: Option<Duration>) -> Self {
        Cpu { used_nanos: AtomicU64::new(0), max }
    }

    /// Time used in slices that are over.
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed))
    }

    /// Runs one slice on this thread, and counts its time unless it was the
    /// last one.
    pub fn slice<T>(&self, run: impl FnOnce() -> Poll<T>) -> Poll<T> {
        let start = Instant::now();
        SLICE.set(Some(start));
        YIELDED.set(false);
        let polled = run();
        SLICE.set(None);
        if polled.is_pending() {
            self.add(start.elapsed());
        }
        polled
    }

    /// Decides at an epoch tick, within a slice.
    pub fn preempt(&self) -> Preemption {
        let ran = SLICE.get().map(|start| start.elapsed()).unwrap_or_default();
        if self.max.is_some_and(|max| self.used() + ran >= max) {
            return Preemption::Stop;
        }
        if ran < TICK {
            return Preemption::Go;
        }
        YIELDED.set(true);
        Preemption::Yield
    }

    fn add(&self, ran: Duration) {
        let nanos = u64::try_from(ran.as_nanos()).unwrap_or(u64::MAX);
        self.used_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// Whether the last slice on this thread ended because it was too long, and
/// not because the guest waits.
pub fn has_yielded() -> bool {
    YIELDED.get()
}
