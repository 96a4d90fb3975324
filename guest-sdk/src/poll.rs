//! Waiting for the first of several things: pollables from
//! [`IncomingMessage::subscribe`](crate::IncomingMessage::subscribe),
//! [`ServerResponse::subscribe`](crate::ServerResponse::subscribe),
//! [`ClientRequest::subscribe`](crate::client::ClientRequest::subscribe) and
//! their like, and [`timer`].

use std::time::Duration;

use crate::host;

pub use crate::host::poll::Pollable;

/// Waits until at least one of these is ready, and returns the indices of all
/// that are, in order. With nothing to wait for it returns at once.
///
/// ```no_run
/// # use innkeeper_guest::{IncomingMessage, poll, timer};
/// # use std::time::Duration;
/// # fn example(req: IncomingMessage) {
/// let (body, deadline) = (req.subscribe(), timer(Duration::from_secs(2)));
/// if poll(&[&body, &deadline]).contains(&0) {
///     // `req.read_piece` returns at once now.
/// }
/// # }
/// ```
pub fn poll(pollables: &[&Pollable]) -> Vec<usize> {
    // The host traps a guest that waits for nothing.
    if pollables.is_empty() {
        return Vec::new();
    }
    let ready = host::poll::poll(pollables);
    ready.into_iter().map(|index| index as usize).collect()
}

/// A pollable that is ready once this much time has passed. To do nothing but
/// wait there is [`std::thread::sleep`].
pub fn timer(after: Duration) -> Pollable {
    let nanoseconds = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
    host::monotonic_clock::subscribe_duration(nanoseconds)
}
