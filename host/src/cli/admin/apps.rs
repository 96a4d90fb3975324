//! `innkeeper apps` and `innkeeper delete`.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use reqwest::Method;

use super::Session;
use super::access::AdminFlags;
use super::output::{bytes, digest, plain, say, table};
use crate::admin::views::{AppView, CanaryView, HistoryView, LoadedView, VersionView};
use crate::config::Name;

/// List apps; of a single one, its versions and what was done with it, too.
#[derive(Debug, Args)]
pub struct Apps {
    /// Only this app. Its versions and its history follow; with `--json`, each on a line of its own.
    app: Option<Name>,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Apps {
    pub fn run(self) -> Result<ExitCode> {
        let Apps { app, flags } = self;
        flags.run(async |session| match app {
            Some(app) => one(&session, &app).await,
            None => {
                let answer = session.client.ask(Method::GET, &["v1", "apps"]).await?;
                session.tell(&answer, |apps: Vec<AppView>| list(&apps))
            }
        })
    }
}

async fn one(session: &Session, app: &Name) -> Result<()> {
    let path = ["v1", "apps", app.as_str()];
    let shown = session.client.ask(Method::GET, &path).await?;
    let versions = session.client.ask(Method::GET, &[&path[..], &["versions"]].concat()).await?;
    let history = session.client.ask(Method::GET, &[&path[..], &["history"]].concat()).await?;
    session.tell(&shown, |app: AppView| list(&[app]))?;
    session.remark("\nVersions, the newest first:")?;
    session.tell(&versions, |versions: Vec<VersionView>| version_list(&versions))?;
    session.remark("\nHistory, the newest first:")?;
    session.tell(&history, |history: Vec<HistoryView>| history_list(&history))
}

fn list(apps: &[AppView]) -> String {
    let mut table = table(["APP", "TENANT", "ORIGIN", "CURRENT", "CANARY", "BREAKER", "ROUTES"]);
    for app in apps {
        let current = app.current.as_ref();
        table.add_row([
            app.name.clone(),
            app.tenant.clone(),
            app.origin.clone(),
            current.map_or("none".to_owned(), version),
            app.canary.as_ref().map_or("-".to_owned(), canary),
            current.map_or("-".to_owned(), |current| current.breaker.clone()),
            app.routes.join("\n"),
        ]);
    }
    table.trim_fmt()
}

/// The number of a version, or what else tells it from others.
fn version(version: &LoadedView) -> String {
    version.number.map_or_else(|| digest(&version.sha256).to_owned(), |number| number.to_string())
}

fn canary(canary: &CanaryView) -> String {
    let CanaryView { weight_percent, answers, errors, .. } = canary;
    format!("{} ({weight_percent} %, {errors} errors in {answers})", version(&canary.version))
}

fn version_list(versions: &[VersionView]) -> String {
    let mut table = table(["VERSION", "SERVES AS", "SIZE", "SHA-256", "CREATED", "BY", "NOTE"]);
    for version in versions {
        table.add_row([
            version.number.to_string(),
            version.serves_as.clone().unwrap_or_else(|| "-".to_owned()),
            bytes(version.bytes),
            digest(&version.sha256).to_owned(),
            version.created.clone(),
            version.by.clone(),
            plain(&version.note),
        ]);
    }
    table.trim_fmt()
}

fn history_list(history: &[HistoryView]) -> String {
    let mut table = table(["AT", "BY", "ACTION", "DETAIL"]);
    for entry in history {
        table.add_row([entry.at.clone(), entry.by.clone(), entry.action.clone(), plain(&entry.detail)]);
    }
    table.trim_fmt()
}

/// Delete an app that was deployed, with its versions.
#[derive(Debug, Args)]
pub struct Delete {
    /// The app.
    app: Name,

    /// Do not ask first.
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Delete {
    pub fn run(self) -> Result<ExitCode> {
        let Delete { app, yes, flags } = self;
        if !yes && !confirmed(&app)? {
            say("nothing is deleted")?;
            return Ok(ExitCode::FAILURE);
        }
        flags.run(async |session| {
            session.client.ask(Method::DELETE, &["v1", "apps", app.as_str()]).await?;
            session.remark(&format!("{app}: deleted"))
        })
    }
}

fn confirmed(app: &Name) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody is there to be asked; say --yes to delete {app}");
    }
    eprint!("Delete app {app} with its versions? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
