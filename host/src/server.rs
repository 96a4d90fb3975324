//! A server from bind to drain: the only place that an embedder needs.
//!
//! `Server::bind` → `Server::addresses` → `Server::run`; a [`Steering`] changes
//! it meanwhile.

mod gauges;
mod listeners;
mod steering;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::{sleep, timeout};

use crate::admin::Admin;
use crate::app::Apps;
use crate::config::Config;
use crate::deploy::{Deployer, open_state};
use crate::keyvalue::KeyValue;
use crate::outbound::service::Outbound;
use crate::server::listeners::Listeners;
use crate::telemetry::Telemetry;
use crate::wire::drain::{DrainControl, DrainReport, Phase};
use crate::wire::listener::Census;
use crate::wire::roster::Roster;
use crate::wire::site::Control;
use crate::wire::timeouts::Timeouts;

pub use steering::{Reloaded, Steering};

/// Time for the tasks of connections to end once they were told to.
const CUT_TIMEOUT: Duration = Duration::from_secs(2);

/// A server that listens, and does not serve yet.
pub struct Server {
    steering: Arc<Steering>,
    admin: Option<Admin>,
}

impl Server {
    /// Loads the apps and binds every address. Must run in a tokio runtime.
    ///
    /// # Errors
    /// An app that cannot be served, an address that cannot be bound, a state
    /// directory that cannot be used.
    pub async fn bind(config: &Config) -> Result<Self> {
        let state = open_state(config).await?;
        let (control, drain) = DrainControl::new();
        let (control, census, roster) = (Arc::new(control), Census::default(), Roster::default());
        let timeouts = Arc::new(Timeouts::new(&config.limits));
        let side = Control::new(control.clone(), census.clone(), timeouts.clone());
        let telemetry = Arc::new(Telemetry::start(&config.telemetry)?);
        let outbound = Outbound::new(&config.outbound)?;
        let keyvalue = KeyValue::new(&config.keyvalue, state.clone())?;
        let metrics = telemetry.metrics().clone();
        let apps = Arc::new(Apps::new(config, side, metrics, outbound, keyvalue)?);
        let deployer = Arc::new(Deployer::new(state, apps.clone()));
        deployer.configure(config).await.context("the apps cannot be served")?;
        let listeners = Listeners::bind(&config.listen)?;
        let steering = Arc::new(Steering::new(
            config,
            steering::Parts {
                apps,
                telemetry,
                deployer,
                listeners,
                control,
                drain,
                census,
                roster,
                timeouts,
            },
        ));
        steering.tell_gauges();
        let admin = match &config.admin {
            Some(admin) => Some(Admin::bind(admin, steering.clone()).await?),
            None => None,
        };
        Ok(Server { steering, admin })
    }

    /// The addresses that it listens on, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.steering.addresses()
    }

    /// Where it is administered, if it is: an address, or a Unix socket's path.
    pub fn admin_address(&self) -> Option<String> {
        self.admin.as_ref().map(Admin::address)
    }

    /// What changes the server while it runs.
    pub fn steering(&self) -> Arc<Steering> {
        self.steering.clone()
    }

    /// Serves until `stop` completes, somebody has it drain or an app closes
    /// its server. Then it says that it is not ready, serves on for
    /// `drain_delay`, and drains: idle connections close soon, exchanges in
    /// flight have `drain_timeout`, or until `cut` completes after `stop`.
    /// Dropping the future drops the listeners and leaves the connections to
    /// the runtime.
    pub async fn run(self, stop: impl Future<Output = ()>, cut: impl Future<Output = ()>) -> DrainReport {
        let Server { steering, admin } = self;
        let control = steering.start();
        let _records = steering.deployer().keep_records();
        let administration = admin.map(Admin::serve);
        let limits = steering.limits();
        let (mut stop, mut cut) = (pin!(stop), pin!(cut));
        let stopped = tokio::select! {
            () = &mut stop => true,
            () = steering.told_to_drain() => false,
            () = control.reached(Phase::Draining) => false,
        };
        steering.set_not_ready();
        let cut = async {
            if !stopped {
                // The first word to stop is no news.
                stop.await;
            }
            cut.as_mut().await;
        };
        let (mut cut, mut is_cut) = (pin!(cut), false);
        if control.phase() == Phase::Open && !limits.drain_delay.is_zero() {
            tracing::info!(target: "drain", drain_delay = ?limits.drain_delay, "not ready: connections are still accepted for a while");
            tokio::select! {
                () = sleep(limits.drain_delay) => {}
                () = &mut cut => is_cut = true,
            }
        }
        if !control.advance(Phase::Draining) {
            tracing::info!(target: "drain", "draining: the app has closed its server");
        }
        steering.let_go();
        let drain_timeout = limits.drain_timeout;
        let cut = async {
            // What has come to its end must not be asked again.
            if !is_cut {
                cut.await;
            }
        };
        tokio::select! {
            drained = timeout(drain_timeout, control.connections_closed()) => {
                if drained.is_err() {
                    tracing::warn!(target: "drain", ?drain_timeout, "exchanges are cut: they took longer to finish");
                }
            }
            () = cut => tracing::warn!(target: "drain", "exchanges are cut: told to stop again"),
        }
        control.advance(Phase::Cut);
        if timeout(CUT_TIMEOUT, control.connections_closed()).await.is_err() {
            tracing::warn!(target: "drain", "some connections did not end in time");
        }
        if let Some(administration) = administration {
            administration.stop().await;
        }
        steering.apps().fall_silent();
        control.report()
    }
}
