//! A configuration file (TOML) to a typed [`Config`]: read as far as it goes
//! (`document`), then judged table by table (`host`, `app`, `routes`).
//! Whatever is wrong is told at once (`problems`). `cli` loads files, the
//! administration makes apps of an [`AppSpec`].

mod document;
mod raw;
mod raw_limits;
mod host;
mod app;
mod outbound;
mod keyvalue;
mod routes;
mod problems;
mod schema;

use std::path::Path;

pub use host::LISTEN;
pub use problems::{Problem, Problems};
pub use raw::{AppSpec, Instances, OutboundTls as OutboundTlsSpec, Route, SecretSource};
pub use raw_limits::{AppLimits, Quotas as QuotaSpec};
pub use schema::schema;

use super::{AdminConfig, AppConfig, Config, Limits};
use app::Surroundings;
use problems::Report;

/// Reads a file. Paths in it are relative to its folder.
///
/// # Errors
/// If it cannot be read, and everything that is wrong with it.
pub fn load(path: &Path) -> Result<Config, Problems> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, path),
        Err(error) => {
            let mut report = Report::default();
            report.add_at(None, format!("cannot be read: {error}; give the path of a configuration file"));
            report.into_result(Some(path), None)
        }
    }
}

/// Reads of a file only how its host is administered; `cli` looks for a host
/// so. Neither the secrets nor anything else that the host needs has to be
/// there.
///
/// # Errors
/// If it cannot be read or is no TOML, and what is wrong with the tables that
/// say it.
pub fn admin_of(path: &Path) -> Result<Option<AdminConfig>, Problems> {
    let mut report = Report::default();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            report.add_at(None, format!("cannot be read: {error}; give the path of a configuration file"));
            return report.into_result(Some(path), None);
        }
    };
    let (raw, unread) = document::read(&text);
    let Some(raw) = raw else { return unread.into_result(Some(path), None) };
    let folder = path.parent().unwrap_or(Path::new(""));
    let state = host::state(raw.state.as_deref(), folder, &mut report);
    let admin = host::admin(raw.admin.as_ref(), state.as_deref(), folder, &mut report);
    report.into_result(Some(path), Some(admin))
}

/// Reads the text of a file that is, or would be, at `path`. The files that it
/// names are looked at, and secrets are read.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, path: &Path) -> Result<Config, Problems> {
    let (raw, mut report) = document::read(text);
    let Some(raw) = raw else { return report.into_result(Some(path), None) };
    let folder = path.parent().unwrap_or(Path::new(""));
    let config = typed(&raw, folder, &mut report);
    report.into_result(Some(path), Some(config))
}

/// Puts problems to keys of a file that was loaded, for what is found out later
/// than that: components that do not fit.
///
/// # Errors
/// If there are any.
pub fn judge(path: &Path, found: Vec<(String, String)>) -> Result<(), Problems> {
    if found.is_empty() {
        return Ok(());
    }
    // Without the file there are no lines, and still the problems.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let problems = found.into_iter().map(|(key, message)| document::problem(&text, &key, message)).collect();
    Err(Problems { file: Some(path.to_owned()), problems })
}

/// The app that a specification describes, with the host's `limits` where it
/// has none of its own. Paths in it must be absolute.
///
/// It may read files and environment variables of the host (its secrets) and
/// have grants, so that only an operator may give one that has them.
///
/// # Errors
/// Everything that is wrong with it.
pub fn app_of(spec: &AppSpec, limits: &Limits) -> Result<AppConfig, Problems> {
    let mut report = Report::default();
    let around = Surroundings { folder: None, limits, deployable: true, alone: false };
    let app = app::app_of(spec, None, "", &around, &mut report);
    if let Some(app) = &app {
        routes::check(&[(String::new(), app)], &mut report);
    }
    report.into_result(None, app)
}

/// What the file says, as far as it is right; the rest is reported.
fn typed(raw: &raw::Raw, folder: &Path, report: &mut Report) -> Config {
    let limits = host::limits(raw.limits.as_ref(), report);
    let default_quotas = host::default_quotas(raw.defaults.as_ref(), &limits, report);
    let state = host::state(raw.state.as_deref(), folder, report);
    let tenants = host::tenants(raw.tenant.as_ref(), &default_quotas, &limits, report);
    let raw_apps = raw.app.as_deref().unwrap_or_default();
    let around = Surroundings {
        folder: Some(folder),
        limits: &limits,
        deployable: state.is_some(),
        alone: raw_apps.len() == 1,
    };
    let apps = app::apps(raw_apps, &around, report);
    if raw_apps.is_empty() && state.is_none() {
        report.add("app", "there is nothing to serve; add an [[app]], or set state and deploy one");
    }
    Config {
        listen: host::listen(raw.listen.as_deref(), report),
        cache: host::cache(raw.cache.as_deref(), state.as_deref(), folder, report),
        admin: host::admin(raw.admin.as_ref(), state.as_deref(), folder, report),
        outbound: outbound::of_host(raw.outbound.as_ref(), folder, report),
        keyvalue: keyvalue::of_host(raw.keyvalue.as_ref(), &around, report),
        telemetry: host::telemetry(raw.log.as_ref(), raw.telemetry.as_ref(), folder, report),
        state,
        tenants,
        default_quotas,
        apps,
        limits,
        development: false,
    }
}

#[cfg(test)]
mod tests;
