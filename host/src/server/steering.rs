//! What changes a server while it runs: the configuration is read again,
//! somebody has it drain, an operator looks at it. The server, the command line
//! and the administration share it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use std::time::{Duration, Instant};

use anyhow::Result;
use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::app::{Apps, Outcome};
use crate::config::{Config, Limits};
use crate::deploy::Deployer;
use crate::handler::Handler;
use crate::server::listeners::Listeners;
use crate::telemetry::Telemetry;
use crate::wire::connection::Shared;
use crate::wire::drain::{Drain, DrainControl};
use crate::wire::listener::{Census, Full};
use crate::wire::roster::Roster;
use crate::wire::site::Site;
use crate::wire::timeouts::Timeouts;

/// The parts of a server.
pub(super) struct Parts {
    pub apps: Arc<Apps>,
    pub telemetry: Arc<Telemetry>,
    pub deployer: Arc<Deployer>,
    pub listeners: Listeners,
    pub control: Arc<DrainControl>,
    pub drain: Drain,
    pub census: Census,
    pub roster: Roster,
    pub timeouts: Arc<Timeouts>,
}

/// A server, for whoever changes it or looks at it.
pub struct Steering {
    apps: Arc<Apps>,
    telemetry: Arc<Telemetry>,
    deployer: Arc<Deployer>,
    listeners: Listeners,
    control: Arc<DrainControl>,
    census: Census,
    roster: Roster,
    /// What new connections are made with; none once the server drains, which
    /// waits for the last one to let go of it.
    site: Arc<ArcSwapOption<Site>>,
    config: Mutex<Config>,
    limits: ArcSwap<Limits>,
    ready: AtomicBool,
    drain_wanted: Notify,
    reloading: tokio::sync::Mutex<()>,
    started: Instant,
}

/// What reading the configuration again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// What became of the apps.
    pub apps: Outcome,
    /// Keys that have changed and need a restart.
    pub needs_restart: Vec<&'static str>,
}

impl Steering {
    pub(super) fn new(config: &Config, parts: Parts) -> Self {
        let Parts { apps, telemetry, deployer, listeners, control, drain, census, roster, timeouts } = parts;
        let limits = Arc::new(config.limits.clone());
        let site = Site { limits: limits.clone(), timeouts, drain, roster: roster.clone() };
        Steering {
            apps,
            telemetry,
            deployer,
            listeners,
            control,
            census,
            roster,
            site: Arc::new(ArcSwapOption::from_pointee(site)),
            config: Mutex::new(config.clone()),
            limits: ArcSwap::new(limits),
            ready: AtomicBool::new(false),
            drain_wanted: Notify::new(),
            reloading: tokio::sync::Mutex::new(()),
            started: Instant::now(),
        }
    }

    /// Begins to accept.
    pub(super) fn start(&self) -> Arc<DrainControl> {
        self.accept();
        self.ready.store(true, Ordering::Relaxed);
        self.control.clone()
    }

    fn accept(&self) {
        let handler = Arc::new(Handler::new(self.apps.clone(), self.telemetry.clone()));
        let site = self.site.clone();
        let shared = move || Some(Shared { site: site.load_full()?, answer: handler.clone() });
        let metrics = self.telemetry.metrics().clone();
        let refused = move |full: Full| metrics.refused_connection(full == Full::Peer);
        self.listeners.accept(&self.census, &(Arc::new(refused) as _), &(Arc::new(shared) as _));
    }

    /// Has the server drain, as a signal would.
    pub fn drain(&self) {
        self.drain_wanted.notify_one();
    }

    pub(super) async fn told_to_drain(&self) {
        self.drain_wanted.notified().await;
    }

    pub(super) fn set_not_ready(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }

    /// Lets go of what new connections would be made with, once the server
    /// drains.
    pub(super) fn let_go(&self) {
        // Not while a reload puts another in its place.
        let _config = self.config.lock();
        self.site.store(None);
    }

    /// Whether requests should come here: from the first accept to the first
    /// word to stop.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Time since it was made.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The addresses that it listens on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.addresses()
    }

    /// The limits of the host as they are now.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// What is served.
    pub fn apps(&self) -> &Arc<Apps> {
        &self.apps
    }

    /// What deploys.
    pub fn deployer(&self) -> &Arc<Deployer> {
        &self.deployer
    }

    /// What is said of it.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// Who is connected.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.census.count()
    }

    /// Goes over to another configuration: apps, routes, tenants, limits,
    /// addresses. What did not change keeps its connections and instances;
    /// connections keep the limits that they began with.
    ///
    /// # Errors
    /// Why the configuration cannot be served; then nothing has changed.
    pub async fn reload(&self, config: &Config) -> Result<Reloaded> {
        let _one_at_a_time = self.reloading.lock().await;
        let before = self.config.lock().clone();
        let fresh = self.listeners.prepare(&config.listen)?;
        let (limits, needs_restart) = within_reach(&before, config);
        let config = Config { limits, ..config.clone() };
        let apps = self.deployer.configure(&config).await?;
        self.listeners.adopt(fresh, &config.listen);
        let limits = Arc::new(config.limits.clone());
        let mut current = self.config.lock();
        if let Some(site) = self.site.load_full() {
            let timeouts = Arc::new(Timeouts::new(&limits));
            let (drain, roster) = (site.drain.clone(), site.roster.clone());
            self.site.store(Some(Arc::new(Site { limits: limits.clone(), timeouts, drain, roster })));
        }
        self.limits.store(limits);
        *current = config;
        drop(current);
        if self.is_ready() {
            self.accept();
        }
        self.telemetry.reopen();
        Ok(Reloaded { apps, needs_restart })
    }
}

/// The limits of `next` as far as a running host can take them over, and the
/// keys of those that it cannot, because the sandbox was sized by them or
/// threads were started.
fn within_reach(now: &Config, next: &Config) -> (Limits, Vec<&'static str>) {
    let mut keys = Vec::new();
    let mut note = |key, differs| {
        if differs {
            keys.push(key);
        }
    };
    let (old, new) = (&now.limits, &next.limits);
    note("limits.instances_max", old.instances_max != new.instances_max);
    note("limits.tunnels_max", old.tunnels_max != new.tunnels_max);
    note("limits.memory_bytes_max", old.memory_bytes_max < new.memory_bytes_max);
    note("limits.table_elements_max", old.table_elements_max < new.table_elements_max);
    note("cache", now.cache != next.cache);
    note("state", now.state != next.state);
    note("admin", now.admin != next.admin);
    note("keyvalue", now.keyvalue != next.keyvalue);
    note("outbound", now.outbound != next.outbound);
    note(
        "log",
        (&now.telemetry.log_format, &now.telemetry.log_filter)
            != (&next.telemetry.log_format, &next.telemetry.log_filter),
    );
    note("log.access", now.telemetry.access_log != next.telemetry.access_log);
    note(
        "telemetry",
        (&now.telemetry.traces, &now.telemetry.request_id_header)
            != (&next.telemetry.traces, &next.telemetry.request_id_header),
    );
    let limits = Limits {
        instances_max: old.instances_max,
        tunnels_max: old.tunnels_max,
        memory_bytes_max: new.memory_bytes_max.min(old.memory_bytes_max),
        table_elements_max: new.table_elements_max.min(old.table_elements_max),
        ..new.clone()
    };
    (limits, keys)
}
