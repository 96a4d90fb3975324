//! An app while it is served: whose it is, what it is for, and which of its
//! versions answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::app::tenant::Tenant;
use crate::app::version::{Canary, Serving, Version};
use crate::config::{AppConfig, Name};
use crate::guest::log::GuestLog;
use crate::outbound::agents::Agents;
use crate::outbound::means::Means;
use crate::state::Sha256;

/// An app. Exchanges hold it for as long as they are under way.
pub struct App {
    /// Its name.
    pub name: Name,
    /// Who owns it.
    pub tenant: Arc<Tenant>,
    /// What its guests print.
    pub log: GuestLog,
    /// The connections that its guests have to others.
    pub agents: Arc<Agents>,
    wanted: Mutex<Wanted>,
    serving: ArcSwap<Serving>,
}

/// What an app is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Its routes and settings.
    pub config: AppConfig,
    /// Who says so.
    pub origin: Origin,
    /// Which versions it has.
    pub versions: Versions,
}

/// Who says what an app is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file, its component included.
    File,
    /// The configuration file, but for its versions, which are deployed.
    FileAndDeployed,
    /// The administration: everything is deployed.
    Deployed,
}

/// The versions of an app, as files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Versions {
    /// What answers; none if nothing was deployed yet.
    pub current: Option<Source>,
    /// What answers some of the requests.
    pub canary: Option<(Source, crate::app::version::CanaryTerms)>,
    /// What answered before.
    pub previous: Option<Source>,
}

/// Where the component of a version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its number, if it was deployed.
    pub number: Option<u64>,
    /// The SHA-256 that the file is to have, if it was deployed.
    pub sha256: Option<Sha256>,
    /// The file.
    pub path: std::path::PathBuf,
}

impl Wanted {
    /// Whether a version of it that cannot be loaded fails nothing else, in a
    /// change that is `lenient`.
    pub fn is_spared(&self, lenient: bool) -> bool {
        lenient && self.origin != Origin::File
    }
}

impl App {
    /// An app of which nothing is loaded yet.
    pub fn new(tenant: Arc<Tenant>, wanted: Wanted) -> Self {
        let name = wanted.config.name.clone();
        let log = GuestLog::new(
            &tenant.name,
            &name,
            tenant.account.log.clone(),
            wanted.config.settings.limits.log_bytes_per_second,
        );
        let means = Means::new(&wanted.config.settings.limits, tenant.account.outbound.clone());
        let agents = Agents::new(Arc::new(means));
        App { name, tenant, log, agents, wanted: Mutex::new(wanted), serving: ArcSwap::default() }
    }

    /// What it is to be.
    pub fn wanted(&self) -> Wanted {
        self.wanted.lock().clone()
    }

    /// The versions that are loaded.
    pub fn serving(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    /// The version that answers the next request.
    pub fn pick(&self) -> Option<Arc<Version>> {
        self.serving.load().pick().cloned()
    }

    /// Changes what it is and what answers, at once for all requests that
    /// come from now on. A canary that goes on being one keeps its record.
    pub fn switch(&self, wanted: Wanted, serving: Serving) {
        let limits = &wanted.config.settings.limits;
        self.log.set_rate(limits.log_bytes_per_second);
        self.agents.means().set(limits);
        serving.loaded().for_each(|version| version.has_served.store(true, Ordering::Relaxed));
        // Held to the end, so that a canary is not taken back in between.
        let mut current = self.wanted.lock();
        if let Some(Canary { version, .. }) = &serving.canary {
            let before = self.serving.load();
            if !before.canary.as_ref().is_some_and(|canary| Arc::ptr_eq(&canary.version, version)) {
                version.health.reset();
            }
        }
        *current = wanted;
        self.serving.store(Arc::new(serving));
    }

    /// Takes the canary back if it is this version and has failed; returns the
    /// answers that it gave, and the errors among them. Of several that notice
    /// it, one does.
    pub fn take_back(&self, version: &Arc<Version>) -> Option<(u64, u64)> {
        self.serving.load().canary.as_ref()?;
        let mut wanted = self.wanted.lock();
        let serving = self.serving.load_full();
        let Some(Canary { version: canary, terms }) = &serving.canary else { return None };
        if !Arc::ptr_eq(canary, version) || !version.health.fails(*terms) {
            return None;
        }
        wanted.versions.canary = None;
        self.serving.store(Arc::new(Serving::new(serving.current.clone(), None, serving.previous.clone())));
        Some(version.health.counts())
    }
}
