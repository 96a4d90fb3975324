//! The apps of a file, and the one of a specification: names, components,
//! routes, secrets, grants and their own limits.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problems::Report;
use super::raw::{App, AppSpec, Instances, Route, SecretSource};
use super::{host, keyvalue, outbound, routes};
use crate::config::route::{check_prefix, normal_method};
use crate::config::{
    AppConfig, AppSettings, Grant, Grants, InstancePolicy, Limits, Name, RouteConfig, Secret,
};

/// What an app is judged by, beside itself.
pub(super) struct Surroundings<'a> {
    /// What relative paths are relative to; without it there may be none.
    pub(super) folder: Option<&'a Path>,
    /// The host's limits.
    pub(super) limits: &'a Limits,
    /// Whether an app may be without a component.
    pub(super) deployable: bool,
    /// Whether there is no other app.
    pub(super) alone: bool,
}

impl Surroundings<'_> {
    pub(super) fn path(&self, path: &Path) -> Result<PathBuf, String> {
        match self.folder {
            Some(folder) => Ok(folder.join(path)),
            None if path.is_absolute() => Ok(path.to_owned()),
            None => Err(format!("{} is relative; give the absolute path", path.display())),
        }
    }
}

/// All apps of a file that are right.
pub(super) fn apps(raw: &[App], around: &Surroundings<'_>, report: &mut Report) -> Vec<AppConfig> {
    let mut names: HashMap<Name, String> = HashMap::new();
    let mut apps = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        let key = format!("app[{index}]");
        let Some(app) = app_of(&raw.common(), raw.component.as_deref(), &key, around, report) else {
            continue;
        };
        if let Some(first) = names.get(&app.name) {
            let message =
                format!("{} is called {:?} too; rename one", report.place(first), app.name.as_str());
            report.add(&format!("{key}.name"), message);
        } else {
            names.insert(app.name.clone(), key.clone());
        }
        apps.push((key, app));
    }
    let keyed: Vec<_> = apps.iter().map(|(key, app)| (key.clone(), app)).collect();
    routes::check(&keyed, report);
    apps.into_iter().map(|(_, app)| app).collect()
}

/// One app, at a key of the file; none if it has no name.
pub(super) fn app_of(
    spec: &AppSpec,
    component: Option<&Path>,
    table: &str,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Option<AppConfig> {
    let key = |name: &str| join(table, name);
    let name = match &spec.name {
        Some(name) => report.take(&key("name"), name.parse::<Name>()),
        None => {
            report.add(&key("name"), "an app needs a name; add one");
            None
        }
    };
    let tenant = match &spec.tenant {
        Some(tenant) => report.take(&key("tenant"), tenant.parse::<Name>()),
        None => name.clone(),
    };
    let component = component_of(component, &key("component"), around, report);
    let settings = AppSettings {
        env: env(spec, &key("env"), report),
        secrets: secrets(spec, &key("secrets"), around, report),
        config: keyvalue::config(spec),
        config_secrets: keyvalue::config_secrets(spec, table, around, report),
        keyvalue: keyvalue::buckets(spec, table, report),
        instances: match spec.instances {
            None | Some(Instances::PerRequest) => InstancePolicy::PerRequest,
            Some(Instances::Pooled) => InstancePolicy::Pooled,
        },
        grants: grants(spec, &key("allow"), around, report),
        outbound: outbound::of_app(spec, table, around, report),
        limits: Arc::new(limits(spec, &key("limits"), around.limits, report)),
    };
    let routes = routes_of(spec, &key("routes"), around, report);
    // Whose name is wrong may have had any; the rest was looked at all the same.
    Some(AppConfig { name: name?, tenant: tenant?, component, routes, settings })
}

/// A key of a table; the table of a specification has no name.
pub(super) fn join(table: &str, name: &str) -> String {
    if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
}

fn component_of(
    raw: Option<&Path>,
    key: &str,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Option<PathBuf> {
    let Some(raw) = raw else {
        if !around.deployable {
            report.add(key, "the app has no component; name its file, or set state and deploy it");
        }
        return None;
    };
    let path = report.take(key, around.path(raw))?;
    let shown = path.display();
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(found) if found.is_file() => {}
        Ok(_) => report.add(key, format!("{shown} is no file; give the path of a component")),
        Err(error) => report.add(key, format!("cannot read {shown}: {error}; build it, or correct the path")),
    }
    Some(path)
}

fn routes_of(spec: &AppSpec, key: &str, around: &Surroundings<'_>, report: &mut Report) -> Vec<RouteConfig> {
    let raw = match spec.routes.as_deref() {
        None if around.alone => return vec![RouteConfig::everything()],
        None | Some([]) => {
            report.add(key, "the app has no routes and could not be reached; add one, such as { host = \"shop.example\" }");
            return Vec::new();
        }
        Some(raw) => raw,
    };
    let each = raw.iter().enumerate();
    each.filter_map(|(index, raw)| route(raw, &format!("{key}[{index}]"), report)).collect()
}

fn route(raw: &Route, key: &str, report: &mut Report) -> Option<RouteConfig> {
    let host = report.take(&format!("{key}.host"), raw.host.as_deref().unwrap_or("*").parse());
    let path = report.take(&format!("{key}.path"), raw.path.as_deref().unwrap_or("/*").parse());
    let strip_prefix = raw.strip_prefix.unwrap_or(false);
    if let Some(path) = path.as_ref().filter(|_| strip_prefix) {
        report.take(&format!("{key}.strip_prefix"), check_prefix(path));
    }
    if raw.methods.as_ref().is_some_and(Vec::is_empty) {
        report.add(&format!("{key}.methods"), "there is no method; add one, or leave the key out for all");
    }
    let mut methods: Vec<String> = Vec::new();
    for (index, method) in raw.methods.iter().flatten().enumerate() {
        let method = report.take(&format!("{key}.methods[{index}]"), normal_method(method));
        methods.extend(method.filter(|method| !methods.contains(method)));
    }
    Some(RouteConfig { host: host?, path: path?, methods, strip_prefix })
}

fn env(spec: &AppSpec, key: &str, report: &mut Report) -> Vec<(String, String)> {
    let mut env = Vec::new();
    for (name, value) in spec.env.iter().flatten() {
        let key = format!("{key}.{name}");
        report.take(&key, check_variable(name));
        if value.contains('\0') {
            report.add(&key, "the value has a NUL character; remove it");
        }
        env.push((name.clone(), value.clone()));
    }
    env
}

fn secrets(
    spec: &AppSpec,
    key: &str,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Vec<(String, Secret)> {
    let mut secrets = Vec::new();
    for (name, source) in spec.secrets.iter().flatten() {
        let key = format!("{key}.{name}");
        report.take(&key, check_variable(name));
        if spec.env.as_ref().is_some_and(|env| env.contains_key(name)) {
            report.add(&key, format!("{name:?} is in env too; remove one"));
        }
        if report.is_partly_unread(&key) {
            continue;
        }
        secrets.extend(report.take(&key, secret(source, around)).map(|secret| (name.clone(), secret)));
    }
    secrets
}

fn check_variable(name: &str) -> Result<(), String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(format!("{name:?} is no name of a variable; take one that is not empty and has no ="));
    }
    Ok(())
}

/// Reads a secret. No message says anything of its value.
pub(super) fn secret(source: &SecretSource, around: &Surroundings<'_>) -> Result<Secret, String> {
    let value = match (&source.env, &source.file) {
        (Some(name), None) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => format!("the host has no environment variable {name}; set it"),
            std::env::VarError::NotUnicode(_) => {
                format!("the environment variable {name} is no UTF-8; encode it")
            }
        })?,
        (None, Some(file)) => {
            let path = around.path(file)?;
            let shown = path.display();
            let mut text = std::fs::read_to_string(&path).map_err(|error| {
                format!("cannot read {shown}: {error}; make the file, readable for the host")
            })?;
            if text.ends_with('\n') {
                text.pop();
            }
            text
        }
        _ => {
            return Err(
                "a secret is in one place; write { env = \"NAME\" } or { file = \"/path\" }".to_owned()
            );
        }
    };
    if value.contains('\0') {
        return Err("the secret has a NUL character; encode it".to_owned());
    }
    Ok(Secret::new(value))
}

fn grants(spec: &AppSpec, key: &str, around: &Surroundings<'_>, report: &mut Report) -> Grants {
    let mut granted: Vec<Grant> = Vec::new();
    for (index, text) in spec.allow.iter().flatten().enumerate() {
        let key = format!("{key}[{index}]");
        let Some(mut grant) = report.take(&key, text.parse()) else { continue };
        if let Grant::Directory(directory) = &mut grant {
            let Some(path) = report.take(&key, around.path(&directory.host)) else { continue };
            directory.host = path;
            report.take(&key, directory.check());
            let is_taken =
                |other: &Grant| matches!(other, Grant::Directory(other) if other.guest == directory.guest);
            if granted.iter().any(is_taken) {
                report.add(
                    &key,
                    format!("the guest has another directory at {}; choose another path", directory.guest),
                );
            }
        }
        granted.push(grant);
    }
    Grants::of(granted)
}

fn limits(spec: &AppSpec, key: &str, of_host: &Limits, report: &mut Report) -> Limits {
    let Some(raw) = &spec.limits else { return of_host.clone() };
    let mut limits = of_host.clone();
    raw.apply(&mut limits);
    for (name, is_more) in [
        ("memory_bytes_max", limits.memory_bytes_max > of_host.memory_bytes_max),
        ("table_elements_max", limits.table_elements_max > of_host.table_elements_max),
    ] {
        if is_more {
            let message =
                format!("it is more than limits.{name}, which the pool is made for; lower it, or raise that");
            report.add(&format!("{key}.{name}"), message);
        }
    }
    host::app_limits(raw, key, &mut limits, report);
    limits
}
