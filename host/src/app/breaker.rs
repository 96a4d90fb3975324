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
mod tests;
