//! `innkeeper dev`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use tokio_util::task::AbortOnDropHandle;

use super::build::BuildFlags;
use super::building::{self, Options, Profile};
use super::project::Project;
use super::sources::Sources;
use crate::cli::component::ComponentFlags;
use crate::cli::serve;
use crate::config::Config;
use crate::server::Steering;

/// Build a project and serve it while it is worked on: whenever a source
/// changes it is built again, and the next request goes to the new one, on the
/// connections that there are. A build that fails changes nothing. A trap is
/// shown with the lines of the sources, in the log and to the client, so this
/// is not for others to reach.
#[derive(Debug, Args)]
pub struct Dev {
    /// The project's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,

    /// Rust: build for speed, as `innkeeper build` does.
    #[arg(long)]
    release: bool,

    #[command(flatten)]
    build: BuildFlags,

    #[command(flatten)]
    flags: ComponentFlags,
}

/// A project that is built time and again.
#[derive(Clone)]
struct Builder {
    project: Arc<Project>,
    options: Arc<Options>,
}

impl Dev {
    pub fn run(self) -> Result<ExitCode> {
        let project = Arc::new(Project::find(&self.folder)?);
        let profile = if self.release { Profile::Release } else { Profile::Debug };
        let builder = Builder { project, options: Arc::new(self.build.options(profile)) };
        // Before it is built, so that no change is missed.
        let mut sources = Sources::watch(builder.project.folders())?;
        let component = builder.first(&mut sources)?;
        let mut config = self.flags.config(component)?;
        config.development = true;
        if let Some(app) = config.apps.first() {
            eprintln!("serving {} ({})", app.name, builder.project.language.name());
        }
        serve::run(
            config.clone(),
            Some(Box::new(move |steering| {
                Ok(AbortOnDropHandle::new(tokio::spawn(again(builder, sources, config, steering))))
            })),
        )
    }
}

impl Builder {
    fn build(&self) -> Result<PathBuf> {
        let begun = Instant::now();
        let component = building::build(&self.project, &self.options)?;
        eprintln!("built {} in {:.1} s", shown(&component), begun.elapsed().as_secs_f32());
        Ok(component)
    }

    /// Builds until that succeeds, each time that a source has changed.
    fn first(&self, sources: &mut Sources) -> Result<PathBuf> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .context("cannot wait for changes")?;
        loop {
            match self.build() {
                Ok(component) => return Ok(component),
                Err(error) => eprintln!("{error:#}; waiting for a change"),
            }
            runtime.block_on(sources.changed());
        }
    }
}

/// Builds again whenever a source changes, and has the host serve what comes
/// of it.
async fn again(builder: Builder, mut sources: Sources, mut config: Config, steering: Arc<Steering>) {
    loop {
        sources.changed().await;
        tracing::info!(target: "dev", "a source has changed");
        let building = builder.clone();
        let component = match tokio::task::spawn_blocking(move || building.build()).await {
            Ok(Ok(component)) => component,
            Ok(Err(error)) => {
                tracing::error!(target: "dev", "{error:#}; the one before is served on");
                continue;
            }
            Err(error) => {
                tracing::error!(target: "dev", %error, "the build broke off; the one before is served on");
                continue;
            }
        };
        if let Some(app) = config.apps.first_mut() {
            app.component = Some(component);
        }
        match steering.reload(&config).await {
            Ok(reloaded) if reloaded.apps.changed.is_empty() => {
                tracing::info!(target: "dev", "the component is the same as before");
            }
            Ok(_) => tracing::info!(target: "dev", "the new one is served"),
            Err(error) => tracing::error!(target: "dev", "{error:#}; the one before is served on"),
        }
    }
}

/// A path as seen from where the author is.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
