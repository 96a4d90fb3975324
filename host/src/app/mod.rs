//! Apps: what is served, for which requests, by whose means. [`Apps`] is all of
//! it, and the one place where that changes: at the start, when the
//! configuration is read again, and with each deploy.

pub mod routes;
pub mod tenant;
pub mod admission;
pub mod served;
pub mod version;
pub mod breaker;
pub mod loading;
mod change;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::app::admission::Gate;
use crate::app::loading::Loader;
use crate::app::routes::RouteTable;
use crate::app::served::App;
use crate::app::tenant::Tenant;
use crate::app::version::Version;
use crate::config::{Config, Limits, Name, Quotas, TenantConfig};
use crate::guest::demotion::Demotion;
use crate::keyvalue::KeyValue;
use crate::outbound::service::Outbound;
use crate::telemetry::metrics::Metrics;
use crate::wire::site::Control;

pub use change::{Change, Failures, Outcome};

/// All apps of a host.
pub struct Apps {
    table: ArcSwap<RouteTable<Arc<App>>>,
    book: Mutex<Book>,
    /// One change at a time; requests do not wait for it.
    changing: Arc<tokio::sync::Mutex<()>>,
    loader: Arc<Loader>,
    gate: Arc<Gate>,
    demotion: Demotion,
    metrics: Arc<Metrics>,
    taken_back: Mutex<Vec<TakenBack>>,
    /// Told of each of them.
    rollback: Notify,
}

/// A canary that was taken back for its errors.
pub struct TakenBack {
    /// Of which app.
    pub app: Arc<App>,
    /// The version.
    pub version: Arc<Version>,
    /// Answers that it gave.
    pub answers: u64,
    /// Errors among them.
    pub errors: u64,
}

/// Who and what there is, by name.
#[derive(Default)]
struct Book {
    apps: BTreeMap<Name, Arc<App>>,
    tenants: BTreeMap<Name, Arc<Tenant>>,
    terms: Terms,
}

/// What tenants may use.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Those that are named.
    pub tenants: BTreeMap<Name, TenantConfig>,
    /// All others.
    pub default: Quotas,
}

impl Apps {
    /// No apps yet. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// A system without room for the sandbox or for its threads.
    pub fn new(
        config: &Config,
        control: Control,
        metrics: Arc<Metrics>,
        outbound: Outbound,
        keyvalue: KeyValue,
    ) -> Result<Self> {
        Ok(Apps {
            table: ArcSwap::from_pointee(RouteTable::default()),
            book: Mutex::default(),
            changing: Arc::default(),
            loader: Arc::new(Loader::new(config, control, metrics.clone(), outbound, keyvalue)?),
            gate: Gate::new(config.limits.instances_max, config.limits.tunnels_max),
            demotion: Demotion::new()?,
            metrics,
            taken_back: Mutex::default(),
            rollback: Notify::new(),
        })
    }

    /// Which app is for which request, as it is now.
    pub fn routes(&self) -> arc_swap::Guard<Arc<RouteTable<Arc<App>>>> {
        self.table.load()
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The host's places for exchanges.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Where guests go that compute for too long.
    pub fn demotion(&self) -> &Demotion {
        &self.demotion
    }

    /// What loads components.
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// Says that a canary was taken back, and keeps that for whoever writes it
    /// down.
    pub fn note_taken_back(&self, taken: TakenBack) {
        let TakenBack { app, version, answers, errors } = &taken;
        tracing::error!(
            tenant = %app.tenant.name,
            app = %app.name,
            version = version.owner.version,
            answers,
            errors,
            "canary rolled back: {errors} of its {answers} answers were errors"
        );
        self.taken_back.lock().push(taken);
        self.rollback.notify_one();
    }

    /// Waits for canaries that were taken back. Can be dropped at any time.
    pub async fn taken_back(&self) -> Vec<TakenBack> {
        loop {
            let taken = std::mem::take(&mut *self.taken_back.lock());
            if !taken.is_empty() {
                return taken;
            }
            self.rollback.notified().await;
        }
    }

    /// Has nothing be said of versions that go with the host: its last word is
    /// that it stopped.
    pub fn fall_silent(&self) {
        for app in self.list() {
            app.serving().loaded().for_each(|version| version.has_served.store(false, Ordering::Relaxed));
        }
    }

    /// All apps, by name.
    pub fn list(&self) -> Vec<Arc<App>> {
        self.book.lock().apps.values().cloned().collect()
    }

    /// The app of this name.
    pub fn find(&self, name: &Name) -> Option<Arc<App>> {
        self.book.lock().apps.get(name).cloned()
    }

    /// The tenants that have apps or terms of their own, by name.
    pub fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.book.lock().tenants.values().cloned().collect()
    }

    /// The tenant of this name.
    pub fn find_tenant(&self, name: &Name) -> Option<Arc<Tenant>> {
        self.book.lock().tenants.get(name).cloned()
    }
}

impl Book {
    /// The tenant of this name; a new one is as these terms say.
    fn tenant(&mut self, name: &Name, terms: &Terms, gate: &Arc<Gate>, demotion: &Demotion) -> Arc<Tenant> {
        if let Some(tenant) = self.tenants.get(name) {
            return tenant.clone();
        }
        let tenant = Arc::new(Tenant::new(name.clone(), terms.of(name), gate, demotion));
        self.tenants.insert(name.clone(), tenant.clone());
        tenant
    }
}

impl Terms {
    /// What this tenant may use.
    pub fn of(&self, name: &Name) -> TenantConfig {
        let default = || TenantConfig { quotas: self.default.clone(), hosts: Vec::new() };
        self.tenants.get(name).cloned().unwrap_or_else(default)
    }
}

impl Default for Terms {
    fn default() -> Self {
        Terms { tenants: BTreeMap::new(), default: Quotas::within(&Limits::default()) }
    }
}
