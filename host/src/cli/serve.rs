//! `innkeeper serve`: flags to a configuration, a runtime, signals, and the
//! report at the end.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;

use super::component::ComponentFlags;
use super::reload::{Again, Watched};
use crate::config::file;
use crate::config::{AccessLog, AppConfig, AppSettings, Config};
use crate::server::{Server, Steering};
use crate::telemetry::logs;

/// What is said of a component on the command line is said in the file if
/// there is one. `LimitFlags` is clap's group of all limits.
const OF_A_COMPONENT: [&str; 11] = [
    "component",
    "env",
    "config_value",
    "allow",
    "name",
    "instances",
    "access_log",
    "cache",
    "OutboundFlags",
    "KeyValueFlags",
    "LimitFlags",
];

/// What goes on while the host serves, and may change what it serves; it ends
/// when its handle is dropped.
pub(super) type Beside = Box<dyn FnOnce(Arc<Steering>) -> Result<AbortOnDropHandle<()>>>;

/// Serve a component, or what a configuration names, over HTTP/1.1 until
/// SIGTERM or SIGINT; a second signal cuts what is still in flight.
#[derive(Debug, Args)]
pub struct Serve {
    /// The component's file.
    #[arg(required_unless_present = "config")]
    component: Option<PathBuf>,

    /// A configuration file instead of a component and its flags; of those,
    /// only `--listen`, `--log` and `--log-format` may stand beside it.
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_A_COMPONENT)]
    config: Option<PathBuf>,

    /// Reads the configuration again when the file changes, as SIGHUP has it
    /// done.
    #[arg(long, requires = "config")]
    watch: bool,

    #[command(flatten)]
    flags: ComponentFlags,
}

impl Serve {
    pub fn run(self) -> Result<ExitCode> {
        let beside = match self.config.clone() {
            Some(path) => {
                let watched = self.watch.then(|| Watched::new(&path)).transpose()?;
                let again = Again { path, listen: self.flags.beside_file().listen, watched };
                Some(Box::new(|steering| again.start(steering)) as Beside)
            }
            None => None,
        };
        run(self.config()?, beside)
    }

    /// What a file says, or the flags.
    fn config(self) -> Result<Config> {
        let Some(path) = &self.config else {
            let component =
                self.component.context("there is nothing to serve; name a component or a --config")?;
            return self.flags.config(component);
        };
        let mut config = file::load(path)
            .map_err(|problems| anyhow::anyhow!("{} cannot be served\n{problems}", path.display()))?;
        self.flags.beside_file().apply(&mut config);
        Ok(config)
    }
}

/// Serves until it is told to stop, with a log and a runtime of its own.
///
/// # Errors
/// Whatever keeps the host from serving.
pub(super) fn run(config: Config, beside: Option<Beside>) -> Result<ExitCode> {
    let telemetry = &config.telemetry;
    let access_log = telemetry.access_log == AccessLog::Log;
    let _guard = logs::start(telemetry.log_format, &telemetry.log_filter, access_log)
        .with_context(|| format!("cannot log with the filter {:?}", telemetry.log_filter))?;
    raise_descriptor_limit(descriptors(&config));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the I/O threads")?;
    runtime.block_on(serve(config, beside))
}

/// Descriptors that all limits together may come to.
fn descriptors(config: &Config) -> u64 {
    let of_app = |app: &AppConfig| {
        let AppSettings { grants, outbound, limits, .. } = &app.settings;
        let sockets = if grants.tcp.is_empty() { 0 } else { limits.tcp_sockets_max };
        let requests = if outbound.allowed.is_empty() { 0 } else { limits.outbound_connections_max };
        u64::from(sockets) + u64::from(requests)
    };
    let sockets: u64 = config.apps.iter().map(of_app).sum();
    (config.limits.connections_max as u64).saturating_add(sockets).saturating_add(64)
}

async fn serve(config: Config, beside: Option<Beside>) -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let server = Server::bind(&config).await?;
    // Before anybody is told that it is there, who may have it read at once.
    let reloading = beside.map(|begin| begin(server.steering())).transpose()?;
    for address in server.addresses() {
        // What a script that started us with port 0 waits for.
        println!("listening on http://{address}/");
    }
    if let Some(address) = server.admin_address() {
        println!("administration on {address}");
    }
    for app in &config.apps {
        let component = app.component.as_ref().map(|path| path.display());
        tracing::info!(app = %app.name, component = component.map(tracing::field::display), "serving");
    }
    let signals = tokio::sync::Mutex::new((&mut terminate, &mut interrupt));
    let next = || async {
        let mut signals = signals.lock().await;
        let (terminate, interrupt) = &mut *signals;
        next_signal(terminate, interrupt).await
    };
    let stop = async {
        let name = next().await;
        tracing::info!(target: "drain", signal = name, "draining: no new connections, a second signal cuts");
    };
    let cut = async {
        next().await;
    };
    let report = server.run(stop, cut).await;
    drop(reloading);
    tracing::info!(
        target: "drain",
        finished = report.finished,
        cut = report.cut,
        "stopped: {} exchanges finished, {} cut",
        report.finished,
        report.cut
    );
    Ok(ExitCode::SUCCESS)
}

async fn next_signal(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Takes as many descriptors as the system allows: each connection needs one.
fn raise_descriptor_limit(needed: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    if let Some(current) = getrlimit(Resource::Nofile).current.filter(|current| *current < needed) {
        tracing::warn!(current, needed, "fewer open files are allowed than the limits need; raise ulimit -n");
    }
}
