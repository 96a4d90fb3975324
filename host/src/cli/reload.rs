//! The configuration file read again while the host serves: on SIGHUP, and with
//! `--watch` whenever the file changes. A bad one changes nothing, and the log
//! says what is wrong with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::{RecursiveMode, Watcher as _};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::config::file;
use crate::server::Steering;

/// A change is often several: what comes within this time is one.
const SETTLE: Duration = Duration::from_millis(200);

/// How to read the configuration again.
pub(super) struct Again {
    /// The file.
    pub path: PathBuf,
    /// The addresses of the command line, which take the place of the file's.
    pub listen: Vec<SocketAddr>,
    /// What tells of changes of the file, if it is watched.
    pub watched: Option<Watched>,
}

impl Again {
    /// Begins to wait for a reason; dropping the handle ends that.
    ///
    /// # Errors
    /// A system that cannot tell of signals.
    pub fn start(self, steering: Arc<Steering>) -> Result<AbortOnDropHandle<()>> {
        let hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        Ok(AbortOnDropHandle::new(tokio::spawn(self.wait(steering, hangup))))
    }

    async fn wait(mut self, steering: Arc<Steering>, mut hangup: Signal) {
        loop {
            let reason = tokio::select! {
                _ = hangup.recv() => "SIGHUP",
                () = changed(&mut self.watched) => "the file has changed",
            };
            tracing::info!(target: "reload", file = %self.path.display(), reason, "reading the configuration again");
            self.reload(&steering).await;
        }
    }

    async fn reload(&self, steering: &Steering) {
        let path = self.path.clone();
        let loaded = match tokio::task::spawn_blocking(move || file::load(&path)).await {
            Ok(loaded) => loaded,
            Err(error) => {
                return tracing::error!(target: "reload", %error, "reading broke off; nothing has changed");
            }
        };
        let mut config = match loaded {
            Ok(config) => config,
            Err(problems) => {
                for problem in problems.to_string().lines() {
                    tracing::error!(target: "reload", "{problem}");
                }
                let count = problems.problems.len();
                return tracing::error!(target: "reload", count, "the configuration is bad; nothing has changed");
            }
        };
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
        match steering.reload(&config).await {
            Ok(reloaded) => {
                let apps = reloaded.apps;
                tracing::info!(
                    target: "reload",
                    added = apps.added.len(),
                    changed = apps.changed.len(),
                    removed = apps.removed.len(),
                    kept = apps.kept,
                    "configuration in effect"
                );
                for key in reloaded.needs_restart {
                    tracing::warn!(target: "reload", key, "this has changed and is in effect after a restart only");
                }
            }
            Err(error) => tracing::error!(target: "reload", "{error:#}; nothing has changed"),
        }
    }
}

/// A file that is looked at for changes. Its folder is what the system watches:
/// editors put a new file in the place of the old one.
pub(super) struct Watched {
    _watcher: notify::RecommendedWatcher,
    changes: watch::Receiver<u64>,
}

impl Watched {
    /// Looks from now on. A change between this and [`Again::start`] is not
    /// missed, so it comes before the first reading.
    ///
    /// # Errors
    /// A system that cannot tell of changes.
    pub fn new(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot watch {}", path.display());
        let path = path.canonicalize().with_context(cannot)?;
        let folder = path.parent().unwrap_or(&path).to_owned();
        let (sender, changes) = watch::channel(0);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concerns = |event: notify::Event| !event.kind.is_access() && event.paths.contains(&path);
            if event.is_ok_and(concerns) {
                sender.send_modify(|count| *count += 1);
            }
        })
        .with_context(cannot)?;
        watcher.watch(&folder, RecursiveMode::NonRecursive).with_context(cannot)?;
        Ok(Watched { _watcher: watcher, changes })
    }
}

/// Waits until the file has changed and rests again; for ever if none is
/// watched.
async fn changed(watched: &mut Option<Watched>) {
    let Some(Watched { changes, .. }) = watched else { return std::future::pending().await };
    if changes.changed().await.is_err() {
        return std::future::pending().await;
    }
    while let Ok(Ok(())) = timeout(SETTLE, changes.changed()).await {}
}
