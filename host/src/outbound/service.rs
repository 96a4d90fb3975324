//! What all apps of a host share to reach others: who is asked for addresses,
//! and the certificates that servers are judged by. Makes the outbound side of
//! each version of an app.

use std::sync::Arc;

use anyhow::Result;

use crate::config::{AppSettings, OutboundConfig};
use crate::outbound::agents::Agents;
use crate::outbound::client::{Client, Log};
use crate::outbound::connect::Connector;
use crate::outbound::policy::Policy;
use crate::outbound::resolver::Resolver;
use crate::outbound::tls::{Roots, TlsIdentity};
use crate::wire::ledger::Ledger;

/// The outbound side of a host.
pub struct Outbound {
    resolver: Arc<Resolver>,
    roots: Roots,
}

impl Outbound {
    /// Reads what the configuration names. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// A file without a certificate.
    pub fn new(config: &OutboundConfig) -> Result<Self> {
        Ok(Outbound {
            resolver: Arc::new(Resolver::new(&config.nameservers)),
            roots: Roots::new(config.roots.as_ref())?,
        })
    }

    /// The outbound side of a version with these settings, whose app has
    /// `agents`. Buffers are charged to `memory`, and refusals go to `log`.
    ///
    /// # Errors
    /// A certificate or key that is none.
    pub fn client(
        &self,
        settings: &AppSettings,
        agents: Arc<Agents>,
        memory: Arc<Ledger>,
        log: Log,
    ) -> Result<Client> {
        let outbound = &settings.outbound;
        let identity = TlsIdentity::new(&self.roots, &outbound.tls)?;
        let connector = Connector::new(self.resolver.clone(), Arc::new(identity));
        let policy = Policy::new(outbound.allowed.clone());
        Ok(Client::new(policy, connector, settings.limits.clone(), agents, memory, log))
    }
}
