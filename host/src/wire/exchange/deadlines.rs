//! When an exchange has taken too long: the timeouts that run while its guest
//! waits. Read by `wire::watch`.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::exchange::{Exchange, State};

/// What a deadline that passed was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// `write_stall_timeout`.
    WriteStall,
    /// `request_timeout`.
    Request,
    /// `idle_timeout`, or the guest's own.
    Idle,
}

impl Exchange {
    /// Sets the time without a byte after which the connection is dropped;
    /// zero for the operator's own.
    pub fn set_idle_timeout(&self, timeout: Duration) {
        let state = &mut *self.inner.state.lock();
        state.idle_since = Instant::now();
        self.inner.socket.watch_moves();
        state.wanted_idle_timeout = (!timeout.is_zero()).then_some(timeout);
        state.idle_timeout = self.idle_timeout_within(state.wanted_idle_timeout, state.tunnel.is_some());
    }

    /// What holds of the time that a guest wants.
    pub(super) fn idle_timeout_within(&self, wanted: Option<Duration>, tunnel: bool) -> Option<Duration> {
        let site = &self.inner.site;
        let ceiling = if tunnel { site.tunnel_idle_timeout(self.limits()) } else { site.timeouts.idle.get() };
        wanted.into_iter().chain(ceiling).min()
    }

    /// The next time at which something may expire.
    pub fn deadline(&self) -> Option<Instant> {
        let state = self.inner.state.lock();
        self.deadlines(&state).into_iter().flatten().map(|(at, _)| at).min()
    }

    /// What has expired at `now`.
    pub fn expired(&self, now: Instant) -> Option<Expired> {
        let state = self.inner.state.lock();
        self.deadlines(&state).into_iter().flatten().find(|(at, _)| *at <= now).map(|(_, what)| what)
    }

    fn deadlines(&self, state: &State) -> [Option<(Instant, Expired)>; 3] {
        let stall = state.stalled.zip(self.limits().write_stall_timeout);
        let request = state.request_deadline.filter(|_| state.body_wanted);
        let moved = self.inner.socket.moved().max(state.idle_since);
        [
            stall.and_then(|((since, _), timeout)| Some((since.checked_add(timeout)?, Expired::WriteStall))),
            request.map(|at| (at, Expired::Request)),
            state.idle_timeout.and_then(|timeout| Some((moved.checked_add(timeout)?, Expired::Idle))),
        ]
    }
}
