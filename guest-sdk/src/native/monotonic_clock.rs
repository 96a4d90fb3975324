//! `wasi:clocks/monotonic-clock`, as far as the SDK and the bindings use it.

use super::poll::Pollable;

/// `duration`: nanoseconds.
pub type Duration = u64;

pub fn subscribe_duration(when: Duration) -> Pollable {
    Pollable::after(std::time::Duration::from_nanos(when))
}
