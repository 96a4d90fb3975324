//! Memory that several exchanges and instances use up together, counted by
//! whoever holds it. Who shares a ledger is not this file's affair; `app`
//! gives each tenant one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes in use, of at most so many.
#[derive(Debug)]
pub struct Ledger {
    used: AtomicU64,
    max: AtomicU64,
}

/// Bytes that one holder has of a ledger. Dropping it gives them back.
#[derive(Debug)]
pub struct Charge {
    ledger: Arc<Ledger>,
    bytes: u64,
}

impl Ledger {
    /// Nothing in use, of at most `max`.
    pub fn new(max: u64) -> Self {
        Ledger { used: AtomicU64::new(0), max: AtomicU64::new(max) }
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that may be in use.
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Changes what may be in use. What is in use stays, even if it is more.
    pub fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Bytes that are left.
    pub fn left(&self) -> u64 {
        self.max().saturating_sub(self.used())
    }

    /// Takes so many more bytes, or none if they are not left.
    pub fn take(&self, bytes: u64) -> bool {
        let max = self.max();
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= max)
        });
        taken.is_ok()
    }

    /// Gives back what was taken.
    pub fn give_back(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        // The closure never refuses.
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

impl Charge {
    /// No bytes of `ledger` yet.
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Charge { ledger, bytes: 0 }
    }

    /// What it is a charge on.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Bytes of it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes it so many bytes, whether or not they are left: for what is held
    /// already. Returns whether they were.
    pub fn set(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let fits = more == 0 || self.ledger.take(more);
        if !fits {
            self.ledger.used.fetch_add(more, Ordering::Relaxed);
        }
        self.ledger.give_back(self.bytes.saturating_sub(bytes));
        self.bytes = bytes;
        fits
    }

    /// Adds so many bytes, or none if they are not left.
    pub fn add(&mut self, bytes: u64) -> bool {
        let taken = self.ledger.take(bytes);
        if taken {
            self.bytes += bytes;
        }
        taken
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.ledger.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is() {
        let ledger = Arc::new(Ledger::new(10));
        let (mut one, mut other) = (Charge::new(ledger.clone()), Charge::new(ledger.clone()));
        assert!(one.add(6));
        assert!(!other.add(5));
        assert!(other.add(4));
        assert_eq!((ledger.used(), ledger.left()), (10, 0));
        drop(one);
        assert_eq!(ledger.used(), 4);
    }

    #[test]
    fn what_is_held_already_counts_even_above_the_quota() {
        let ledger = Arc::new(Ledger::new(10));
        let mut charge = Charge::new(ledger.clone());
        assert!(!charge.set(12));
        assert_eq!((ledger.used(), ledger.left()), (12, 0));
        assert!(charge.set(3));
        drop(charge);
        assert_eq!(ledger.used(), 0);
    }
}
