//! Waiting for something that other threads see first: a line of output,
//! bytes on a socket, its end. They [`beat`](Pulse::beat), the waiting thread
//! looks again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A counter that wakes who waits for it. Clones share it.
#[derive(Clone, Default)]
pub struct Pulse {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    beats: Mutex<u64>,
    changed: Condvar,
}

impl Pulse {
    /// Says that something has changed.
    pub fn beat(&self) {
        *self.inner.beats.lock() += 1;
        self.inner.changed.notify_all();
    }

    /// Looks, and looks again after every beat, until `look` finds something
    /// or the time is over.
    pub fn wait_for<T>(&self, within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        loop {
            // Read before looking: a beat in between is not missed.
            let before = *self.inner.beats.lock();
            if let Some(found) = look() {
                return Some(found);
            }
            let mut beats = self.inner.beats.lock();
            while *beats == before {
                if self.inner.changed.wait_until(&mut beats, deadline).timed_out() {
                    drop(beats);
                    return look();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_from_another_thread_is_seen() {
        let pulse = Pulse::default();
        let value = Arc::new(Mutex::new(None));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                *value.lock() = Some(7);
                pulse.beat();
            });
            assert_eq!(pulse.wait_for(crate::DEADLINE, || *value.lock()), Some(7));
        });
    }

    #[test]
    fn the_wait_ends_with_its_time() {
        assert_eq!(Pulse::default().wait_for(Duration::from_millis(1), || None::<()>), None);
    }
}
