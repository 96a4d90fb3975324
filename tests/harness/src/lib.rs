//! What the end-to-end tests, `cargo xtask` and the benchmarks share.
//!
//! Nothing here knows how the host is built inside: it starts the real binary
//! with real components, talks to it in bytes over real sockets, and reads
//! what it says on its standard output and error.
//!
//! Waiting is always for an event and always with a deadline; [`pulse`] is the
//! one place that waits.

pub mod book;
pub mod bytes;
pub mod chromium;
pub mod composing;
pub mod configured;
pub mod dns;
pub mod golden;
pub mod guests;
pub mod languages;
pub mod logs;
pub mod message;
pub mod node_cases;
pub mod process;
pub mod pulse;
pub mod server;
pub mod servers;
pub mod tls;
pub mod upstream;
pub mod wire;
pub mod workspace;

use std::time::Duration;

/// How long a test waits for something that should happen at once. Long,
/// because a busy machine is no fault; a passing test never waits so long.
pub const DEADLINE: Duration = Duration::from_secs(20);
