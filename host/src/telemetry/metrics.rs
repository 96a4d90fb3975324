//! Metrics: what is counted of every version of an app, of refusals, and what
//! others tell when they are asked. The path of an exchange touches atomics
//! only; all text is made when somebody asks for it (`metrics::scrape`).

mod histogram;
mod scrape;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use serde::Serialize;

use crate::config::Name;
use crate::telemetry::metrics::histogram::Histogram;

/// The media type of what [`Metrics::encode`] makes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds of the time that an exchange takes.
const DURATIONS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds in seconds of the CPU time that a guest takes for one.
const CPU_TIMES: &[f64] =
    &[0.00001, 0.000025, 0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// The metrics of a host. There is one.
#[derive(Default)]
pub struct Metrics {
    versions: Mutex<BTreeMap<Key, Weak<VersionMetrics>>>,
    refusals: Refusals,
    gauges: Mutex<Option<Arc<Source>>>,
}

/// Tenant, app and version.
type Key = (Name, Name, String);

/// Who tells gauges.
type Source = dyn Fn() -> Vec<Gauge> + Send + Sync;

/// What is counted of one version of an app. Its series are there as long as
/// somebody holds it.
pub struct VersionMetrics {
    metrics: Weak<Metrics>,
    key: Key,
    /// By class of status, 1xx to 5xx.
    requests: [AtomicU64; 5],
    failed: AtomicU64,
    crashes: AtomicU64,
    in_flight: AtomicI64,
    response_bytes: AtomicU64,
    request_bytes: AtomicU64,
    duration: Histogram,
    cpu: Histogram,
}

/// An exchange in flight, until it is dropped.
pub struct InFlight(Arc<VersionMetrics>);

/// Why an exchange or a connection was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No route is for it.
    NoRoute,
    /// The route is not for its method.
    Method,
    /// It is not HTTP as the host reads it.
    Malformed,
    /// The tenant's queue is full.
    QueueFull,
    /// It waited in the queue for as long as it may.
    QueueTimeout,
    /// The host has no place.
    HostFull,
    /// The tenant has used its CPU time.
    TenantCpu,
    /// The tenant has used its memory.
    TenantMemory,
    /// The tenant has its connections.
    TenantConnections,
    /// The app crashes too often.
    Tripped,
    /// There are as many tunnels as there may be.
    TunnelsFull,
    /// There is no instance for it.
    PoolFull,
    /// The app has no version.
    NoVersion,
    /// There are as many connections as there may be.
    Connections,
    /// There are as many connections of the peer as there may be.
    ConnectionsPerPeer,
    /// The server is closing.
    Draining,
}

/// A number that somebody tells when asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// Its name, `innkeeper_` and what follows; without `_total`, which a
    /// counter gets by itself.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Whether it only ever grows.
    pub kind: GaugeKind,
    /// Its labels. One named `tenant` lets that tenant see it.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: f64,
}

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaugeKind {
    /// It goes up and down.
    Gauge,
    /// It only ever grows.
    Counter,
}

/// The numbers of one version, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionSnapshot {
    /// Whose app.
    pub tenant: Name,
    /// The app.
    pub app: Name,
    /// The version.
    pub version: String,
    /// Exchanges that are over, by class of status, 1xx to 5xx.
    pub requests: [u64; 5],
    /// Those whose response did not come to its end, or was the host's in
    /// place of the guest's.
    pub failed: u64,
    /// Crashes of its guests.
    pub crashes: u64,
    /// Exchanges in flight.
    pub in_flight: i64,
    /// Bytes of response bodies.
    pub response_bytes: u64,
    /// Bytes of request bodies.
    pub request_bytes: u64,
    /// CPU time of its guests.
    pub cpu_seconds: f64,
    /// What half of the exchanges took at most, as far as the buckets tell.
    pub duration_p50_seconds: f64,
    /// What 99 of 100 took at most.
    pub duration_p99_seconds: f64,
}

impl Metrics {
    /// The metrics of a host that has done nothing so far.
    pub fn new() -> Arc<Self> {
        Arc::new(Metrics::default())
    }

    /// What is counted of a version, the same for everybody who asks while it
    /// is held.
    pub fn for_version(self: &Arc<Self>, tenant: &Name, app: &Name, version: &str) -> Arc<VersionMetrics> {
        let key = (tenant.clone(), app.clone(), version.to_owned());
        let mut versions = self.versions.lock();
        if let Some(there) = versions.get(&key).and_then(Weak::upgrade) {
            return there;
        }
        let made = Arc::new(VersionMetrics::new(Arc::downgrade(self), key.clone()));
        versions.insert(key, Arc::downgrade(&made));
        made
    }

    /// Counts a connection that had no place, because of its peer's others or
    /// of all.
    pub fn refused_connection(&self, of_peer: bool) {
        self.refused(None, if of_peer { Refusal::ConnectionsPerPeer } else { Refusal::Connections });
    }

    /// Counts an exchange or a connection that was not let in; `tenant` is
    /// whose it would have been, and one of those that the host knows.
    pub fn refused(&self, tenant: Option<&Name>, reason: Refusal) {
        self.refusals.count(tenant, reason);
    }

    /// Has `source` asked for gauges at each scrape, in place of whoever was
    /// asked before.
    pub fn set_gauges(&self, source: Box<dyn Fn() -> Vec<Gauge> + Send + Sync>) {
        *self.gauges.lock() = Some(Arc::from(source));
    }

    /// Everything as OpenMetrics text; or only what is labelled with this
    /// tenant, and nothing of others or of the host.
    pub fn encode(&self, only_tenant: Option<&Name>) -> String {
        let source = self.gauges.lock().clone();
        // Asked without a lock: it may take its own.
        let gauges = source.map(|source| source()).unwrap_or_default();
        let refusals = self.refusals.counts();
        scrape::encode(self.versions(), refusals, gauges, only_tenant.map(Name::as_str))
    }

    /// The numbers of every version.
    pub fn snapshot(&self) -> Vec<VersionSnapshot> {
        self.versions().iter().map(|version| version.snapshot()).collect()
    }

    fn versions(&self) -> Vec<Arc<VersionMetrics>> {
        self.versions.lock().values().filter_map(Weak::upgrade).collect()
    }
}

impl VersionMetrics {
    fn new(metrics: Weak<Metrics>, key: Key) -> Self {
        VersionMetrics {
            metrics,
            key,
            requests: Default::default(),
            failed: AtomicU64::new(0),
            crashes: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            response_bytes: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            duration: Histogram::new(DURATIONS),
            cpu: Histogram::new(CPU_TIMES),
        }
    }

    /// Counts an exchange that is over: its status, the time it took, the CPU
    /// time of its guest, the bytes of both bodies, and whether its response
    /// did not come to its end or was the host's in place of the guest's.
    pub fn record(
        &self,
        status: u16,
        duration: Duration,
        cpu: Duration,
        sent_bytes: u64,
        body_bytes: u64,
        failed: bool,
    ) {
        // What is no status was never sent, and so is a fault of this side.
        let class = usize::from(status / 100).checked_sub(1).filter(|class| *class < 5).unwrap_or(4);
        if let Some(requests) = self.requests.get(class) {
            requests.fetch_add(1, Ordering::Relaxed);
        }
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.response_bytes.fetch_add(sent_bytes, Ordering::Relaxed);
        self.request_bytes.fetch_add(body_bytes, Ordering::Relaxed);
        self.duration.observe(duration);
        self.cpu.observe(cpu);
    }

    /// Counts a crash of a guest.
    pub fn crash(&self) {
        self.crashes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an exchange as in flight until what this returns is dropped.
    pub fn in_flight(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// Its numbers.
    pub fn snapshot(&self) -> VersionSnapshot {
        let (tenant, app, version) = self.key.clone();
        VersionSnapshot {
            tenant,
            app,
            version,
            requests: self.requests.each_ref().map(|count| count.load(Ordering::Relaxed)),
            failed: self.failed.load(Ordering::Relaxed),
            crashes: self.crashes.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            response_bytes: self.response_bytes.load(Ordering::Relaxed),
            request_bytes: self.request_bytes.load(Ordering::Relaxed),
            cpu_seconds: self.cpu.sum().as_secs_f64(),
            duration_p50_seconds: self.duration.quantile(0.5),
            duration_p99_seconds: self.duration.quantile(0.99),
        }
    }
}

impl Drop for VersionMetrics {
    fn drop(&mut self) {
        let Some(metrics) = self.metrics.upgrade() else { return };
        let (tenant, ..) = &self.key;
        let mut versions = metrics.versions.lock();
        // Somebody may have asked for the version again in the meantime.
        if versions.get(&self.key).is_some_and(|there| there.strong_count() == 0) {
            versions.remove(&self.key);
        }
        if !versions.keys().any(|(other, ..)| other == tenant) {
            metrics.refusals.forget(tenant);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Refusal {
    /// All reasons, in the order in which they are declared.
    const ALL: [Refusal; 16] = [
        Refusal::NoRoute,
        Refusal::Method,
        Refusal::Malformed,
        Refusal::QueueFull,
        Refusal::QueueTimeout,
        Refusal::HostFull,
        Refusal::TenantCpu,
        Refusal::TenantMemory,
        Refusal::TenantConnections,
        Refusal::Tripped,
        Refusal::TunnelsFull,
        Refusal::PoolFull,
        Refusal::NoVersion,
        Refusal::Connections,
        Refusal::ConnectionsPerPeer,
        Refusal::Draining,
    ];

    /// The reason as a label.
    pub fn label(self) -> &'static str {
        match self {
            Refusal::NoRoute => "no-route",
            Refusal::Method => "method",
            Refusal::Malformed => "malformed",
            Refusal::QueueFull => "queue-full",
            Refusal::QueueTimeout => "queue-timeout",
            Refusal::HostFull => "host-full",
            Refusal::TenantCpu => "tenant-cpu",
            Refusal::TenantMemory => "tenant-memory",
            Refusal::TenantConnections => "tenant-connections",
            Refusal::Tripped => "tripped",
            Refusal::TunnelsFull => "tunnels-full",
            Refusal::PoolFull => "pool-full",
            Refusal::NoVersion => "no-version",
            Refusal::Connections => "connections",
            Refusal::ConnectionsPerPeer => "connections-per-peer",
            Refusal::Draining => "draining",
        }
    }
}

/// Refusals counted by whose the exchange would have been. A flood of them is
/// when counting must be cheap.
#[derive(Default)]
struct Refusals {
    of_nobody: Reasons,
    of_tenants: RwLock<HashMap<Name, Reasons>>,
}

type Reasons = [AtomicU64; Refusal::ALL.len()];

/// How often somebody was refused for a reason.
struct Refused {
    tenant: Option<Name>,
    reason: Refusal,
    count: u64,
}

impl Refusals {
    fn count(&self, tenant: Option<&Name>, reason: Refusal) {
        let Some(tenant) = tenant else { return add(&self.of_nobody, reason) };
        if let Some(reasons) = self.of_tenants.read().get(tenant) {
            return add(reasons, reason);
        }
        add(self.of_tenants.write().entry(tenant.clone()).or_default(), reason);
    }

    fn forget(&self, tenant: &Name) {
        self.of_tenants.write().remove(tenant);
    }

    /// Those that happened, tenants by name.
    fn counts(&self) -> Vec<Refused> {
        let mut counts = Vec::new();
        collect(None, &self.of_nobody, &mut counts);
        let tenants = self.of_tenants.read();
        for (tenant, reasons) in tenants.iter().collect::<BTreeMap<_, _>>() {
            collect(Some(tenant), reasons, &mut counts);
        }
        counts
    }
}

fn add(reasons: &Reasons, reason: Refusal) {
    if let Some(count) = reasons.get(reason as usize) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn collect(tenant: Option<&Name>, reasons: &Reasons, into: &mut Vec<Refused>) {
    for (reason, count) in Refusal::ALL.into_iter().zip(reasons) {
        let count = count.load(Ordering::Relaxed);
        if count > 0 {
            into.push(Refused { tenant: tenant.cloned(), reason, count });
        }
    }
}

#[cfg(test)]
mod tests;
