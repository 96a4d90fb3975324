//! An exchange as the guest of an app: which app and version it is for, and
//! what it holds of them until its last byte is sent. The stages before the
//! call are here, in order; `handler` calls them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::admission::Permit;
use crate::app::breaker::Entry;
use crate::app::routes::Miss;
use crate::app::served::App;
use crate::app::version::Version;
use crate::app::{Apps, TakenBack};
use crate::error::Fault;
use crate::guest::component::Exports;
use crate::guest::instance::Instances;
use crate::telemetry::metrics::InFlight;
use crate::wire::error::ClientFault;
use crate::wire::exchange::Exchange;
use crate::wire::http1::head::Overlay;
use crate::wire::watch::interrupted;

/// What an exchange holds of the app that answers it.
pub struct Stay {
    app: Arc<App>,
    version: Arc<Version>,
    entry: Option<Entry>,
    permit: Option<Permit>,
    in_flight: Option<InFlight>,
}

/// Finds the app that an exchange is for, and the version of it that answers;
/// from here on the exchange is theirs. `overlay` is what the guest is to see
/// of its request instead of what came.
///
/// # Errors
/// What the client is told if there is none.
pub fn route(apps: &Apps, exchange: &Exchange, mut overlay: Overlay) -> Result<Stay, Fault> {
    let routes = apps.routes();
    let found = routes.find(exchange.head()).map_err(|miss| match miss {
        Miss::NoRoute => Fault::NoRoute,
        Miss::Method { allow } => Fault::MethodNotAllowed(allow),
        Miss::Malformed(what) => Fault::Client(ClientFault::Malformed(what)),
    })?;
    let app = found.target.clone();
    let version = app.pick().ok_or(Fault::NoVersion)?;
    exchange.adopt(&version.owner);
    overlay.target = found.rewritten;
    if !overlay.is_empty() {
        exchange.head().overlay(overlay);
    }
    Ok(Stay { app, version, entry: None, permit: None, in_flight: None })
}

impl Stay {
    /// The stay of what came without a readable head, with the app that takes
    /// everything, if there is one and it has a place.
    pub fn of_nobody(apps: &Apps) -> Option<Self> {
        let app = apps.routes().catch_all()?.clone();
        let version = app.pick()?;
        let permit = app.tenant.lane.try_admit()?;
        Some(Stay { app, version, entry: None, permit: Some(permit), in_flight: None })
    }

    /// Lets the exchange in: past the breaker, within the tenant's means, to a
    /// place of its own, for which it may have to wait. Dropping the future
    /// gives up whatever it waits for.
    ///
    /// # Errors
    /// What keeps it out, or ended it while it waited.
    pub async fn enter(&mut self, exchange: &Exchange, now: Instant) -> Result<(), Fault> {
        let tenant = &self.app.tenant;
        tenant.seat(exchange.socket())?;
        let entry = self.version.breaker.enter(now).map_err(|tripped| Fault::Tripped(tripped.retry_after))?;
        self.entry = Some(entry);
        self.in_flight = Some(self.version.metrics.in_flight());
        if let (Ok(()), Some(permit)) = (tenant.check_cpu(), tenant.lane.try_admit()) {
            self.permit = Some(permit);
            return Ok(());
        }
        let admitted = tokio::select! {
            admitted = self.wait() => admitted,
            interruption = interrupted(exchange) => Err(interruption.into()),
        };
        exchange.note_queued(now.elapsed());
        self.permit = Some(admitted?);
        Ok(())
    }

    /// Waits for CPU time and for a place, for no longer than the tenant says.
    async fn wait(&self) -> Result<Permit, Fault> {
        let tenant = &self.app.tenant;
        if let Err(Fault::TenantCpu(debt)) = tenant.check_cpu() {
            let wait_max = tenant.terms().quotas.queue_wait_max;
            if debt > wait_max {
                return Err(Fault::TenantCpu(debt));
            }
            sleep(debt.max(Duration::from_millis(1))).await;
        }
        tenant.lane.admit().await
    }

    /// Lets the exchange take its connection over.
    ///
    /// # Errors
    /// `TunnelsFull` if as many have as may.
    pub fn enter_tunnel(&mut self) -> Result<(), Fault> {
        self.permit.as_mut().map_or(Ok(()), Permit::admit_tunnel)
    }

    /// Sees to it that it has a place, without waiting; returns whether it has.
    pub fn has_place(&mut self) -> bool {
        if self.permit.is_none() {
            self.permit = self.app.tenant.lane.try_admit();
        }
        self.permit.is_some()
    }

    /// Which exports the guest has.
    pub fn exports(&self) -> Exports {
        self.version.instances.exports()
    }

    /// What makes instances.
    pub fn instances(&self) -> &Arc<Instances> {
        &self.version.instances
    }

    /// The app.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Ends the stay: what the exchange came to is the version's record, and
    /// its place is another's.
    pub fn conclude(mut self, apps: &Apps, exchange: &Exchange, fault: Option<&Fault>) {
        drop(self.permit.take());
        let then = fault.map(Fault::consequence);
        let record = exchange.record();
        let crashed = then.as_ref().is_some_and(|then| then.crash);
        let version = &self.version;
        let Some(entry) = self.entry.take() else { return };
        if crashed {
            version.metrics.crash();
            if let Some(trip) = entry.crashed(Instant::now()) {
                tracing::error!(
                    tenant = %version.owner.tenant,
                    app = %version.owner.app,
                    version = version.owner.version,
                    retry_in = ?trip.retry_in,
                    "app tripped: {} crashes in a row; its requests are told 503 until one of them is answered",
                    trip.failures
                );
            }
        } else if record.failure.is_some() || then.is_some() {
            // Says nothing about the guest.
            drop(entry);
        } else if entry.answered() {
            tracing::info!(
                tenant = %version.owner.tenant,
                app = %version.owner.app,
                version = version.owner.version,
                "app recovered: it is served again"
            );
        }
        let (sent, received) = (record.bytes, exchange.body_received());
        let failed = record.failure.is_some() || then.is_some();
        version.metrics.record(record.status, record.duration, record.cpu, sent, received, failed);
        // What the host answered for reasons of its own is not the version's.
        version.health.record(crashed || (then.is_none() && record.status >= 500));
        if let Some((answers, errors)) = self.app.take_back(version) {
            apps.note_taken_back(TakenBack {
                app: self.app.clone(),
                version: version.clone(),
                answers,
                errors,
            });
        }
    }
}
