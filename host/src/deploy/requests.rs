//! What can be asked of a deployer: to deploy a version, to have it answer, to
//! go back, to change an app or a quota. Each is one change, written down with
//! who asked for it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tokio::task::spawn_blocking;

use crate::app::served::{App, Origin, Source, Versions, Wanted};
use crate::app::version::CanaryTerms;
use crate::app::{Change, Failures, Terms};
use crate::config::file::{AppSpec, QuotaSpec, app_of};
use crate::config::{HostPattern, Name, TenantConfig};
use crate::deploy::sources::{of_serving, spec_of};
use crate::deploy::{Deployer, FileSays};
use crate::state::{
    Action, AppRecord, CanaryRecord, Event, Scope, Serving, Sha256, StateError, VersionRecord,
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What it may do.
    pub scope: Scope,
    /// What the history calls it.
    pub name: String,
}

/// What a version is to do once it is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// Nothing yet.
    None,
    /// Answer all requests.
    Whole,
    /// Answer some of them, on trial.
    Canary(CanaryTerms),
}

/// How far a deploy is, for whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Compiling and linking, and starting an instance.
    Compiling,
    /// Writing it down.
    Recording,
    /// Having it answer.
    Activating,
}

/// A version that was deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployed {
    /// The version.
    pub version: VersionRecord,
    /// Whether it answers already.
    pub active: bool,
}

/// Why something was not done.
#[derive(Debug, Error)]
pub enum DeployError {
    /// There is no state directory.
    #[error("this host has no state directory; set `state` in its configuration")]
    NoState,
    /// No such app.
    #[error("there is no app {0}")]
    NoApp(Name),
    /// No such version.
    #[error("app {app} has no version {version}; `innkeeper apps {app}` lists them")]
    NoVersion {
        /// The app.
        app: Name,
        /// The version.
        version: u64,
    },
    /// Nothing to go back to.
    #[error("app {0} has no version before this one")]
    NoPrevious(Name),
    /// The app is the configuration file's.
    #[error("app {0} is the configuration file's; change it there")]
    OfFile(Name),
    /// The app is another tenant's, or its routes would be.
    #[error("{0}")]
    Forbidden(String),
    /// What is asked for does not fit.
    #[error("{0}")]
    Refused(String),
    /// The component cannot be served.
    #[error("{0}")]
    Unfit(Failures),
    /// The state directory failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The host failed.
    #[error("the host failed: {0}")]
    Broken(String),
}

impl From<Failures> for DeployError {
    fn from(failures: Failures) -> Self {
        DeployError::Unfit(failures)
    }
}

impl Actor {
    /// Whether it may see and change what is this tenant's.
    pub fn may(&self, tenant: &Name) -> bool {
        match &self.scope {
            Scope::Operator => true,
            Scope::Tenant(own) => own == tenant,
        }
    }

    fn event(&self, action: Action, detail: String) -> Event {
        Event { action, by: self.name.clone(), detail }
    }
}

impl Deployer {
    /// The app of this name, if `actor` may see it: to others it is not there.
    ///
    /// # Errors
    /// `NoApp`.
    pub fn app(&self, name: &Name, actor: &Actor) -> Result<Arc<App>, DeployError> {
        let app = self.apps.find(name).filter(|app| actor.may(&app.tenant.name));
        app.ok_or_else(|| DeployError::NoApp(name.clone()))
    }

    /// The app of this name, if `actor` may deploy versions of it.
    ///
    /// # Errors
    /// `NoApp`, and `OfFile` if the configuration file has its component.
    pub fn deployable(&self, name: &Name, actor: &Actor) -> Result<Arc<App>, DeployError> {
        let app = self.app(name, actor)?;
        if app.wanted().origin == Origin::File {
            return Err(DeployError::OfFile(name.clone()));
        }
        Ok(app)
    }

    /// Deploys a component that was uploaded as the next version of an app:
    /// compiles and links it, starts it once, writes it down, and has it answer
    /// as far as `activation` says. `progress` is told of each stage. If the
    /// future is dropped, the version may be there or not.
    ///
    /// # Errors
    /// A component that does not fit; then nothing has changed, and the
    /// component is gone. If it could be written down and not take over, the
    /// version is there and does not answer.
    pub async fn deploy(
        &self,
        name: &Name,
        component: (Sha256, u64),
        activation: Activation,
        note: String,
        actor: &Actor,
        progress: impl Fn(Stage),
    ) -> Result<Deployed, DeployError> {
        let (sha256, bytes) = component;
        let tried = self.try_out(name, sha256, actor, || progress(Stage::Compiling)).await;
        let _one_at_a_time = self.changing.lock().await;
        let recorded = match tried {
            Ok(()) => self.record_version(name, component, activation, note, actor, &progress).await,
            Err(error) => Err(error),
        };
        let (app, version) = match recorded {
            Ok(recorded) => recorded,
            Err(error) => {
                if let Err(error) = self.write(move |store| store.discard(&sha256)).await {
                    let error = anyhow::Error::from(error);
                    tracing::warn!(app = %name, bytes, "a component that was not deployed stays until the next start: {error:#}");
                }
                return Err(error);
            }
        };
        if activation == Activation::None {
            return Ok(Deployed { version, active: false });
        }
        progress(Stage::Activating);
        self.activate_in_turn(&app, version.number, activation, actor).await?;
        Ok(Deployed { version, active: true })
    }

    /// Compiles and links a component and starts it once.
    async fn try_out(
        &self,
        name: &Name,
        sha256: Sha256,
        actor: &Actor,
        begun: impl FnOnce(),
    ) -> Result<(), DeployError> {
        let _one_at_a_time = self.trying.lock().await;
        let app = self.deployable(name, actor)?;
        begun();
        let source =
            Source { number: None, sha256: Some(sha256), path: self.store()?.component_path(&sha256) };
        Ok(self.apps.try_out(&app, &app.wanted().config.settings, source).await?)
    }

    /// Writes a version down that has been tried out. The app may have changed
    /// since.
    async fn record_version(
        &self,
        name: &Name,
        (sha256, bytes): (Sha256, u64),
        activation: Activation,
        note: String,
        actor: &Actor,
        progress: impl Fn(Stage),
    ) -> Result<(Arc<App>, VersionRecord), DeployError> {
        let app = self.deployable(name, actor)?;
        progress(Stage::Recording);
        let before = self.stored(name).await?;
        let first = before.is_none().then(|| AppRecord {
            name: name.clone(),
            tenant: app.tenant.name.clone(),
            spec: None,
            serving: Serving::default(),
            next_number: 1,
        });
        let serving = before.map(|record| record.serving).unwrap_or_default();
        // Refused before it is there, not after.
        activated(name, &serving, u64::MAX, activation)?;
        let (name, by) = (name.clone(), actor.name.clone());
        let version = self
            .write(move |store| {
                if let Some(record) = first {
                    let detail = "by its first deploy".to_owned();
                    store.put_app(&record, Event { action: Action::Created, by: by.clone(), detail })?;
                }
                store.add_version(&name, sha256, bytes, &by, &note)
            })
            .await?;
        Ok((app, version))
    }

    /// Has a version answer all requests, or some of them on trial. Requests in
    /// flight finish where they are.
    ///
    /// # Errors
    /// No such version, or one that cannot be served; then nothing has changed.
    pub async fn activate(
        &self,
        name: &Name,
        version: u64,
        activation: Activation,
        actor: &Actor,
    ) -> Result<(), DeployError> {
        let _one_at_a_time = self.changing.lock().await;
        let app = self.deployable(name, actor)?;
        self.activate_in_turn(&app, version, activation, actor).await
    }

    async fn activate_in_turn(
        &self,
        app: &Arc<App>,
        version: u64,
        activation: Activation,
        actor: &Actor,
    ) -> Result<(), DeployError> {
        let name = &app.name;
        let missing = || DeployError::NoVersion { app: name.clone(), version };
        let record = self.stored(name).await?.ok_or_else(missing)?;
        let versions = self.write({
            let name = name.clone();
            move |store| store.versions(&name)
        });
        if !versions.await?.iter().any(|known| known.number == version) {
            return Err(missing());
        }
        let Some((serving, action, detail)) = activated(name, &record.serving, version, activation)? else {
            return Ok(());
        };
        self.serve(app, AppRecord { serving, ..record }, actor.event(action, detail)).await
    }

    /// Goes back: from a canary to the version beside it, otherwise to the
    /// version before. It is loaded already, so that this takes no time.
    /// Returns the version that answers now.
    ///
    /// # Errors
    /// `NoPrevious` if there is none.
    pub async fn roll_back(&self, name: &Name, actor: &Actor) -> Result<u64, DeployError> {
        let _one_at_a_time = self.changing.lock().await;
        let app = self.deployable(name, actor)?;
        let nothing = || DeployError::NoPrevious(name.clone());
        let record = self.stored(name).await?.ok_or_else(nothing)?;
        let mut serving = record.serving.clone();
        let from = match serving.canary.take() {
            Some(canary) => canary.version,
            None => {
                let previous = serving.previous.take().ok_or_else(nothing)?;
                let from = serving.current.replace(previous);
                serving.previous = from;
                from.unwrap_or_default()
            }
        };
        let to = serving.current.unwrap_or_default();
        let event = actor.event(Action::RolledBack, format!("from version {from} to version {to}"));
        self.serve(&app, AppRecord { serving, ..record }, event).await?;
        Ok(to)
    }

    /// Makes an app, or changes what it is: routes, settings, environment. Its
    /// versions stay.
    ///
    /// # Errors
    /// What is wrong with it, the host's configuration file having it already,
    /// routes that are another's.
    pub async fn put_app(&self, spec: AppSpec, actor: &Actor) -> Result<Name, DeployError> {
        let _one_at_a_time = self.changing.lock().await;
        check_spec(&spec, actor)?;
        let limits = self.file.lock().limits.clone();
        let config = app_of(&spec, &limits).map_err(|problems| DeployError::Refused(problems.to_string()))?;
        let name = config.name.clone();
        self.check_claims(&config, actor)?;
        let known = self.apps.find(&name);
        let before = self.stored(&name).await?;
        // What is not served now is still somebody's.
        let owners =
            known.iter().map(|app| &app.tenant.name).chain(before.iter().map(|record| &record.tenant));
        if !owners.into_iter().all(|owner| actor.may(owner)) {
            return Err(DeployError::Forbidden(format!("the name {name} is taken; choose another")));
        }
        if known.is_some_and(|app| app.wanted().origin != Origin::Deployed) {
            return Err(DeployError::OfFile(name));
        }
        let record = AppRecord {
            name: name.clone(),
            tenant: config.tenant.clone(),
            spec: Some(spec_of(&spec)?),
            serving: before.as_ref().map(|record| record.serving.clone()).unwrap_or_default(),
            next_number: before.as_ref().map_or(1, |record| record.next_number),
        };
        let versions = self.versions(&record).await?;
        let wanted = Wanted { config, origin: Origin::Deployed, versions };
        let action = if before.is_some() { Action::Configured } else { Action::Created };
        let event = actor.event(action, String::new());
        self.apply(wanted, move |store| store.put_app(&record, event).map(|_| ())).await?;
        Ok(name)
    }

    /// Deletes an app that was deployed, its versions included.
    ///
    /// # Errors
    /// No such app, or the configuration file's.
    pub async fn delete_app(&self, name: &Name, actor: &Actor) -> Result<(), DeployError> {
        let _one_at_a_time = self.changing.lock().await;
        let app = self.app(name, actor)?;
        if app.wanted().origin != Origin::Deployed {
            return Err(DeployError::OfFile(name.clone()));
        }
        let event = actor.event(Action::Deleted, String::new());
        self.write({
            let name = name.clone();
            move |store| store.delete_app(&name, event)
        })
        .await?;
        self.apps.change(Change { remove: vec![name.clone()], ..Change::default() }).await?;
        Ok(())
    }

    /// Changes what a tenant may use, beside what the configuration file says.
    /// What is none there stays.
    ///
    /// # Errors
    /// A quota that cannot be, an actor that is not the operator.
    pub async fn set_quotas(
        &self,
        tenant: &Name,
        quotas: &QuotaSpec,
        actor: &Actor,
    ) -> Result<(), DeployError> {
        if actor.scope != Scope::Operator {
            return Err(DeployError::Forbidden("quotas are the operator's to set".to_owned()));
        }
        let _one_at_a_time = self.changing.lock().await;
        let FileSays { terms, .. } = self.file.lock().clone();
        let value = serde_json::to_value(quotas).map_err(|error| DeployError::Broken(error.to_string()))?;
        let store = self.store()?.clone();
        let stored = spawn_blocking(move || store.quotas())
            .await
            .map_err(|error| DeployError::Broken(error.to_string()))??;
        let mut all = terms;
        for (name, patch) in stored.iter().filter(|(name, _)| *name != tenant).chain([(tenant, &value)]) {
            all = with_quotas(&all, name, patch)?;
        }
        let event = actor.event(Action::QuotasChanged, format!("tenant {tenant}: {value}"));
        self.write({
            let tenant = tenant.clone();
            move |store| store.set_quotas(&tenant, &value, event)
        })
        .await?;
        self.apps.change(Change { terms: Some(all), ..Change::default() }).await?;
        Ok(())
    }

    /// Writes down which versions serve, and has them do so. What cannot be
    /// loaded is not written down.
    async fn serve(&self, app: &Arc<App>, record: AppRecord, event: Event) -> Result<(), DeployError> {
        let wanted = Wanted { versions: self.versions(&record).await?, ..app.wanted() };
        self.apply(wanted, move |store| store.set_serving(&record.name, record.serving, event)).await
    }

    /// Loads what is wanted, writes it down, and has it serve, in this order.
    async fn apply(
        &self,
        wanted: Wanted,
        record: impl FnOnce(&crate::state::Store) -> Result<(), StateError> + Send + 'static,
    ) -> Result<(), DeployError> {
        let store = self.store()?.clone();
        let change = Change { apps: vec![wanted], ..Change::default() };
        self.apps.change_after(change, move || record(&store).map_err(DeployError::from)).await?;
        Ok(())
    }

    async fn versions(&self, record: &AppRecord) -> Result<Versions, DeployError> {
        let record = record.clone();
        self.write(move |store| of_serving(store, &record)).await
    }

    async fn stored(&self, name: &Name) -> Result<Option<AppRecord>, DeployError> {
        let name = name.clone();
        self.write(move |store| store.app(&name)).await
    }

    /// Whether the actor may have such an app: its own tenant, its own hosts.
    fn check_claims(&self, config: &crate::config::AppConfig, actor: &Actor) -> Result<(), DeployError> {
        if !actor.may(&config.tenant) {
            return Err(DeployError::Forbidden(format!("tenant {} is not yours", config.tenant)));
        }
        if actor.scope == Scope::Operator {
            return Ok(());
        }
        let tenant = self.apps.find_tenant(&config.tenant);
        let may = |host: &HostPattern| tenant.as_ref().is_some_and(|tenant| tenant.may_route(host));
        match config.routes.iter().find(|route| !may(&route.host)) {
            Some(route) => Err(DeployError::Forbidden(format!(
                "host {} is not one of tenant {}; the operator sets them in [tenant.{}] hosts",
                route.host, config.tenant, config.tenant
            ))),
            None => Ok(()),
        }
    }
}

/// Whether the actor may ask for what is in a specification. Comes before
/// anything of it is looked at: what is wrong with a path would tell who may
/// not name one which files the host has.
fn check_spec(spec: &AppSpec, actor: &Actor) -> Result<(), DeployError> {
    let refused = |why: &str| Err(DeployError::Forbidden(why.to_owned()));
    match spec {
        _ if actor.scope == Scope::Operator => Ok(()),
        AppSpec { allow: Some(_), .. } => refused("grants are the operator's to give; leave `allow` out"),
        AppSpec { secrets: Some(_), .. } => refused(
            "secrets are read from the host's environment and files, which is the operator's to allow; use env",
        ),
        _ => Ok(()),
    }
}

/// What serves once a version is activated, and what the history says of it;
/// none if nothing changes.
fn activated(
    name: &Name,
    before: &Serving,
    version: u64,
    activation: Activation,
) -> Result<Option<(Serving, Action, String)>, DeployError> {
    let mut serving = before.clone();
    match activation {
        Activation::None => Ok(None),
        Activation::Canary(_) if serving.current.is_none() => Err(DeployError::Refused(format!(
            "app {name} has no version beside which another could be a canary; activate it whole"
        ))),
        Activation::Canary(_) if serving.current == Some(version) => {
            Err(DeployError::Refused(format!("version {version} of app {name} answers all requests already")))
        }
        Activation::Canary(terms) => {
            serving.canary = Some(CanaryRecord {
                version,
                weight_percent: terms.weight_percent,
                error_rate_max: terms.error_rate_max,
                requests_min: terms.requests_min,
            });
            let detail = format!("version {version}: {} % of the requests", terms.weight_percent);
            Ok(Some((serving, Action::Canary, detail)))
        }
        Activation::Whole => {
            let was_canary = serving.canary.take().is_some_and(|canary| canary.version == version);
            if serving.current != Some(version) {
                serving.previous = serving.current.replace(version);
            }
            let action = if was_canary { Action::Promoted } else { Action::Activated };
            Ok(Some((serving, action, format!("version {version}"))))
        }
    }
}

/// Terms with other quotas for a tenant.
pub(super) fn with_quotas(terms: &Terms, tenant: &Name, patch: &Value) -> Result<Terms, DeployError> {
    let spec: QuotaSpec = serde_json::from_value(patch.clone())
        .map_err(|error| DeployError::Refused(format!("quotas of tenant {tenant}: {error}")))?;
    let mut terms = terms.clone();
    let TenantConfig { quotas, hosts } = terms.of(tenant);
    let mut changed = quotas;
    spec.apply(&mut changed);
    let quotas = changed;
    terms.tenants.insert(tenant.clone(), TenantConfig { quotas, hosts });
    Ok(terms)
}

/// What a client asks for when it has a version answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivationSpec {
    /// Requests of a hundred that it answers; 100, which is the default, makes
    /// it the version of the app.
    pub weight_percent: Option<u8>,
    /// The share of errors among its answers, 0 to 1, above which a canary is
    /// rolled back by itself.
    pub error_rate_max: Option<f64>,
    /// Answers before which its errors say nothing; 20 by default.
    pub requests_min: Option<u32>,
}

impl ActivationSpec {
    /// The activation.
    ///
    /// # Errors
    /// A number that cannot be.
    pub fn activation(&self) -> Result<Activation, DeployError> {
        let rate = self.error_rate_max;
        if rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err(DeployError::Refused(format!(
                "error_rate_max is {}; take 0 to 1",
                rate.unwrap_or_default()
            )));
        }
        match self.weight_percent.unwrap_or(100) {
            0 | 101.. => Err(DeployError::Refused(
                "weight_percent goes from 1 to 100; to end a canary, roll it back".to_owned(),
            )),
            100 => Ok(Activation::Whole),
            weight_percent => Ok(Activation::Canary(CanaryTerms {
                weight_percent,
                error_rate_max: rate,
                requests_min: self.requests_min.unwrap_or(20),
            })),
        }
    }
}
