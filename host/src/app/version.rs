//! One version of an app while it is loaded, and which versions of an app serve:
//! the current one, perhaps a canary beside it, and the one before, kept so that
//! going back to it takes no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::app::breaker::Breaker;
use crate::config::AppSettings;
use crate::guest::instance::Instances;
use crate::state::Sha256;
use crate::telemetry::metrics::VersionMetrics;
use crate::wire::owner::Owner;

/// A component that was loaded with the settings of its app. It goes when its
/// last exchange ends, if it serves no more.
pub struct Version {
    /// What exchanges know of it.
    pub owner: Arc<Owner>,
    /// The SHA-256 of the component.
    pub sha256: Sha256,
    /// Its number, if it was deployed.
    pub number: Option<u64>,
    /// With which settings.
    pub settings: Arc<AppSettings>,
    /// What answers.
    pub instances: Arc<Instances>,
    /// Whether it crashes time and again.
    pub breaker: Arc<Breaker>,
    /// What it has done.
    pub metrics: Arc<VersionMetrics>,
    /// How its answers were, since it last became a canary.
    pub health: Health,
    /// Whether it was ever more than tried out.
    pub has_served: AtomicBool,
}

/// Answers, and those of them that say that the app is at fault.
#[derive(Debug, Default)]
pub struct Health {
    answers: AtomicU64,
    errors: AtomicU64,
}

/// The versions of an app that are loaded.
#[derive(Default)]
pub struct Serving {
    /// What answers.
    pub current: Option<Arc<Version>>,
    /// What answers some of the requests.
    pub canary: Option<Canary>,
    /// What answered before.
    pub previous: Option<Arc<Version>>,
    turn: AtomicU32,
}

/// A version that answers some of the requests, on trial.
#[derive(Clone)]
pub struct Canary {
    /// The version.
    pub version: Arc<Version>,
    /// What it is on trial for.
    pub terms: CanaryTerms,
}

/// How many requests a canary answers, and what ends it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CanaryTerms {
    /// Requests of a hundred that it answers.
    pub weight_percent: u8,
    /// The share of errors among its answers, 0 to 1, above which it is taken
    /// back; none leaves that to the operator.
    pub error_rate_max: Option<f64>,
    /// Answers before which its errors say nothing.
    pub requests_min: u32,
}

impl Serving {
    /// These versions.
    pub fn new(
        current: Option<Arc<Version>>,
        canary: Option<Canary>,
        previous: Option<Arc<Version>>,
    ) -> Self {
        Serving { current, canary, previous, turn: AtomicU32::new(0) }
    }

    /// The version that answers the next request: of any hundred in a row the
    /// canary has as many as its weight says, spread evenly.
    pub fn pick(&self) -> Option<&Arc<Version>> {
        let Some(canary) = &self.canary else { return self.current.as_ref() };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let canary = (is_canarys_turn(turn, canary.terms.weight_percent)).then_some(&canary.version);
        canary.or(self.current.as_ref())
    }

    /// Those that answer requests.
    pub fn answering(&self) -> impl Iterator<Item = &Arc<Version>> {
        let canary = self.canary.as_ref().map(|canary| &canary.version);
        self.current.iter().chain(canary)
    }

    /// All of them.
    pub fn loaded(&self) -> impl Iterator<Item = &Arc<Version>> {
        self.answering().chain(self.previous.iter())
    }
}

/// 37 and 100 have no common divisor, so a hundred turns meet every remainder
/// once, and neighbours are far apart.
fn is_canarys_turn(turn: u32, weight_percent: u8) -> bool {
    turn.wrapping_mul(37) % 100 < u32::from(weight_percent)
}

impl Health {
    /// Counts an answer.
    pub fn record(&self, is_error: bool) {
        self.errors.fetch_add(is_error.into(), Ordering::Relaxed);
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers, and errors among them.
    pub fn counts(&self) -> (u64, u64) {
        (self.answers.load(Ordering::Relaxed), self.errors.load(Ordering::Relaxed))
    }

    /// Forgets what was.
    pub fn reset(&self) {
        self.answers.store(0, Ordering::Relaxed);
        self.errors.store(0, Ordering::Relaxed);
    }

    /// Whether that is more than these terms allow.
    pub fn fails(&self, terms: CanaryTerms) -> bool {
        let (answers, errors) = self.counts();
        let allowed = terms.error_rate_max.map(|rate| answers as f64 * rate);
        answers >= u64::from(terms.requests_min.max(1))
            && allowed.is_some_and(|allowed| errors as f64 > allowed)
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        if !*self.has_served.get_mut() {
            return;
        }
        let Owner { tenant, app, version, .. } = &*self.owner;
        tracing::info!(%tenant, %app, version, "version unloaded: its last exchange is over");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_has_its_share_of_any_hundred_requests() {
        for weight in [0, 1, 10, 50, 99, 100] {
            for start in [0, 17, 4_000] {
                let turns = (start..start + 100).filter(|turn| is_canarys_turn(*turn, weight)).count();
                assert_eq!(turns, usize::from(weight));
            }
        }
        // Evenly: ten of a hundred never come in a row.
        let turns: Vec<_> = (0..100).filter(|turn| is_canarys_turn(*turn, 10)).collect();
        assert!(turns.windows(2).all(|pair| pair[1] - pair[0] > 2), "{turns:?}");
    }

    #[test]
    fn errors_above_the_rate_fail_a_canary_once_there_were_enough_answers() {
        let terms = CanaryTerms { weight_percent: 10, error_rate_max: Some(0.1), requests_min: 10 };
        let health = Health::default();
        (0..9).for_each(|_| health.record(true));
        assert!(!health.fails(terms), "too few to tell");
        health.record(true);
        assert!(health.fails(terms));
        health.reset();
        (0..10).for_each(|turn| health.record(turn == 0));
        assert!(!health.fails(terms), "one of ten is what is allowed");
        assert!(!health.fails(CanaryTerms { error_rate_max: None, ..terms }));
    }
}
