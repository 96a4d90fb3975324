//! Versions, as they are deployed, activated and rolled back: each is one
//! change, written down with who asked for it.

use std::sync::Arc;

use crate::app::Change;
use crate::app::served::{App, Origin, Source, Versions, Wanted};
use crate::config::Name;
use crate::deploy::sources::of_serving;
use crate::deploy::{Activation, Actor, DeployError, Deployed, Deployer, Stage};
use crate::state::{Action, AppRecord, CanaryRecord, Event, Serving, Sha256, StateError, VersionRecord};

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
                if let Err(error) = self.in_state(move |store| store.discard(&sha256)).await {
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
            .in_state(move |store| {
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
        let versions = self.in_state({
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

    /// Writes down which versions serve, and has them do so. What cannot be
    /// loaded is not written down.
    async fn serve(&self, app: &Arc<App>, record: AppRecord, event: Event) -> Result<(), DeployError> {
        let wanted = Wanted { versions: self.versions(&record).await?, ..app.wanted() };
        self.apply(wanted, move |store| store.set_serving(&record.name, record.serving, event)).await
    }

    /// Loads what is wanted, writes it down, and has it serve, in this order.
    pub(super) async fn apply(
        &self,
        wanted: Wanted,
        record: impl FnOnce(&crate::state::Store) -> Result<(), StateError> + Send + 'static,
    ) -> Result<(), DeployError> {
        let store = self.store()?.clone();
        let change = Change { apps: vec![wanted], ..Change::default() };
        self.apps.change_after(change, move || record(&store).map_err(DeployError::from)).await?;
        Ok(())
    }

    pub(super) async fn versions(&self, record: &AppRecord) -> Result<Versions, DeployError> {
        let record = record.clone();
        self.in_state(move |store| of_serving(store, &record)).await
    }

    pub(super) async fn stored(&self, name: &Name) -> Result<Option<AppRecord>, DeployError> {
        let name = name.clone();
        self.in_state(move |store| store.app(&name)).await
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
