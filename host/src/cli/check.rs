//! `innkeeper check`: a component, or a configuration with all that it names.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use comfy_table::{Table, presets};

use crate::config::file;
use crate::config::{Cache, Config, Limits};
use crate::guest::sandbox::Sandbox;

/// Load and link a component as `serve` would, or everything that a
/// configuration names; exit with 0 if it fits, with 1 and the reasons if not.
#[derive(Debug, Args)]
pub struct Check {
    /// The component's file.
    #[arg(required_unless_present = "config", conflicts_with = "config")]
    component: Option<PathBuf>,

    /// A configuration file. All that is wrong with it is reported at once.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Check {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(path) = &self.config {
            return check_config(path);
        }
        if let Some(component) = &self.component {
            load(&sandbox(&Limits::default(), &Cache::Default)?, component)?;
            println!("{}: fits", component.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A sandbox to load components with.
fn sandbox(limits: &Limits, cache: &Cache) -> anyhow::Result<Sandbox> {
    // One instance is enough to check with, and needs no room.
    Sandbox::new(&Limits { instances_max: 1, ..limits.clone() }, cache, false)
}

fn load(sandbox: &Sandbox, component: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(component).with_context(|| format!("cannot read {}", component.display()))?;
    sandbox.load(&bytes, component)?;
    Ok(())
}

fn check_config(path: &Path) -> anyhow::Result<ExitCode> {
    let loaded = file::load(path);
    let judged = match loaded {
        Ok(config) => file::judge(path, unfit(&config)?).map(|()| config),
        Err(problems) => Err(problems),
    };
    match judged {
        Ok(config) => {
            println!("{}", summary(&config).trim_fmt());
            if let Some(warning) = overcommitment(&config) {
                println!("{warning}");
            }
            println!("{}: fits", path.display());
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            eprintln!("{problems}");
            let count = problems.problems.len();
            let noun = if count == 1 { "problem" } else { "problems" };
            eprintln!("error: {} has {count} {noun}", path.display());
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What each component that does not fit says, with its key.
fn unfit(config: &Config) -> anyhow::Result<Vec<(String, String)>> {
    let sandbox = sandbox(&config.limits, &config.cache)?;
    let mut faults = Vec::new();
    for (index, app) in config.apps.iter().enumerate() {
        let Some(component) = &app.component else { continue };
        if let Err(error) = load(&sandbox, component) {
            faults.push((format!("app[{index}].component"), format!("{error:#}")));
        }
    }
    Ok(faults)
}

/// The apps, one a row.
fn summary(config: &Config) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["APP", "TENANT", "COMPONENT", "ROUTES"]);
    for app in &config.apps {
        let component = app.component.as_ref().and_then(|path| path.file_name());
        let component = component.map_or("(deployed)".into(), |name| name.to_string_lossy());
        let routes: Vec<_> = app.routes.iter().map(ToString::to_string).collect();
        table.add_row([app.name.as_str(), app.tenant.as_str(), &component, &routes.join("\n")]);
    }
    table
}

/// That the quotas promise more than there is, which is allowed: not all
/// tenants are busy at once.
fn overcommitment(config: &Config) -> Option<String> {
    let mut tenants: Vec<_> =
        config.tenants.keys().chain(config.apps.iter().map(|app| &app.tenant)).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let quotas = tenants
        .iter()
        .map(|name| config.tenants.get(*name).map_or(&config.default_quotas, |tenant| &tenant.quotas));
    let sum: u64 = quotas.map(|quotas| u64::from(quotas.exchanges_max)).sum();
    let there = config.limits.instances_max;
    (sum > u64::from(there)).then(|| {
        format!("warning: overcommitted: the tenants' exchanges_max come to {sum}, limits.instances_max is {there}")
    })
}
