//! `innkeeper deploy`: a component to the host, and how far it is. What is said
//! of it while it goes on is on standard error.

use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method, RequestBuilder};

use super::Session;
use super::access::AdminFlags;
use super::output::{self, say};
use super::versions::CanaryFlags;
use crate::admin::views::DeployProgress;
use crate::cli::client::read;
use crate::config::Name;
use crate::config::file::AppSpec;
use crate::guest::contract::recognise;

/// Bytes that are sent at once: small enough for a bar that moves.
const PIECE_BYTES: usize = 64 << 10;

/// Time between two pictures of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// Deploy a component as the next version of an app.
#[derive(Debug, Args)]
pub struct Deploy {
    /// The app: one of the configuration without a component, or one that `--spec` makes.
    app: Name,

    /// The component's file.
    component: PathBuf,

    /// What is to be said of the version.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Leave it to a later `innkeeper activate` to have it answer.
    #[arg(long, conflicts_with_all = ["canary", "error_rate_max", "requests_min"])]
    no_activate: bool,

    #[command(flatten)]
    canary: CanaryFlags,

    /// Make the app, or change its routes and settings, before: a file with the keys of one `[[app]]` of
    /// the configuration but for `component`, as TOML or, if its name ends so, as `.json`.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Deploy {
    pub fn run(self) -> Result<ExitCode> {
        let Deploy { app, component, note, no_activate, canary, spec, flags } = self;
        let bytes = std::fs::read(&component);
        let bytes = bytes.with_context(|| format!("cannot read {}", component.display()))?;
        recognise(&bytes, &component)?;
        let spec = spec.map(|path| read_spec(&path, &app)).transpose()?;
        flags.run(async |session| {
            // What the host refuses is refused before anything is sent.
            match spec {
                Some(spec) => session.client.ask_with(Method::PUT, &["v1", "apps"], &spec).await?,
                None => session.client.ask(Method::GET, &["v1", "apps", app.as_str()]).await?,
            };
            let path = ["v1", "apps", app.as_str(), "versions"];
            let mut request = session.client.request(Method::POST, &path).query(&canary.spec());
            if let Some(note) = note {
                request = request.query(&[("note", note)]);
            }
            if no_activate {
                request = request.query(&[("activate", "false")]);
            }
            let progress = Progress::new(&session, &component, bytes.len());
            let request = with_body(request, bytes, &progress);
            let version = follow(&session, request, &progress).await?;
            match version {
                (number, true) => session.remark(&canary.served(&app, number)),
                (number, false) => session.remark(&format!(
                    "{app}: version {number} is deployed; `innkeeper activate {app} {number}` has it serve"
                )),
            }
        })
    }
}

/// Reads what an app is to be. The name may be left out, and is no other.
fn read_spec(path: &Path, app: &Name) -> Result<AppSpec> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_json = path.extension().is_some_and(|end| end == "json");
    let spec: Result<AppSpec> = match is_json {
        true => serde_json::from_str(&text).map_err(Into::into),
        false => toml::from_str(&text).map_err(Into::into),
    };
    let mut spec = spec.with_context(|| format!("{} describes no app", path.display()))?;
    match &spec.name {
        Some(name) if name.as_str() != app.as_str() => {
            bail!("{} describes app {name}, not {app}; take the name out, or deploy {name}", path.display())
        }
        _ => spec.name = Some(app.to_string()),
    }
    Ok(spec)
}

/// Adds the component to a request, in pieces that move the bar.
fn with_body(request: RequestBuilder, bytes: Vec<u8>, progress: &Progress) -> RequestBuilder {
    let length = bytes.len();
    let mut rest = Bytes::from(bytes);
    let bar = progress.bar.clone();
    let pieces = std::iter::from_fn(move || {
        let piece = rest.split_to(rest.len().min(PIECE_BYTES));
        bar.inc(piece.len() as u64);
        (!piece.is_empty()).then_some(Ok::<_, Infallible>(piece))
    });
    request
        .header(CONTENT_TYPE, "application/wasm")
        .header(CONTENT_LENGTH, length)
        .body(Body::wrap_stream(tokio_stream::iter(pieces)))
}

/// Sends it, and says how far it is until it is done: the version, and whether
/// it answers.
async fn follow(session: &Session, request: RequestBuilder, progress: &Progress) -> Result<(u64, bool)> {
    let mut lines = session.client.lines(request).await?;
    while let Some(line) = lines.next().await? {
        if session.json {
            say(&line)?;
        }
        match read(&line)? {
            DeployProgress::Uploaded { .. } => {}
            DeployProgress::Compiling => progress.stage("compiling"),
            DeployProgress::Recording => progress.stage("recording"),
            DeployProgress::Activating => progress.stage("activating"),
            DeployProgress::Done { version, active } => {
                progress.bar.finish_and_clear();
                return Ok((version.number, active));
            }
            DeployProgress::Failed { error, .. } => {
                progress.bar.finish_and_clear();
                bail!("not deployed: {error}");
            }
        }
    }
    bail!("the host ended before it was done; `innkeeper apps APP` says what became of it")
}

/// How far it is: a bar and then a spinner on a terminal, lines elsewhere, and
/// nothing beside JSON.
struct Progress {
    bar: ProgressBar,
    lines: bool,
}

impl Progress {
    fn new(session: &Session, component: &Path, length: usize) -> Self {
        let (name, length) = (component.display(), length as u64);
        let terminal = std::io::stderr().is_terminal();
        if session.json || !terminal {
            let lines = !session.json;
            if lines {
                eprintln!("uploading {name} ({})", output::bytes(length));
            }
            return Progress { bar: ProgressBar::hidden(), lines };
        }
        let bar = ProgressBar::new(length).with_message(format!("uploading {name}"));
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}") {
            bar.set_style(style);
        }
        Progress { bar, lines: false }
    }

    fn stage(&self, name: &'static str) {
        if self.lines {
            eprintln!("{name}");
        } else {
            self.bar.set_style(ProgressStyle::default_spinner());
            self.bar.set_message(name);
            self.bar.enable_steady_tick(TICK);
        }
    }
}
