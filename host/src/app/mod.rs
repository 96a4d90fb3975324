//! Apps: what is served, and how much of it at a time.

pub mod routes;
pub mod admission;
pub mod breaker;

use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::app::admission::Admission;
use crate::config::Config;
use crate::guest::component::Guest;
use crate::guest::demotion::Demotion;
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
    /// Where its calls go that compute for too long.
    pub demotion: Demotion,
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
        Ok(App {
            name: app.name.to_string(),
            admission: Admission::new(limits.instances_max, limits.tunnels_max),
            instances: Arc::new(Instances::new(engine, guest, &app.name, &app.settings, control)?),
            demotion: Demotion::new()?,
        })
    }
}
