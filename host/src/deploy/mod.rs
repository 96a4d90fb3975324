//! Deploys: what the configuration file says and what was deployed, brought
//! together into what is served. Every change is in the state directory before
//! it is in effect, so that a host that dies in between comes up with it.

mod sources;
mod requests;
mod apps;
mod terms;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;

use crate::app::served::{Origin, Wanted};
use crate::app::{Apps, Change, Outcome, TakenBack, Terms};
use crate::config::{AppConfig, Config, Limits};
use crate::deploy::sources::{deployed_app, of_serving};
use crate::state::{Action, AppRecord, Event, Store};

pub use terms::{Activation, ActivationSpec, Actor, DeployError, Deployed, Stage};

/// What deploys, and keeps what is deployed.
pub struct Deployer {
    apps: Arc<Apps>,
    /// None without a state directory.
    store: Option<Arc<Store>>,
    file: Mutex<FileSays>,
    /// One change at a time, from the record to its effect.
    changing: tokio::sync::Mutex<()>,
    /// One component at a time is compiled for a deploy, beside changes, so
    /// that nobody's deploy keeps others from rolling back.
    trying: tokio::sync::Mutex<()>,
}

/// What the configuration file says.
#[derive(Default, Clone)]
struct FileSays {
    apps: Vec<AppConfig>,
    terms: Terms,
    limits: Limits,
}

/// Opens the state directory, if the configuration has one. Comes before
/// anything else is put there: the directory is made for its owner only, and
/// one host has it at a time.
///
/// # Errors
/// A directory that cannot be used, a database that is damaged.
pub async fn open_state(config: &Config) -> Result<Option<Arc<Store>>> {
    let Some(directory) = config.state.clone() else { return Ok(None) };
    let store = spawn_blocking(move || open_store(&directory)).await??;
    Ok(Some(Arc::new(store)))
}

impl Deployer {
    /// Deploys with this state, if there is one; serves nothing yet.
    pub fn new(store: Option<Arc<Store>>, apps: Arc<Apps>) -> Self {
        Deployer {
            apps,
            store,
            file: Mutex::default(),
            changing: tokio::sync::Mutex::new(()),
            trying: tokio::sync::Mutex::new(()),
        }
    }

    /// Serves what this configuration and the state directory say, and nothing
    /// else. A deployed version that cannot be loaded is left out, so that one
    /// damaged file does not keep the host from coming up; the log says so.
    ///
    /// # Errors
    /// What of the configuration's own cannot be served; then nothing changes.
    pub async fn configure(&self, config: &Config) -> Result<Outcome> {
        let _one_at_a_time = self.changing.lock().await;
        let says = FileSays {
            apps: config.apps.clone(),
            terms: Terms { tenants: config.tenants.clone(), default: config.default_quotas.clone() },
            limits: config.limits.clone(),
        };
        let change = self.whole(&says).await?;
        let outcome = self.apps.change(change).await?;
        *self.file.lock() = says;
        Ok(outcome)
    }

    /// The state directory.
    ///
    /// # Errors
    /// `NoState` if there is none.
    pub fn store(&self) -> Result<&Arc<Store>, DeployError> {
        self.store.as_ref().ok_or(DeployError::NoState)
    }

    /// Writes down what the host does by itself, canaries that it takes back,
    /// until the handle is dropped.
    pub fn keep_records(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        let deployer = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { deployer.write_down().await }))
    }

    async fn write_down(&self) {
        loop {
            for taken in self.apps.taken_back().await {
                if let Err(error) = self.record_taken_back(&taken).await {
                    let error = anyhow::Error::from(error);
                    tracing::error!(app = %taken.app.name, "a roll-back is in effect and could not be written down: {error:#}");
                }
            }
        }
    }

    /// Writes a roll-back down, unless somebody has decided otherwise since.
    async fn record_taken_back(&self, taken: &TakenBack) -> Result<(), DeployError> {
        let _one_at_a_time = self.changing.lock().await;
        let TakenBack { app, version, answers, errors } = taken;
        let number = version.number.unwrap_or_default();
        if app.wanted().versions.canary.is_some() {
            return Ok(());
        }
        let detail = format!("version {number}: {errors} of its {answers} answers were errors");
        let name = app.name.clone();
        self.in_state(move |store| {
            let Some(record) = store.app(&name)? else { return Ok(()) };
            let mut serving = record.serving;
            if serving.canary.take().is_none_or(|canary| canary.version != number) {
                return Ok(());
            }
            store.set_serving(
                &name,
                serving,
                Event { action: Action::AutoRolledBack, by: "host".to_owned(), detail },
            )
        })
        .await
    }

    /// Everything that is to be served.
    async fn whole(&self, says: &FileSays) -> Result<Change> {
        let mut change = Change { only: true, lenient: true, ..Change::default() };
        let mut terms = says.terms.clone();
        let limits = says.limits.clone();
        let mut file_apps = says.apps.clone();
        if let Some(store) = self.store.clone() {
            let read = move || -> Result<_> {
                let quotas = store.quotas()?;
                let mut deployed = Vec::new();
                for record in store.apps()? {
                    match file_apps.iter().position(|app| app.name == record.name) {
                        Some(at) => {
                            let config = file_apps.remove(at);
                            check_owner(&config, &record)?;
                            deployed.push(of_file(config, Some((&store, &record)))?);
                        }
                        None => deployed.extend(deployed_app(&store, &record, &limits)?),
                    }
                }
                Ok((quotas, deployed, file_apps))
            };
            let (quotas, deployed, rest) =
                spawn_blocking(read).await?.context("what was deployed cannot be served")?;
            change.apps = deployed;
            file_apps = rest;
            for (tenant, patch) in quotas {
                match apps::with_quotas(&terms, &tenant, &patch) {
                    Ok(changed) => terms = changed,
                    Err(error) => tracing::error!(%tenant, "quotas that were set are not in effect: {error}"),
                }
            }
        }
        for app in file_apps {
            change.apps.push(of_file(app, None)?);
        }
        change.terms = Some(terms);
        Ok(change)
    }

    /// Does something in the state directory, which blocks.
    ///
    /// # Errors
    /// `NoState` if there is none, and those of `work`.
    pub async fn in_state<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, crate::state::StateError> + Send + 'static,
    ) -> Result<T, DeployError> {
        let store = self.store()?.clone();
        let worked = spawn_blocking(move || work(&store)).await;
        Ok(worked.map_err(|error| DeployError::Broken(error.to_string()))??)
    }
}

/// What one tenant has deployed does not become another's because the file
/// uses its name: it would run with what is that tenant's.
fn check_owner(config: &AppConfig, record: &AppRecord) -> Result<()> {
    if record.spec.is_some() && record.tenant != config.tenant {
        let AppRecord { name, tenant, .. } = record;
        bail!(
            "app {name} of tenant {} is one that tenant {tenant} has deployed; take another name, or delete that one first",
            config.tenant
        );
    }
    Ok(())
}

/// An app of the configuration file, with its versions from there or from the
/// state directory.
fn of_file(
    config: AppConfig,
    record: Option<(&Store, &AppRecord)>,
) -> Result<Wanted, crate::state::StateError> {
    Ok(match (config.component.clone(), record) {
        (Some(path), _) => {
            let versions = crate::app::served::Versions { current: Some(path.into()), ..Default::default() };
            Wanted { config, origin: Origin::File, versions }
        }
        (None, Some((store, record))) => {
            Wanted { config, origin: Origin::FileAndDeployed, versions: of_serving(store, record)? }
        }
        (None, None) => Wanted { config, origin: Origin::FileAndDeployed, versions: Default::default() },
    })
}

fn open_store(directory: &std::path::Path) -> Result<Store> {
    let (store, recovery) = Store::open(directory)?;
    for damaged in &recovery.damaged {
        let (sha256, found) = (damaged.sha256, damaged.bytes_found);
        tracing::error!(
            app = %damaged.app,
            version = damaged.number,
            %sha256,
            "the component of a version is {}; deploy it again",
            if found.is_none() { "missing" } else { "damaged" }
        );
    }
    if recovery.uploads_removed > 0 || !recovery.components_removed.is_empty() {
        tracing::info!(
            uploads = recovery.uploads_removed,
            components = recovery.components_removed.len(),
            "removed what deploys have left that were not finished"
        );
    }
    Ok(store)
}
