//! The CPU time of a tenant: what all its guests together may use, earned as
//! time goes by and saved up to a burst. Calls spend from it slice by slice
//! (`guest::cpu`); one that finds it in debt waits (`guest::demotion`). Nothing
//! ends for want of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The CPU time that a tenant has left. Without a quota, spending is an atomic
/// addition and nothing is locked.
#[derive(Debug)]
pub struct Budget {
    /// All that was ever spent. 64 bits of nanoseconds last for 584 years.
    used_nanos: AtomicU64,
    limited: AtomicBool,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    per_second: u64,
    burst: i128,
    /// In billionths of a nanosecond: what a slow rate earns between two looks
    /// is less than a nanosecond, and must not be lost. Below zero is debt.
    left: i128,
    /// Up to when it was earned.
    since: Instant,
}

/// Units of [`Bucket::left`] in a nanosecond.
const UNITS: i128 = 1_000_000_000;

impl Budget {
    /// Full, earning `per_second` for each second of wall-clock time up to
    /// `burst`; no `per_second` for no quota.
    pub fn new(per_second: Option<Duration>, burst: Duration) -> Self {
        let budget = Budget {
            used_nanos: AtomicU64::new(0),
            limited: AtomicBool::new(false),
            bucket: Mutex::new(Bucket { per_second: 0, burst: 0, left: 0, since: Instant::now() }),
        };
        budget.set(per_second, burst);
        budget
    }

    /// Changes the quota from now on. What was saved up stays, as far as the
    /// new burst holds it, and so does debt; where there was no quota before,
    /// it begins full.
    pub fn set(&self, per_second: Option<Duration>, burst: Duration) {
        let mut bucket = self.bucket.lock();
        bucket.earn(Instant::now());
        bucket.burst = i128::from(nanos(burst)) * UNITS;
        bucket.per_second = per_second.map_or(0, nanos);
        let was_limited = self.limited.swap(per_second.is_some(), Ordering::Relaxed);
        bucket.left = if was_limited { bucket.left.min(bucket.burst) } else { bucket.burst };
    }

    /// Takes so much of it, whether or not there is as much.
    pub fn spend(&self, time: Duration) {
        self.used_nanos.fetch_add(nanos(time), Ordering::Relaxed);
        if self.limited.load(Ordering::Relaxed) {
            self.bucket.lock().spend(time, Instant::now());
        }
    }

    /// The time until there is some again; none if there is.
    pub fn debt(&self) -> Option<Duration> {
        if !self.limited.load(Ordering::Relaxed) {
            return None;
        }
        self.bucket.lock().debt(Instant::now())
    }

    /// All that was ever spent.
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed))
    }
}

impl Bucket {
    fn earn(&mut self, now: Instant) {
        let passed = i128::from(nanos(now.saturating_duration_since(self.since)));
        let earned = passed.saturating_mul(i128::from(self.per_second));
        self.left = self.left.saturating_add(earned).min(self.burst);
        self.since = self.since.max(now);
    }

    fn spend(&mut self, time: Duration, now: Instant) {
        self.earn(now);
        self.left = self.left.saturating_sub(i128::from(nanos(time)) * UNITS);
    }

    /// An empty bucket is no debt: with a burst of zero it is never fuller.
    fn debt(&mut self, now: Instant) -> Option<Duration> {
        self.earn(now);
        let owed = self.left.checked_neg().filter(|owed| *owed > 0)?;
        let per_second = i128::from(self.per_second);
        // Rounded up, so that it is over when that time has passed.
        let wait = owed.saturating_add(per_second - 1).checked_div(per_second);
        let wait = wait.and_then(|wait| u64::try_from(wait).ok()).unwrap_or(u64::MAX);
        Some(Duration::from_nanos(wait))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A bucket at a standstill, which the tests move along.
    fn bucket(per_second: Duration, burst: Duration) -> (Bucket, Instant) {
        let since = Instant::now();
        let burst = i128::from(nanos(burst)) * UNITS;
        (Bucket { per_second: nanos(per_second), burst, left: burst, since }, since)
    }

    #[test]
    fn a_burst_is_what_was_saved_up_and_no_more() {
        let (mut bucket, start) = bucket(100 * MS, 50 * MS);
        bucket.spend(50 * MS, start);
        assert_eq!(bucket.debt(start), None, "all of the burst may be used");
        bucket.spend(MS, start);
        assert_eq!(bucket.debt(start), Some(10 * MS), "a millisecond at a tenth of a processor");
        assert_eq!(bucket.debt(start + 9 * MS), Some(MS));
        assert_eq!(bucket.debt(start + 10 * MS), None);
    }

    #[test]
    fn nothing_is_earned_above_the_burst() {
        let (mut bucket, start) = bucket(100 * MS, 50 * MS);
        let later = start + Duration::from_secs(3600);
        bucket.earn(later);
        bucket.spend(51 * MS, later);
        assert_eq!(bucket.debt(later), Some(10 * MS));
    }

    #[test]
    fn a_slow_rate_earns_however_often_it_is_looked_at() {
        let (mut bucket, start) = bucket(MS, Duration::ZERO);
        bucket.spend(Duration::from_micros(1), start);
        for nanos in 0..1_000_000 {
            assert!(bucket.debt(start + Duration::from_nanos(nanos)).is_some(), "{nanos}");
        }
        assert_eq!(bucket.debt(start + MS), None);
    }

    #[test]
    fn extremes_saturate() {
        let (mut bucket, start) = bucket(Duration::ZERO, Duration::MAX);
        for _ in 0..10 {
            bucket.spend(Duration::MAX, start);
        }
        assert_eq!(bucket.debt(start), Some(Duration::from_nanos(u64::MAX)), "nothing is ever earned");
        bucket.per_second = u64::MAX;
        bucket.earn(start + Duration::from_secs(u64::from(u32::MAX)));
        assert_eq!(bucket.debt(start), None);
    }

    #[test]
    fn a_clock_that_is_behind_takes_nothing_back() {
        let (mut bucket, start) = bucket(100 * MS, 50 * MS);
        bucket.spend(60 * MS, start + 100 * MS);
        assert_eq!(bucket.debt(start), Some(100 * MS));
        assert_eq!(bucket.debt(start + 200 * MS), None, "nor is a time earned twice");
        bucket.spend(MS, start + 200 * MS);
        assert_eq!(bucket.debt(start + 200 * MS), Some(10 * MS));
    }

    #[test]
    fn without_a_quota_spending_is_only_counted() {
        let budget = Budget::new(None, Duration::ZERO);
        budget.spend(Duration::from_secs(100));
        budget.spend(MS);
        assert_eq!(budget.debt(), None);
        assert_eq!(budget.used(), Duration::from_secs(100) + MS);
    }

    #[test]
    fn a_quota_changes_while_in_use() {
        let budget = Budget::new(None, Duration::ZERO);
        budget.spend(Duration::from_secs(100));
        budget.set(Some(MS), Duration::from_secs(10));
        assert_eq!(budget.debt(), None, "it begins full");
        budget.spend(Duration::from_secs(20));
        let slow = budget.debt().unwrap();
        budget.set(Some(1000 * MS), Duration::from_secs(1));
        let fast = budget.debt().unwrap();
        assert!(slow > Duration::from_secs(9_000), "{slow:?}");
        assert!(fast <= Duration::from_secs(10), "{fast:?}");
        budget.set(None, Duration::ZERO);
        assert_eq!(budget.debt(), None);
        assert_eq!(budget.used(), Duration::from_secs(120));
    }
}
