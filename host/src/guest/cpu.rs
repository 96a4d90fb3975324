//! CPU time of guests. A guest runs in slices: from one poll of its future to
//! the return of that poll. Slices are timed; at an epoch tick the host
//! decides whether the guest goes on, lets others run, or has had enough.
//!
//! Time spent waiting is not counted, whatever number of ticks passes in it.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use crate::guest::engine::TICK;

thread_local! {
    static SLICE: Cell<Option<Slice>> = const { Cell::new(None) };
    static YIELDED: Cell<bool> = const { Cell::new(false) };
}

/// A slice under way on this thread.
#[derive(Debug, Clone, Copy)]
struct Slice {
    start: Instant,
    /// What it had used, and the thread's clock, when a tick last looked. That
    /// clock costs a system call, which a slice without a tick is spared.
    seen: Option<(Duration, Duration)>,
}

impl Slice {
    /// CPU time used so far. Before the first tick it is wall-clock time, but
    /// no more than can pass without a tick: the rest was somebody else's.
    fn used(&self) -> Duration {
        self.seen.map_or_else(
            || self.start.elapsed().min(TICK * 2),
            |(used, clock)| used + thread_time().saturating_sub(clock),
        )
    }
}

/// CPU time of this thread.
fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// The CPU time of one call, shared by its driver and its store.
#[derive(Debug)]
pub struct Cpu {
    used_nanos: AtomicU64,
    max: Option<Duration>,
    earnings: OnceLock<Earnings>,
}

/// CPU time that a call gets back as time goes by.
#[derive(Debug)]
struct Earnings {
    per_second: Duration,
    /// Up to when it was given.
    since: Mutex<Instant>,
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
        Cpu { used_nanos: AtomicU64::new(0), max, earnings: OnceLock::new() }
    }

    /// Gives back so much time for every second from now on, but never more
    /// than was used: for calls that have no end of their own.
    pub fn earn(&self, per_second: Duration) {
        let since = Mutex::new(Instant::now());
        // A second call changes nothing.
        let _ = self.earnings.set(Earnings { per_second, since });
    }

    /// Time used in slices that are over.
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed))
    }

    /// Runs one slice on this thread, and counts its time unless it was the
    /// last one.
    pub fn slice<T>(&self, run: impl FnOnce() -> Poll<T>) -> Poll<T> {
        SLICE.set(Some(Slice { start: Instant::now(), seen: None }));
        YIELDED.set(false);
        let polled = run();
        if let Some(slice) = SLICE.take().filter(|_| polled.is_pending()) {
            self.add(slice.used());
        }
        polled
    }

    /// Decides at an epoch tick, within a slice.
    pub fn preempt(&self) -> Preemption {
        let Some(mut slice) = SLICE.get() else { return Preemption::Go };
        let used = slice.used();
        slice.seen = Some((used, thread_time()));
        SLICE.set(Some(slice));
        self.give_back();
        if self.max.is_some_and(|max| self.used() + used >= max) {
            return Preemption::Stop;
        }
        if slice.start.elapsed() < TICK {
            return Preemption::Go;
        }
        YIELDED.set(true);
        Preemption::Yield
    }

    fn give_back(&self) {
        let Some(Earnings { per_second, since }) = self.earnings.get() else { return };
        let now = Instant::now();
        let seconds = now.duration_since(std::mem::replace(&mut *since.lock(), now)).as_secs_f64();
        // Saturates, as a cast from floating point does.
        let earned = (per_second.as_nanos() as f64 * seconds) as u64;
        let used = self.used_nanos.load(Ordering::Relaxed);
        self.used_nanos.store(used.saturating_sub(earned), Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earned_time_is_given_back_and_not_saved_up() {
        let cpu = Cpu::new(Some(Duration::from_secs(1)));
        cpu.add(Duration::from_millis(500));
        cpu.give_back();
        assert_eq!(cpu.used(), Duration::from_millis(500), "nothing is earned yet");
        cpu.earn(Duration::from_secs(1_000_000));
        while cpu.earnings.get().unwrap().since.lock().elapsed().is_zero() {}
        cpu.give_back();
        assert_eq!(cpu.used(), Duration::ZERO);
        cpu.add(Duration::from_millis(1));
        assert_eq!(cpu.used(), Duration::from_millis(1), "what was earned before is gone");
    }
}
