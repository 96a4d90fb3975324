//! Apps: what is served, and how much of it at a time.

pub mod admission;

use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::app::admission::Admission;
use crate::config::Config;
use crate::guest::budget::Budget;
use crate::guest::component::Guest;
use crate::guest::demotion::{Demotion, Share};
use crate::guest::engine::Engine;
use crate::guest::instance::Instances;
use crate::wire::site::Control;

/// A component with its name, its limits and its instances.
pub struct App {
    /// Its name in logs.
    pub name: String,
    /// Who may come in.
    pub admission: Admission,
    /// What answers.
    pub instances: Arc<Instances>,
    /// Its tenant's part in the threads for calls that compute for too long.
    pub share: Share,
}

impl App {
    /// Loads the app that `config` names, which may `control` its listening
    /// side if it was granted that.
    ///
    /// # Errors
    /// A component that cannot be read, compiled or linked; a system without
    /// room for the sandbox.
    pub fn load(config: &Config, control: Control) -> Result<Self> {
        let limits = Arc::new(config.limits.clone());
        let engine = Engine::new(&limits, &config.cache)?;
        let app = config.apps.first().context("no app is configured")?;
        let component = app.component.as_ref().context("the app has no component")?;
        let guest = Guest::load(&engine, component)?;
        let quotas = config.tenants.get(&app.tenant).map_or(&config.default_quotas, |tenant| &tenant.quotas);
        let budget = Arc::new(Budget::new(quotas.cpu_per_second, quotas.cpu_burst));
        Ok(App {
            name: app.name.to_string(),
            admission: Admission::new(limits.instances_max, limits.tunnels_max),
            instances: Arc::new(Instances::new(engine, guest, &app.name, &app.settings, control)?),
            share: Demotion::new()?.share(app.tenant.as_str(), budget),
        })
    }
}
