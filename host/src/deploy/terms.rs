//! The words of a request to the deployer: who asks, what a version is to do,
//! how far a deploy is, and why something was not done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::app::Failures;
use crate::app::version::CanaryTerms;
use crate::config::Name;
use crate::state::{Action, Event, Scope, StateError, VersionRecord};

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

    pub(super) fn event(&self, action: Action, detail: String) -> Event {
        Event { action, by: self.name.clone(), detail }
    }
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
