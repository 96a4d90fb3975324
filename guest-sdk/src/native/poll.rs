//! `wasi:io/poll`: everything is ready but timers, and those are waited for.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::world;

/// Ready from a moment on.
#[derive(Debug)]
pub struct Pollable {
    from: Instant,
}

impl Pollable {
    pub(super) fn ready() -> Self {
        Self { from: Instant::now() }
    }

    pub(super) fn after(wait: Duration) -> Self {
        let now = Instant::now();
        // A moment that cannot be named is one that does not come.
        let far = Duration::from_secs(u32::MAX.into());
        Self { from: now.checked_add(wait).unwrap_or(now + far) }
    }

    pub fn is_ready(&self) -> bool {
        Instant::now() >= self.from
    }

    /// Waits until it is ready.
    pub fn block(&self) {
        poll(&[self]);
    }

    super::types::handles!();
}

pub fn poll(pollables: &[&Pollable]) -> Vec<u32> {
    world::wait();
    loop {
        let ready: Vec<_> =
            (0..).zip(pollables).filter(|(_, one)| one.is_ready()).map(|(at, _)| at).collect();
        let first = pollables.iter().map(|one| one.from).min();
        match first {
            Some(first) if ready.is_empty() => sleep(first.saturating_duration_since(Instant::now())),
            _ => return ready,
        }
    }
}
