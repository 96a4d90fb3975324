//! From what the state directory says of an app to what is to be served.

use anyhow::Result;

use crate::app::served::{Origin, Source, Versions, Wanted};
use crate::app::version::CanaryTerms;
use crate::config::Limits;
use crate::config::file::{AppSpec, app_of};
use crate::deploy::DeployError;
use crate::state::{AppRecord, StateError, Store};

/// An app that was deployed whole. One whose description this version of the
/// host cannot read is left out, and the log says so.
pub(super) fn deployed_app(store: &Store, record: &AppRecord, limits: &Limits) -> Result<Option<Wanted>> {
    let Some(spec) = &record.spec else {
        tracing::warn!(app = %record.name, "not served: it was the configuration file's, which no longer has it; its versions are kept");
        return Ok(None);
    };
    let config = serde_json::from_value::<AppSpec>(spec.clone())
        .map_err(|error| error.to_string())
        .and_then(|spec| app_of(&spec, limits).map_err(|problems| problems.to_string()));
    match config {
        Ok(config) => {
            Ok(Some(Wanted { config, origin: Origin::Deployed, versions: of_serving(store, record)? }))
        }
        Err(problem) => {
            tracing::error!(app = %record.name, "a deployed app cannot be served: {problem}");
            Ok(None)
        }
    }
}

/// The versions of an app that serve, as files.
pub(super) fn of_serving(store: &Store, record: &AppRecord) -> Result<Versions, StateError> {
    let known = store.versions(&record.name)?;
    let source = |number: u64| {
        let version = known.iter().find(|version| version.number == number)?;
        let (sha256, path) = (Some(version.sha256), store.component_path(&version.sha256));
        Some(Source { number: Some(number), sha256, path })
    };
    let serving = &record.serving;
    Ok(Versions {
        current: serving.current.and_then(source),
        canary: serving.canary.as_ref().and_then(|canary| {
            let terms = CanaryTerms {
                weight_percent: canary.weight_percent,
                error_rate_max: canary.error_rate_max,
                requests_min: canary.requests_min,
            };
            Some((source(canary.version)?, terms))
        }),
        previous: serving.previous.and_then(source),
    })
}

/// The description of an app as it is kept.
pub(super) fn spec_of(spec: &AppSpec) -> Result<serde_json::Value, DeployError> {
    serde_json::to_value(spec).map_err(|error| DeployError::Broken(error.to_string()))
}
