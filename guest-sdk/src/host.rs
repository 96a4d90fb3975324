//! Whom the SDK calls: in a component the host, through the bindings; elsewhere
//! what [`native`](crate::native) has in its place, with the same functions.

#[cfg(target_family = "wasm")]
pub use crate::bindings::innkeeper::http::{client, server, types};
#[cfg(target_family = "wasm")]
pub use crate::bindings::wasi::{clocks::monotonic_clock, io::poll};

#[cfg(not(target_family = "wasm"))]
pub use crate::native::{client, monotonic_clock, poll, server, types};
