//! Apps and quotas, as the administration makes and changes them: whether the
//! actor may, then one change, written down with who asked for it.

use serde_json::Value;

use crate::app::served::{Origin, Wanted};
use crate::app::{Change, Terms};
use crate::config::file::{AppSpec, QuotaSpec, app_of};
use crate::config::{AppConfig, HostPattern, Name};
use crate::deploy::sources::spec_of;
use crate::deploy::{Actor, DeployError, Deployer, FileSays};
use crate::state::{Action, AppRecord, Scope};

impl Deployer {
    /// Makes an app, or changes what it is: routes, settings, environment. Its
    /// versions stay.
    ///
    /// # Errors
    /// What is wrong with it, the host's configuration file having it already,
    /// routes that are another's.
    pub async fn put_app(&self, spec: AppSpec, actor: &Actor) -> Result<Name, DeployError> {
        let _one_at_a_time = self.changing.lock().await;
        check_means(&spec, actor)?;
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
        self.in_state({
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
        let stored = self.in_state(|store| store.quotas()).await?;
        let mut all = terms;
        for (name, patch) in stored.iter().filter(|(name, _)| *name != tenant).chain([(tenant, &value)]) {
            all = with_quotas(&all, name, patch)?;
        }
        let event = actor.event(Action::QuotasChanged, format!("tenant {tenant}: {value}"));
        self.in_state({
            let tenant = tenant.clone();
            move |store| store.set_quotas(&tenant, &value, event)
        })
        .await?;
        self.apps.change(Change { terms: Some(all), ..Change::default() }).await?;
        Ok(())
    }

    /// Whether the actor may have such an app: its own tenant, its own hosts.
    fn check_claims(&self, config: &AppConfig, actor: &Actor) -> Result<(), DeployError> {
        if !actor.may(&config.tenant) {
            return Err(DeployError::Forbidden(format!("tenant {} is not yours", config.tenant)));
        }
        if actor.scope == Scope::Operator {
            return Ok(());
        }
        let limits = &self.file.lock().limits;
        if let Some(limit) = config.settings.limits.first_above(limits) {
            return Err(DeployError::Forbidden(format!(
                "limits.{limit} is above the host's, which only the operator may exceed; take the host's or less"
            )));
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

/// Whether the actor may ask for what the description says of the host's own:
/// before anything of that is looked at, lest the answer tell what is there.
fn check_means(spec: &AppSpec, actor: &Actor) -> Result<(), DeployError> {
    if actor.scope == Scope::Operator {
        return Ok(());
    }
    if spec.allow.as_ref().is_some_and(|grants| !grants.is_empty()) {
        return Err(DeployError::Forbidden(
            "grants are the operator's to give; leave `allow` out".to_owned(),
        ));
    }
    if spec.keyvalue.as_ref().is_some_and(|buckets| !buckets.is_empty()) {
        return Err(DeployError::Forbidden(
            "buckets are the operator's to grant; leave `keyvalue` out".to_owned(),
        ));
    }
    if spec.outbound.as_ref().is_some_and(|entries| !entries.is_empty()) || spec.outbound_tls.is_some() {
        return Err(DeployError::Forbidden(
            "where an app may send requests is the operator's to say; leave `outbound` and `outbound_tls` out"
                .to_owned(),
        ));
    }
    let secrets = [&spec.secrets, &spec.config_secrets];
    if secrets.into_iter().flatten().any(|secrets| !secrets.is_empty()) {
        return Err(DeployError::Forbidden(
            "secrets come from the host's own environment and files, which are the operator's; use `env` or `config`"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Terms with other quotas for a tenant.
pub(super) fn with_quotas(terms: &Terms, tenant: &Name, patch: &Value) -> Result<Terms, DeployError> {
    let spec: QuotaSpec = serde_json::from_value(patch.clone())
        .map_err(|error| DeployError::Refused(format!("quotas of tenant {tenant}: {error}")))?;
    let mut terms = terms.clone();
    let mut changed = terms.of(tenant);
    spec.apply(&mut changed.quotas);
    terms.tenants.insert(tenant.clone(), changed);
    Ok(terms)
}
