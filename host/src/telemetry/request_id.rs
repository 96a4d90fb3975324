//! The id of a request: what the client is told, and what the log lines of the
//! host and of the guest have in common.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;

/// The id of an exchange: 8 hexadecimal digits that this process chose when it
/// started, and the exchange's number. Nothing is allocated until it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// The id of the exchange with this number ([`Exchange::id`]).
    ///
    /// [`Exchange::id`]: crate::wire::exchange::Exchange::id
    pub fn of(exchange: u64) -> Self {
        RequestId(exchange)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:08x}-{:x}", process(), self.0)
    }
}

/// Tells the ids of one run of the host from those of another.
fn process() -> u32 {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    *PROCESS.get_or_init(|| {
        // The system without randomness still has some for hash tables.
        getrandom::u32().unwrap_or_else(|_| RandomState::new().hash_one(std::process::id()) as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_process_and_the_number() {
        let (first, second) = (RequestId::of(1).to_string(), RequestId::of(0xabc).to_string());
        let (process, number) = second.split_once('-').unwrap();
        assert_eq!((process.len(), number), (8, "abc"));
        assert!(process.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(first, format!("{process}-1"));
    }
}
