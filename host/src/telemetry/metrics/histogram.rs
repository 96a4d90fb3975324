//! A histogram of durations that is observed without a lock and can be asked
//! for its quantiles, which `prometheus-client`'s own cannot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Durations counted in buckets.
pub struct Histogram {
    /// Upper bounds in seconds, rising.
    bounds: &'static [f64],
    /// One for each bound, and one for what is above the last.
    counts: Box<[AtomicU64]>,
    sum_nanos: AtomicU64,
}

impl Histogram {
    /// An empty one with these upper bounds in seconds, rising.
    pub fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram { bounds, counts, sum_nanos: AtomicU64::new(0) }
    }

    /// Counts a duration.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// All durations together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_nanos.load(Ordering::Relaxed))
    }

    /// Each bucket's upper bound and what it counted, the last without a bound.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(&self.counts).map(|(bound, count)| (bound, count.load(Ordering::Relaxed))).collect()
    }

    /// The seconds that a share of the durations, 0 to 1, does not exceed;
    /// estimated as if those of a bucket were spread evenly. Above the last
    /// bound it is that bound.
    pub fn quantile(&self, share: f64) -> f64 {
        let buckets = self.buckets();
        let total: u64 = buckets.iter().map(|(_, count)| count).sum();
        let wanted = total as f64 * share;
        let (mut below, mut lower) = (0.0, 0.0);
        for (upper, count) in buckets {
            let count = count as f64;
            if count > 0.0 && below + count >= wanted {
                let part = (wanted - below) / count;
                return if upper.is_finite() { lower + (upper - lower) * part } else { lower };
            }
            below += count;
            lower = if upper.is_finite() { upper } else { lower };
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let histogram = Histogram::new(&[0.001, 0.01, 0.1]);
        assert_eq!(histogram.quantile(0.5), 0.0);
        for _ in 0..98 {
            histogram.observe(Duration::from_millis(5));
        }
        histogram.observe(Duration::from_millis(50));
        histogram.observe(Duration::from_secs(5));
        let p50 = histogram.quantile(0.5);
        assert!(p50 > 0.001 && p50 < 0.01, "{p50}");
        assert_eq!((histogram.quantile(0.99), histogram.quantile(1.0)), (0.1, 0.1));
        assert_eq!(histogram.buckets().iter().map(|(_, count)| *count).collect::<Vec<_>>(), [0, 98, 1, 1]);
        assert_eq!(histogram.sum(), Duration::from_millis(98 * 5 + 50 + 5000));
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        histogram.observe(Duration::from_millis(500));
        assert_eq!(histogram.buckets(), [(0.5, 1), (1.0, 0), (f64::INFINITY, 0)]);
    }
}
