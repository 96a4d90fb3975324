//! From a component's file to a version that can serve: read, compiled, linked,
//! started once. All of it before any request sees it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, bail};

use crate::app::breaker::Breaker;
use crate::app::served::{App, Source};
use crate::app::version::{Health, Version};
use crate::config::{AppSettings, Config};
use crate::error::Fault;
use crate::guest::call::warm;
use crate::guest::instance::{Instances, Reach};
use crate::guest::sandbox::Sandbox;
use crate::keyvalue::KeyValue;
use crate::outbound::service::Outbound;
use crate::state::Sha256;
use crate::telemetry::metrics::Metrics;
use crate::wire::owner::Owner;
use crate::wire::site::Control;

/// Loads components for one host.
pub struct Loader {
    sandbox: Sandbox,
    control: Control,
    metrics: Arc<Metrics>,
    outbound: Outbound,
    keyvalue: KeyValue,
}

/// A component's file, as it was read.
pub struct Read {
    bytes: Vec<u8>,
    sha256: Sha256,
}

impl Loader {
    /// Sets the sandbox up.
    ///
    /// # Errors
    /// A system without room for it.
    pub fn new(
        config: &Config,
        control: Control,
        metrics: Arc<Metrics>,
        outbound: Outbound,
        keyvalue: KeyValue,
    ) -> Result<Self> {
        Ok(Loader {
            sandbox: Sandbox::new(&config.limits, &config.cache, config.development)?,
            control,
            metrics,
            outbound,
            keyvalue,
        })
    }

    /// The sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Reads a component's file. Blocks.
    ///
    /// # Errors
    /// A file that cannot be read, or is not what was deployed.
    pub fn read(&self, source: &Source) -> Result<Read> {
        let path = source.path.display();
        let bytes = std::fs::read(&source.path).with_context(|| format!("cannot read {path}"))?;
        let sha256 = Sha256::of(&bytes);
        if source.sha256.is_some_and(|expected| expected != sha256) {
            bail!("the component {path} is damaged: its SHA-256 is {sha256}; deploy it again");
        }
        Ok(Read { sha256, bytes })
    }

    /// Compiles and links a component for an app. Blocks, for seconds if it was
    /// never compiled before.
    ///
    /// # Errors
    /// A component that does not fit, a granted name that has no address.
    pub fn load(
        &self,
        app: &App,
        settings: &Arc<AppSettings>,
        source: &Source,
        read: &Read,
    ) -> Result<Version> {
        let guest = self.sandbox.load(&read.bytes, &source.path)?;
        if guest.asks_others() && settings.outbound.allowed.is_empty() {
            tracing::info!(
                tenant = %app.tenant.name,
                app = %app.name,
                "the component sends requests to other servers, and all of them will be denied; \
                 allow some with outbound"
            );
        }
        if guest.keeps_values() && settings.keyvalue.is_empty() {
            tracing::info!(
                tenant = %app.tenant.name,
                app = %app.name,
                "the component keeps keys and values, and no bucket will open; grant some with keyvalue"
            );
        }
        let limits = &settings.limits;
        let account = app.tenant.account.clone();
        let owner = Owner {
            tenant: app.tenant.name.clone(),
            app: app.name.clone(),
            limits: limits.clone(),
            memory: account.memory.clone(),
            version: read.sha256.short(),
        };
        let log = app.log.clone();
        let client = self.outbound.client(
            settings,
            app.agents.clone(),
            account.memory.clone(),
            Arc::new(move |exchange, line| log.note(exchange, line)),
        )?;
        let buckets = self.keyvalue.buckets(
            &app.tenant.name,
            &app.name,
            &settings.keyvalue,
            limits,
            &account.keyvalue_bytes_max,
        )?;
        let instances = Instances::new(
            guest,
            settings,
            account,
            app.log.clone(),
            Reach { control: self.control.clone(), outbound: client, buckets },
        )?;
        Ok(Version {
            metrics: self.metrics.for_version(&owner.tenant, &owner.app, &owner.version),
            owner: Arc::new(owner),
            sha256: read.sha256,
            number: source.number,
            settings: settings.clone(),
            instances: Arc::new(instances),
            breaker: Arc::new(Breaker::new(
                limits.crashes_max,
                limits.crash_backoff,
                limits.crash_backoff_max,
            )),
            health: Health::default(),
            has_served: AtomicBool::new(false),
        })
    }

    /// Starts an instance of a version.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn warm(&self, version: &Version) -> Result<()> {
        match warm(&version.instances).await.map_err(Fault::from) {
            // That says nothing about the component.
            Ok(()) | Err(Fault::PoolFull | Fault::TenantMemory) => Ok(()),
            Err(fault) => Err(anyhow::anyhow!("{fault}")).context("the component does not start"),
        }
    }
}

impl Read {
    /// The SHA-256 of what was read.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }
}
