//! `innkeeper activate` and `innkeeper rollback`, and what they and `deploy`
//! say of a canary.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use reqwest::Method;

use super::access::AdminFlags;
use crate::admin::views::{ActivationSpec, AppView, RolledBackView};
use crate::config::Name;

/// Which share of the requests a version answers.
#[derive(Debug, Args)]
pub struct CanaryFlags {
    /// Have it answer only so many requests of a hundred, beside the version that does.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    canary: Option<u8>,

    /// Roll the canary back by itself if a larger share of its answers are errors, 0 to 1.
    #[arg(long, value_name = "SHARE", requires = "canary", value_parser = parse_rate)]
    error_rate_max: Option<f64>,

    /// Answers before which the canary's errors say nothing [default: 20].
    #[arg(long, value_name = "COUNT", requires = "canary")]
    requests_min: Option<u32>,
}

impl CanaryFlags {
    /// What is asked of the host.
    pub fn spec(&self) -> ActivationSpec {
        let &CanaryFlags { canary, error_rate_max, requests_min } = self;
        ActivationSpec { weight_percent: canary, error_rate_max, requests_min }
    }

    /// What is so when it is done.
    pub fn served(&self, app: &Name, version: u64) -> String {
        match self.canary {
            None | Some(100) => all_requests(app, version),
            Some(percent) => format!("{app}: version {version} serves {percent} % of the requests"),
        }
    }
}

fn all_requests(app: &Name, version: u64) -> String {
    format!("{app}: version {version} serves all requests")
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| "write a share from 0 to 1, as in 0.05".to_owned())
}

/// Have a version of an app answer all requests, or some of them as a canary.
#[derive(Debug, Args)]
pub struct Activate {
    /// The app.
    app: Name,

    /// The version's number; `innkeeper apps APP` lists them.
    version: u64,

    #[command(flatten)]
    canary: CanaryFlags,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Activate {
    pub fn run(self) -> Result<ExitCode> {
        let Activate { app, version, canary, flags } = self;
        flags.run(async |session| {
            let path = ["v1", "apps", app.as_str(), "versions", &version.to_string(), "activate"];
            let answer = session.client.ask_with(Method::POST, &path, &canary.spec()).await?;
            session.tell(&answer, |_: AppView| canary.served(&app, version))
        })
    }
}

/// Go back to the version before, or end a canary.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The app.
    app: Name,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Rollback {
    pub fn run(self) -> Result<ExitCode> {
        let Rollback { app, flags } = self;
        flags.run(async |session| {
            let answer = session.client.ask(Method::POST, &["v1", "apps", app.as_str(), "rollback"]).await?;
            session.tell(&answer, |back: RolledBackView| all_requests(&app, back.version))
        })
    }
}
