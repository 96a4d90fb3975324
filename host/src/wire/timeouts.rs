//! The timeouts that an app may shorten while it is served (Node: the
//! properties of `http.Server`). The operator's limits are what they begin
//! with, and their ceiling.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Limits;
use crate::wire::error::MessageError;

/// Nanoseconds that stand for no timeout.
const NONE: u64 = u64::MAX;

/// The timeouts of a listening side, as they are now.
#[derive(Debug)]
pub struct Timeouts {
    /// `keep_alive_timeout`.
    pub keep_alive: Timeout,
    /// `head_timeout`.
    pub head: Timeout,
    /// `request_timeout`.
    pub request: Timeout,
    /// `idle_timeout`.
    pub idle: Timeout,
}

/// One timeout and its ceiling.
#[derive(Debug)]
pub struct Timeout {
    limit: &'static str,
    ceiling: Option<Duration>,
    nanos: AtomicU64,
}

impl Timeouts {
    /// Those of the operator.
    pub fn new(limits: &Limits) -> Self {
        Timeouts {
            keep_alive: Timeout::new("keep_alive_timeout", limits.keep_alive_timeout),
            head: Timeout::new("head_timeout", limits.head_timeout),
            request: Timeout::new("request_timeout", limits.request_timeout),
            idle: Timeout::new("idle_timeout", limits.idle_timeout),
        }
    }
}

impl Timeout {
    fn new(limit: &'static str, ceiling: Option<Duration>) -> Self {
        Timeout { limit, ceiling, nanos: AtomicU64::new(nanos_of(ceiling)) }
    }

    /// The timeout as it is now; none for no limit.
    pub fn get(&self) -> Option<Duration> {
        match self.nanos.load(Ordering::Relaxed) {
            NONE => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// Sets it for what has not begun.
    ///
    /// # Errors
    /// `LimitExceeded` above the operator's ceiling; then nothing changes.
    pub fn set(&self, timeout: Option<Duration>) -> Result<(), MessageError> {
        let above = match (timeout, self.ceiling) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(timeout), Some(ceiling)) => timeout > ceiling,
        };
        if above {
            return Err(MessageError::LimitExceeded(self.limit));
        }
        self.nanos.store(nanos_of(timeout), Ordering::Relaxed);
        Ok(())
    }
}

fn nanos_of(timeout: Option<Duration>) -> u64 {
    timeout.map_or(NONE, |timeout| u64::try_from(timeout.as_nanos()).unwrap_or(NONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_stays_below_its_ceiling() {
        let minute = Duration::from_secs(60);
        let timeout = Timeout::new("head_timeout", Some(minute));
        assert_eq!(timeout.get(), Some(minute));
        assert_eq!(timeout.set(Some(minute / 2)), Ok(()));
        assert_eq!(timeout.set(Some(minute * 2)), Err(MessageError::LimitExceeded("head_timeout")));
        assert_eq!(timeout.set(None), Err(MessageError::LimitExceeded("head_timeout")));
        assert_eq!(timeout.get(), Some(minute / 2));
    }

    #[test]
    fn without_a_ceiling_everything_goes() {
        let timeout = Timeout::new("idle_timeout", None);
        assert_eq!(timeout.get(), None);
        assert_eq!(timeout.set(Some(Duration::ZERO)), Ok(()));
        assert_eq!(timeout.get(), Some(Duration::ZERO));
        assert_eq!(timeout.set(None), Ok(()));
        assert_eq!(timeout.get(), None);
    }
}
