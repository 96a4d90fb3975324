//! CPU time of guests. A guest runs in slices: from one poll of its future to
//! the return of that poll. Slices are timed, and spent from the tenant's
//! budget; at an epoch tick the host decides whether the guest goes on, lets
//! others run, or has had enough.
//!
//! Time spent waiting is not counted, whatever number of ticks passes in it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use crate::guest::budget::Budget;
use crate::guest::engine::TICK;

thread_local! {
    static SLICE: Cell<Option<Slice>> = const { Cell::new(None) };
    static YIELDED: Cell<bool> = const { Cell::new(false) };
    static HOLD: Cell<Hold> = const { Cell::new(Hold::Open) };
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

/// Whether slices run on this thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Open,
    /// None is to run.
    Shut,
    /// One would have.
    HeldBack,
}

/// CPU time of this thread.
pub fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// The CPU time of one call, shared by its driver and its store.
#[derive(Debug)]
pub struct Cpu {
    used_nanos: AtomicU64,
    max: Option<Duration>,
    /// Exchanges that share it, each of which may use `max`.
    shares: AtomicU32,
    /// What was used when they were last counted.
    since_nanos: AtomicU64,
    earnings: OnceLock<Earnings>,
    budget: Arc<Budget>,
}

/// CPU time that a call gets back as time goes by.
#[derive(Debug)]
struct Earnings {
    per_second: Duration,
    given: Mutex<Given>,
}

#[derive(Debug)]
struct Given {
    back: Duration,
    /// Up to when it was given.
    until: Instant,
}

/// What an epoch tick means for a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preemption {
    /// It has only just begun or been resumed.
    Go,
    /// It has computed for a whole tick, or its tenant for too long: others
    /// come first.
    Yield,
    /// It has used up its time.
    Stop,
}

impl Cpu {
    /// No time used, of at most `max`; all of it is also spent from the
    /// tenant's `budget`.
    pub fn new(max: Option<Duration>, budget: Arc<Budget>) -> Self {
        Cpu {
            used_nanos: AtomicU64::new(0),
            max,
            shares: AtomicU32::new(1),
            since_nanos: AtomicU64::new(0),
            earnings: OnceLock::new(),
            budget,
        }
    }

    /// Gives back so much time for every second from now on, but never more
    /// than was used: for calls that have no end of their own. The tenant's
    /// budget gets nothing back by it.
    pub fn earn(&self, per_second: Duration) {
        let given = Mutex::new(Given { back: Duration::ZERO, until: Instant::now() });
        // A second call changes nothing.
        let _ = self.earnings.set(Earnings { per_second, given });
    }

    /// Has so many exchanges share it from now on, at least one. Beginning
    /// `anew` forgets what they have used so far.
    pub fn share_among(&self, exchanges: usize, anew: bool) {
        self.shares.store(u32::try_from(exchanges).unwrap_or(u32::MAX).max(1), Ordering::Relaxed);
        if anew {
            self.since_nanos.store(self.used_nanos.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Time used in slices that are over: once the call is, all of its time.
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed))
    }

    /// Runs one slice on this thread, and counts its time. Pending without
    /// having run it if slices are held back here.
    pub fn slice<T>(&self, run: impl FnOnce() -> Poll<T>) -> Poll<T> {
        YIELDED.set(false);
        if HOLD.get() != Hold::Open {
            HOLD.set(Hold::HeldBack);
            return Poll::Pending;
        }
        SLICE.set(Some(Slice { start: Instant::now(), seen: None }));
        let polled = run();
        if let Some(slice) = SLICE.take() {
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
        let shares = self.shares.load(Ordering::Relaxed);
        if self.max.is_some_and(|max| self.charged() + used >= max.saturating_mul(shares)) {
            return Preemption::Stop;
        }
        // A tenant without budget waits for it among the demoted guests.
        if slice.start.elapsed() < TICK && self.budget.debt().is_none() {
            return Preemption::Go;
        }
        YIELDED.set(true);
        Preemption::Yield
    }

    /// What is used of `max`: all but what was given back up to now.
    fn charged(&self) -> Duration {
        let since = Duration::from_nanos(self.since_nanos.load(Ordering::Relaxed));
        let used = self.used().saturating_sub(since);
        let Some(Earnings { per_second, given }) = self.earnings.get() else { return used };
        let mut given = given.lock();
        let now = Instant::now();
        let seconds = now.saturating_duration_since(given.until).as_secs_f64();
        // Saturates, as a cast from floating point does.
        let earned = Duration::from_nanos((per_second.as_nanos() as f64 * seconds) as u64);
        *given = Given { back: given.back.saturating_add(earned).min(used), until: now };
        used.saturating_sub(given.back)
    }

    fn add(&self, ran: Duration) {
        let nanos = u64::try_from(ran.as_nanos()).unwrap_or(u64::MAX);
        self.used_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.budget.spend(ran);
    }
}

/// Whether the last slice on this thread ended because it was too long, and
/// not because the guest waits.
pub fn has_yielded() -> bool {
    YIELDED.get()
}

/// Runs what polls a call, but none of the call's slices: what watches over it
/// is polled, the guest is not. Returns whether a slice would have run.
pub fn holding_back(run: impl FnOnce()) -> bool {
    HOLD.set(Hold::Shut);
    run();
    HOLD.replace(Hold::Open) == Hold::HeldBack
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(max: Option<Duration>, per_second: Option<Duration>) -> Cpu {
        Cpu::new(max, Arc::new(Budget::new(per_second, Duration::ZERO)))
    }

    /// Computes for so long.
    fn burn(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {}
    }

    #[test]
    fn earned_time_is_given_back_and_not_saved_up() {
        let cpu = cpu(Some(Duration::from_secs(1)), None);
        cpu.add(Duration::from_millis(500));
        assert_eq!(cpu.charged(), Duration::from_millis(500), "nothing is earned yet");
        cpu.earn(Duration::from_secs(1_000_000));
        burn(Duration::from_micros(1));
        assert_eq!(cpu.charged(), Duration::ZERO);
        cpu.earnings.get().unwrap().given.lock().until += Duration::from_secs(60);
        cpu.add(Duration::from_millis(1));
        assert_eq!(cpu.charged(), Duration::from_millis(1), "what was earned before is gone");
        assert_eq!(cpu.used(), Duration::from_millis(501), "all of it was used");
    }

    #[test]
    fn every_slice_counts_for_the_call_and_the_tenant() {
        let cpu = cpu(None, None);
        assert!(cpu.slice(|| Poll::<()>::Pending).is_pending());
        let first = cpu.used();
        let last = cpu.slice(|| {
            burn(Duration::from_millis(1));
            Poll::Ready(())
        });
        assert!(last.is_ready());
        assert!(cpu.used() >= first + Duration::from_millis(1), "{:?}", cpu.used());
        assert_eq!(cpu.budget.used(), cpu.used());
    }

    #[test]
    fn a_tenant_in_debt_yields_at_once_and_is_not_stopped() {
        let cpu = cpu(Some(Duration::from_secs(60)), Some(Duration::from_nanos(1)));
        let at_tick = |cpu: &Cpu| {
            let mut decided = None;
            let _ = cpu.slice(|| {
                decided = Some(cpu.preempt());
                Poll::<()>::Pending
            });
            (decided, has_yielded())
        };
        cpu.budget.spend(Duration::from_secs(1));
        assert_eq!(at_tick(&cpu), (Some(Preemption::Yield), true));
        cpu.budget.set(None, Duration::ZERO);
        assert_eq!(at_tick(&cpu), (Some(Preemption::Go), false));
        cpu.add(Duration::from_secs(60));
        assert_eq!(at_tick(&cpu), (Some(Preemption::Stop), false), "its own limit still stops it");
    }

    #[test]
    fn a_slice_that_is_held_back_does_not_run() {
        let cpu = cpu(None, None);
        let mut polled = Poll::Ready(());
        assert!(holding_back(|| polled = cpu.slice(|| panic!("it ran"))));
        assert!(polled.is_pending());
        assert!(!holding_back(|| {}), "there was none");
        assert!(cpu.slice(|| Poll::Ready(())).is_ready(), "and they run again");
    }
}
