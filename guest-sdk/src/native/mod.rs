//! What is in the host's place where there is none: requests and responses in
//! memory, with the semantics of the contract, so that a handler can be called
//! by `cargo test`. [`testing`](crate::testing) is the way to it.
//!
//! `types`, `client`, `server`, `poll`, `monotonic_clock`, `keyvalue` and
//! `config` have the shape that the bindings have in a component. Behind them, `incoming` is a message
//! that is read, `response` one that is written, `fields` and `framing` its
//! head, `connection` what is below both, and `world` what else there is while
//! a handler runs.

pub mod types;
pub mod client;
pub mod server;
pub mod poll;
pub mod monotonic_clock;
#[cfg(feature = "keyvalue")]
pub mod keyvalue;
#[cfg(feature = "config")]
pub mod config;

pub mod world;
pub mod incoming;
pub mod response;
pub mod framing;
pub mod fields;
pub mod connection;
mod joined;
pub mod outgoing;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what only a handler that panicked can have left locked: then its test
/// has failed already.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
