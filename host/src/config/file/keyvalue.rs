//! The keys of a file about what guests keep and what they are told: where
//! keys and values are, an app's buckets, and its configuration.

use super::app::{Surroundings, join, secret};
use super::problems::Report;
use super::raw;
use crate::config::{BucketGrant, KeyValueBackend, Secret};

/// The table `[keyvalue]`.
pub(super) fn of_host(
    raw: Option<&raw::KeyValue>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> KeyValueBackend {
    let Some(raw) = raw else { return KeyValueBackend::default() };
    let text = raw.backend.as_deref().unwrap_or("state");
    let Some(mut backend) = report.take("keyvalue.backend", text.parse()) else {
        return KeyValueBackend::default();
    };
    if raw.backend.is_some() && backend == KeyValueBackend::State && !around.deployable {
        report.add(
            "keyvalue.backend",
            "there is no state directory; set state, or write \"memory\" or redis://",
        );
    }
    if let Some(source) = &raw.password
        && !report.is_partly_unread("keyvalue.password")
    {
        match &mut backend {
            KeyValueBackend::Redis(redis) => {
                redis.password = report.take("keyvalue.password", secret(source, around));
            }
            _ => report.add("keyvalue.password", "nobody asks for it; only a redis:// backend has one"),
        }
    }
    backend
}

/// The key `keyvalue` of an app.
pub(super) fn buckets(spec: &raw::AppSpec, table: &str, report: &mut Report) -> Vec<BucketGrant> {
    let mut granted: Vec<BucketGrant> = Vec::new();
    for (index, text) in spec.keyvalue.iter().flatten().enumerate() {
        let key = format!("{}[{index}]", join(table, "keyvalue"));
        let Some(grant) = report.take(&key, text.parse::<BucketGrant>()) else { continue };
        if granted.iter().any(|other| other.name == grant.name) {
            report.add(&key, format!("{} is listed twice; remove one", grant.name));
        }
        granted.push(grant);
    }
    granted
}

/// The key `config` of an app.
pub(super) fn config(spec: &raw::AppSpec) -> Vec<(String, String)> {
    spec.config.iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The key `config_secrets` of an app.
pub(super) fn config_secrets(
    spec: &raw::AppSpec,
    table: &str,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Vec<(String, Secret)> {
    let mut secrets = Vec::new();
    for (name, source) in spec.config_secrets.iter().flatten() {
        let key = format!("{}.{name}", join(table, "config_secrets"));
        if spec.config.as_ref().is_some_and(|config| config.contains_key(name)) {
            report.add(&key, format!("{name:?} is in config too; remove one"));
        }
        if report.is_partly_unread(&key) {
            continue;
        }
        secrets.extend(report.take(&key, secret(source, around)).map(|secret| (name.clone(), secret)));
    }
    secrets
}
