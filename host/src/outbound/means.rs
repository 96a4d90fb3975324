//! What the connections of one app may cost, whichever of its agents has them:
//! so many at a time, of the app and of its tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Limits;
use crate::outbound::tally::Tally;
use crate::wire::ledger::{Charge, Ledger};

/// The means of an app.
#[derive(Debug)]
pub struct Means {
    app: Arc<Ledger>,
    tenant: Arc<Ledger>,
    free_socket_timeout_millis: AtomicU64,
    /// Whether somebody looks after free connections.
    sweeping: AtomicBool,
    tally: Tally,
}

/// What one connection takes of them. Dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    _app: Charge,
    _tenant: Charge,
}

impl Means {
    /// The means of an app with these limits, whose tenant has `tenant`.
    pub fn new(limits: &Limits, tenant: Arc<Ledger>) -> Self {
        let means = Means {
            app: Arc::new(Ledger::new(0)),
            tenant,
            free_socket_timeout_millis: AtomicU64::new(0),
            sweeping: AtomicBool::new(false),
            tally: Tally::default(),
        };
        means.set(limits);
        means
    }

    /// Takes over limits that have changed. What is in use stays, even if it is
    /// more.
    pub fn set(&self, limits: &Limits) {
        self.app.set_max(limits.outbound_connections_max.into());
        let millis = u64::try_from(limits.outbound_free_socket_timeout.as_millis()).unwrap_or(u64::MAX);
        self.free_socket_timeout_millis.store(millis, Ordering::Relaxed);
    }

    /// The longest that a free connection is kept.
    pub fn free_socket_timeout(&self) -> Duration {
        Duration::from_millis(self.free_socket_timeout_millis.load(Ordering::Relaxed))
    }

    /// What is counted of its requests.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Says that there is a free connection; returns whether nobody looks
    /// after such yet, which is then the caller's to see to.
    pub fn begin_sweeping(&self) -> bool {
        !self.sweeping.swap(true, Ordering::AcqRel)
    }

    /// Says that nobody does any more.
    pub fn end_sweeping(&self) {
        self.sweeping.store(false, Ordering::Release);
    }

    /// Connections there are, free ones included.
    pub fn connections(&self) -> u64 {
        self.app.used()
    }

    /// What one connection more takes.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn share(&self) -> Result<Share, &'static str> {
        let (mut app, mut tenant) = (Charge::new(self.app.clone()), Charge::new(self.tenant.clone()));
        if !app.add(1) {
            return Err("outbound_connections_max");
        }
        if !tenant.add(1) {
            return Err("outbound_connections_max of the tenant");
        }
        Ok(Share { _app: app, _tenant: tenant })
    }
}
