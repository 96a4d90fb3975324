//! A tenant while it is served: its quotas, and what of them is in use. All its
//! apps draw on it; it stays for as long as one of them or a connection does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::app::admission::{Gate, Lane};
use crate::config::{HostPattern, Name, Quotas, TenantConfig};
use crate::error::Fault;
use crate::guest::account::Account;
use crate::guest::budget::Budget;
use crate::guest::demotion::Demotion;
use crate::guest::log::LogQuota;
use crate::wire::ledger::{Charge, Ledger};
use crate::wire::socket::Socket;

/// A tenant.
pub struct Tenant {
    /// Its name.
    pub name: Name,
    /// How its exchanges come in.
    pub lane: Lane,
    /// What its guests draw on.
    pub account: Account,
    connections: Arc<Ledger>,
    /// Tells its connections from those of others, also of a tenant of the
    /// same name that came after it.
    holder: usize,
    terms: Mutex<TenantConfig>,
}

impl Tenant {
    /// A tenant that uses nothing yet.
    pub fn new(name: Name, terms: TenantConfig, gate: &Arc<Gate>, demotion: &Demotion) -> Self {
        static HOLDERS: AtomicU64 = AtomicU64::new(1);
        let quotas = &terms.quotas;
        let cpu = Arc::new(Budget::new(quotas.cpu_per_second, quotas.cpu_burst));
        let account = Account {
            memory: Arc::new(Ledger::new(quotas.memory_bytes_max)),
            share: demotion.share(name.as_str(), cpu.clone()),
            cpu,
            outbound: Arc::new(Ledger::new(quotas.outbound_connections_max.into())),
            keyvalue_bytes_max: Arc::new(AtomicU64::new(quotas.keyvalue_bytes_max)),
            log: Arc::new(LogQuota::new(quotas.log_bytes_per_second)),
        };
        Tenant {
            lane: gate.lane(quotas),
            account,
            connections: Arc::new(Ledger::new(quotas.connections_max.into())),
            // Wraps after more tenants than there can be.
            holder: HOLDERS.fetch_add(1, Ordering::Relaxed) as usize,
            name,
            terms: Mutex::new(terms),
        }
    }

    /// What it may use, and which hosts are its own.
    pub fn terms(&self) -> TenantConfig {
        self.terms.lock().clone()
    }

    /// Takes over terms that have changed. What is in use stays, even if it is
    /// more.
    pub fn set_terms(&self, terms: TenantConfig) {
        let quotas: &Quotas = &terms.quotas;
        self.lane.set(quotas);
        self.account.memory.set_max(quotas.memory_bytes_max);
        self.account.cpu.set(quotas.cpu_per_second, quotas.cpu_burst);
        self.account.outbound.set_max(quotas.outbound_connections_max.into());
        self.account.keyvalue_bytes_max.store(quotas.keyvalue_bytes_max, Ordering::Relaxed);
        self.account.log.set(quotas.log_bytes_per_second);
        self.connections.set_max(quotas.connections_max.into());
        *self.terms.lock() = terms;
    }

    /// Connections that are its own: those whose latest exchange was.
    pub fn connections(&self) -> u64 {
        self.connections.used()
    }

    /// Makes a connection its own, until that ends or serves another tenant.
    ///
    /// # Errors
    /// `TenantConnections` if it has as many as it may.
    pub fn seat(&self, socket: &Socket) -> Result<(), Fault> {
        if socket.is_held_by(self.holder) {
            return Ok(());
        }
        let mut seat = Charge::new(self.connections.clone());
        if !seat.add(1) {
            return Err(Fault::TenantConnections(self.connections.max()));
        }
        socket.seat(self.holder, Arc::new(seat));
        Ok(())
    }

    /// Whether it has CPU time left.
    ///
    /// # Errors
    /// `TenantCpu` with the time until it has.
    pub fn check_cpu(&self) -> Result<(), Fault> {
        self.account.cpu.debt().map_or(Ok(()), |debt| Err(Fault::TenantCpu(debt)))
    }

    /// Whether the tenant itself may have routes for this host.
    pub fn may_route(&self, host: &HostPattern) -> bool {
        self.terms.lock().hosts.iter().any(|own| covers(own, host))
    }
}

/// Whether every host of `inner` is one of `outer`.
fn covers(outer: &HostPattern, inner: &HostPattern) -> bool {
    let below = |name: &str, suffix: &str| {
        name.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    };
    match (outer, inner) {
        (HostPattern::Any, _) => true,
        (HostPattern::Exact(own), HostPattern::Exact(name)) => own == name,
        (HostPattern::Suffix(own), HostPattern::Exact(name)) => below(name, own),
        (HostPattern::Suffix(own), HostPattern::Suffix(name)) => own == name || below(name, own),
        (HostPattern::Exact(_), _) | (HostPattern::Suffix(_), HostPattern::Any) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_hosts_are_those_below_its_own() {
        let exact = |name: &str| HostPattern::Exact(name.to_owned());
        let suffix = |name: &str| HostPattern::Suffix(name.to_owned());
        assert!(covers(&suffix("a.example"), &exact("x.a.example")));
        assert!(covers(&suffix("a.example"), &suffix("y.a.example")));
        assert!(covers(&exact("a.example"), &exact("a.example")));
        assert!(covers(&HostPattern::Any, &HostPattern::Any));
        for other in [
            exact("a.example"),
            exact("evila.example"),
            exact(".a.example"),
            suffix("example"),
            HostPattern::Any,
        ] {
            assert!(!covers(&suffix("a.example"), &other), "{other}");
        }
        assert!(!covers(&exact("a.example"), &suffix("a.example")));
    }
}
