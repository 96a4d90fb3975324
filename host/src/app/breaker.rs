//! The circuit breaker of an app's version: after so many crashes in a row its
//! requests are told 503 at once, and one at a time is let through now and
//! then, to see whether it answers again. What counts as a crash is decided by
//! the handler; what is logged of it, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Counts the crashes of one version.
#[derive(Debug)]
pub struct Breaker {
    max: Option<u32>,
    backoff: Duration,
    backoff_max: Duration,
    /// One of the phases below: what `state` is, roughly, to be read without
    /// the lock. It is written under the lock; whoever reads an old one only
    /// lets one request more through.
    phase: AtomicU8,
    state: Mutex<State>,
}

const CLEAN: u8 = 0;
const COUNTING: u8 = 1;
const TRIPPED: u8 = 2;

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        crashes: u32,
    },
    /// Open until `since + backoff`; half-open from there on.
    Tripped {
        failures: u32,
        since: Instant,
        backoff: Duration,
        /// Whether a request is out to probe.
        probing: bool,
    },
}

/// A request that was let through. Dropped without a word it counts as
/// nothing.
#[derive(Debug)]
#[must_use = "say what became of the request"]
pub struct Entry {
    breaker: Arc<Breaker>,
    probe: bool,
}

/// The version is tripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tripped {
    /// When to ask again.
    pub retry_after: Duration,
}

/// A crash that tripped the version, or kept it tripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// Crashes in a row.
    pub failures: u32,
    /// Time to the next probe.
    pub retry_in: Duration,
}

/// What a breaker does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Lets everything through.
    Closed {
        /// Crashes in a row so far.
        crashes: u32,
    },
    /// Lets nothing through.
    Open {
        /// Crashes in a row.
        failures: u32,
        /// Time until it lets a probe through.
        retry_in: Duration,
    },
    /// Lets one request through at a time.
    HalfOpen {
        /// Crashes in a row.
        failures: u32,
    },
}

impl Breaker {
    /// Trips after `max` crashes in a row, never without; probes after
    /// `backoff`, which doubles with each probe that crashes, to `backoff_max`.
    pub fn new(max: Option<u32>, backoff: Duration, backoff_max: Duration) -> Self {
        Breaker {
            max,
            backoff: backoff.min(backoff_max),
            backoff_max,
            phase: AtomicU8::new(CLEAN),
            state: Mutex::new(State::Closed { crashes: 0 }),
        }
    }

    /// Lets a request through, if the version is not tripped or it is time for
    /// a probe.
    ///
    /// # Errors
    /// When to ask again.
    pub fn enter(self: &Arc<Self>, now: Instant) -> Result<Entry, Tripped> {
        if self.phase.load(Ordering::Relaxed) != TRIPPED {
            return Ok(Entry { breaker: self.clone(), probe: false });
        }
        let probe = match &mut *self.state.lock() {
            State::Closed { .. } => false,
            State::Tripped { since, backoff, probing, .. } => {
                let left = left(*since, *backoff, now);
                if !left.is_zero() {
                    return Err(Tripped { retry_after: left });
                }
                if *probing {
                    // How long the probe takes is not known.
                    return Err(Tripped { retry_after: self.backoff });
                }
                *probing = true;
                true
            }
        };
        Ok(Entry { breaker: self.clone(), probe })
    }

    /// What it does at present.
    pub fn state(&self, now: Instant) -> BreakerState {
        match *self.state.lock() {
            State::Closed { crashes } => BreakerState::Closed { crashes },
            State::Tripped { failures, since, backoff, .. } => {
                let retry_in = left(since, backoff, now);
                if retry_in.is_zero() {
                    BreakerState::HalfOpen { failures }
                } else {
                    BreakerState::Open { failures, retry_in }
                }
            }
        }
    }

    fn set(&self, state: &mut State, new: State) {
        let phase = match new {
            State::Closed { crashes: 0 } => CLEAN,
            State::Closed { .. } => COUNTING,
            State::Tripped { .. } => TRIPPED,
        };
        *state = new;
        self.phase.store(phase, Ordering::Relaxed);
    }

    fn trip(&self, state: &mut State, failures: u32, since: Instant, backoff: Duration) -> Trip {
        self.set(state, State::Tripped { failures, since, backoff, probing: false });
        Trip { failures, retry_in: backoff }
    }
}

fn left(since: Instant, backoff: Duration, now: Instant) -> Duration {
    backoff.saturating_sub(now.saturating_duration_since(since))
}

impl Entry {
    /// The version crashed over it. Says so if it is tripped by that. Of a
    /// tripped version only the probe has a say: the others began before.
    pub fn crashed(mut self, now: Instant) -> Option<Trip> {
        let breaker = self.breaker.clone();
        let max = breaker.max?;
        let probe = std::mem::take(&mut self.probe);
        let mut state = breaker.state.lock();
        match *state {
            State::Closed { crashes } => {
                let crashes = crashes.saturating_add(1);
                if crashes >= max {
                    return Some(breaker.trip(&mut state, crashes, now, breaker.backoff));
                }
                breaker.set(&mut state, State::Closed { crashes });
                None
            }
            State::Tripped { failures, backoff, .. } if probe => {
                let backoff = backoff.saturating_mul(2).min(breaker.backoff_max);
                Some(breaker.trip(&mut state, failures.saturating_add(1), now, backoff))
            }
            State::Tripped { .. } => None,
        }
    }

    /// The version answered it. True if it was tripped, and is not any more.
    pub fn answered(mut self) -> bool {
        let breaker = self.breaker.clone();
        let probe = std::mem::take(&mut self.probe);
        if !probe && breaker.phase.load(Ordering::Relaxed) != COUNTING {
            return false;
        }
        let mut state = breaker.state.lock();
        if probe || matches!(*state, State::Closed { .. }) {
            breaker.set(&mut state, State::Closed { crashes: 0 });
        }
        probe
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.probe
            && let State::Tripped { probing, .. } = &mut *self.breaker.state.lock()
        {
            *probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Duration = Duration::from_secs(1);
    const BACKOFF_MAX: Duration = Duration::from_secs(3);

    const CLOSED: BreakerState = BreakerState::Closed { crashes: 0 };

    fn breaker() -> (Arc<Breaker>, Instant) {
        (Arc::new(Breaker::new(Some(2), BACKOFF, BACKOFF_MAX)), Instant::now())
    }

    fn crash(breaker: &Arc<Breaker>, now: Instant) -> Option<Trip> {
        breaker.enter(now).unwrap().crashed(now)
    }

    fn tripped() -> (Arc<Breaker>, Instant) {
        let (breaker, now) = breaker();
        assert_eq!(crash(&breaker, now), None);
        assert_eq!(crash(&breaker, now), Some(Trip { failures: 2, retry_in: BACKOFF }));
        (breaker, now)
    }

    #[test]
    fn crashes_in_a_row_trip_it() {
        let (breaker, now) = tripped();
        assert_eq!(breaker.state(now), BreakerState::Open { failures: 2, retry_in: BACKOFF });
        let (later, left) = (now + Duration::from_millis(400), Duration::from_millis(600));
        assert_eq!(breaker.enter(later).unwrap_err(), Tripped { retry_after: left });
        assert_eq!(breaker.state(later), BreakerState::Open { failures: 2, retry_in: left });
    }

    #[test]
    fn an_answer_in_between_starts_the_count_again() {
        let (breaker, now) = breaker();
        for _ in 0..5 {
            // It came before the crash and is answered after it.
            let other = breaker.enter(now).unwrap();
            assert_eq!(crash(&breaker, now), None);
            assert_eq!(breaker.state(now), BreakerState::Closed { crashes: 1 });
            assert!(!other.answered());
            assert_eq!(breaker.state(now), CLOSED);
        }
    }

    #[test]
    fn one_that_went_away_counts_as_nothing() {
        let (breaker, now) = breaker();
        assert_eq!(crash(&breaker, now), None);
        drop(breaker.enter(now).unwrap());
        assert_eq!(breaker.state(now), BreakerState::Closed { crashes: 1 });
    }

    #[test]
    fn one_probe_at_a_time() {
        let (breaker, now) = tripped();
        let now = now + BACKOFF;
        assert_eq!(breaker.state(now), BreakerState::HalfOpen { failures: 2 });
        let probe = breaker.enter(now).unwrap();
        assert_eq!(breaker.enter(now).unwrap_err(), Tripped { retry_after: BACKOFF });
        // Its client goes away: the next one probes.
        drop(probe);
        let probe = breaker.enter(now).unwrap();
        assert!(breaker.enter(now).is_err());
        assert!(probe.answered());
        assert_eq!(breaker.state(now), CLOSED);
        assert!(!breaker.enter(now).unwrap().answered());
        assert_eq!(crash(&breaker, now), None);
    }

    #[test]
    fn a_probe_that_crashes_doubles_the_wait() {
        let (breaker, mut now) = tripped();
        let mut wait = BACKOFF;
        for (failures, next) in [(3, 2), (4, 3), (5, 3)] {
            now += wait;
            wait = Duration::from_secs(next);
            assert_eq!(crash(&breaker, now), Some(Trip { failures, retry_in: wait }));
            assert_eq!(breaker.enter(now).unwrap_err(), Tripped { retry_after: wait });
        }
        now += wait;
        assert!(breaker.enter(now).unwrap().answered());
        // From the beginning again.
        assert_eq!(crash(&breaker, now), None);
        assert_eq!(crash(&breaker, now), Some(Trip { failures: 2, retry_in: BACKOFF }));
    }

    #[test]
    fn the_wait_begins_with_the_crash() {
        let (breaker, now) = breaker();
        assert_eq!(crash(&breaker, now), None);
        let slow = breaker.enter(now).unwrap();
        let now = now + BACKOFF * 5;
        assert!(slow.crashed(now).is_some());
        assert_eq!(breaker.enter(now).unwrap_err(), Tripped { retry_after: BACKOFF });
    }

    #[test]
    fn those_that_began_before_have_no_say() {
        let (breaker, now) = breaker();
        let [late_crash, late_answer, later] = [(); 3].map(|()| breaker.enter(now).unwrap());
        assert_eq!(crash(&breaker, now), None);
        assert!(crash(&breaker, now).is_some());
        let open = breaker.state(now);
        assert_eq!(late_crash.crashed(now + BACKOFF / 2), None);
        assert!(!late_answer.answered());
        assert_eq!(breaker.state(now), open);
        let probe = breaker.enter(now + BACKOFF).unwrap();
        drop(later);
        assert!(breaker.enter(now + BACKOFF).is_err(), "the place is the probe's");
        assert!(probe.answered());
    }

    #[test]
    fn without_a_maximum_nothing_trips_it() {
        let breaker = Breaker::new(None, BACKOFF, BACKOFF_MAX);
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(crash(&breaker, now), None);
        }
        assert_eq!(breaker.state(now), CLOSED);
    }

    #[test]
    fn the_first_wait_is_not_above_the_longest() {
        let breaker = Breaker::new(Some(1), BACKOFF_MAX * 2, BACKOFF_MAX);
        let trip = crash(&breaker, Instant::now());
        assert_eq!(trip, Some(Trip { failures: 1, retry_in: BACKOFF_MAX }));
    }

    #[test]
    fn many_threads_get_one_probe() {
        let (breaker, now) = tripped();
        let now = now + BACKOFF;
        let probes = std::thread::scope(|scope| {
            let threads = [(); 8].map(|()| scope.spawn(|| breaker.enter(now).ok()));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(probes.iter().flatten().count(), 1);
    }
}
