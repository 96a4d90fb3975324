//! What all connections of a server share, and the side of it that an app may
//! control (Node: `http.Server`).

use std::sync::Arc;
use std::time::Duration;

use crate::config::Limits;
use crate::wire::drain::{Drain, DrainControl, Phase};
use crate::wire::http1::head::HeadLimits;
use crate::wire::listener::Census;
use crate::wire::roster::Roster;
use crate::wire::timeouts::Timeouts;

/// What connections and exchanges know of their server. The last one to drop
/// it is what a drain waits for.
#[derive(Debug)]
pub struct Site {
    /// The limits of the host.
    pub limits: Arc<Limits>,
    /// The timeouts that may change.
    pub timeouts: Arc<Timeouts>,
    /// Whether the server is closing.
    pub drain: Drain,
    /// Its connections.
    pub roster: Roster,
}

impl Site {
    /// How much a request head or a trailer section may hold.
    pub fn head_limits(&self) -> HeadLimits {
        HeadLimits { bytes_max: self.limits.head_bytes_max, count_max: self.limits.header_count_max }
    }

    /// The time without a byte after which a tunnel is dropped: its own, and
    /// no longer than the operator's for any connection. What the app sets for
    /// its server is about requests.
    pub fn tunnel_idle_timeout(&self, of_app: &Limits) -> Option<Duration> {
        of_app.tunnel_idle_timeout.into_iter().chain(self.limits.idle_timeout).min()
    }
}

/// The listening side as its app sees it.
#[derive(Debug, Clone)]
pub struct Control {
    drain: Arc<DrainControl>,
    census: Census,
    timeouts: Arc<Timeouts>,
}

impl Control {
    /// Controls these.
    pub fn new(drain: Arc<DrainControl>, census: Census, timeouts: Arc<Timeouts>) -> Self {
        Control { drain, census, timeouts }
    }

    /// Whether connections are accepted.
    pub fn is_open(&self) -> bool {
        self.drain.phase() == Phase::Open
    }

    /// Open connections, tunnels included.
    pub fn connections(&self) -> usize {
        self.census.count()
    }

    /// Begins to drain; returns false if that has begun before. Whoever runs
    /// the server ends it afterwards.
    pub fn close(&self) -> bool {
        let begun = self.drain.advance(Phase::Draining);
        // Node's closes idle connections at once.
        self.drain.close_idle();
        begun
    }

    /// Closes the connections that wait for the first byte of a request.
    pub fn close_idle(&self) {
        self.drain.close_idle();
    }

    /// Drops all connections but tunnels.
    pub fn close_all(&self) {
        self.drain.close_all();
    }

    /// The timeouts, to read and to set.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}
