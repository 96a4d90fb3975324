//! `innkeeper serve`: flags to a configuration, a runtime, signals, and the
//! report at the end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::keyvalue::KeyValueFlags;
use super::limits::LimitFlags;
use super::outbound::OutboundFlags;
use super::reload::{Again, Watched};
use crate::config::file::{self, LISTEN};
use crate::config::values::Time;
use crate::config::{
    AccessLog, AppConfig, AppSettings, Cache, Config, Grant, Grants, InstancePolicy, Limits, LogFormat, Name,
    Quotas, RouteConfig, TelemetryConfig, TenantConfig,
};
use crate::server::Server;
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

    /// Address to listen on; may be given several times. Port 0 takes a free
    /// one [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,

    /// Environment variable for the guest; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_env)]
    env: Vec<(String, String)>,

    /// A value for the guest to find in `wasi:config`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_config_value)]
    config_value: Vec<(String, String)>,

    /// Grants the guest something beside answering; may be given several
    /// times. `server-control`: to see and control its listening side.
    /// `tcp=HOST:PORT`: to open TCP connections there. `dir=HOST_DIR:/GUEST_DIR`:
    /// to read files in a directory, with `:rw` at its end to change them too.
    #[arg(long, value_name = "GRANT")]
    allow: Vec<Grant>,

    /// The app's name in logs; the file's name without `.wasm` if not given.
    #[arg(long)]
    name: Option<Name>,

    /// Whether each request has a fresh instance, or instances serve several.
    #[arg(long, value_enum, default_value_t = Instances::PerRequest)]
    instances: Instances,

    /// The form of log lines, on standard error [default: text].
    #[arg(long, value_enum)]
    log_format: Option<LogForm>,

    /// Reads the configuration again when the file changes, as SIGHUP has it
    /// done.
    #[arg(long, requires = "config")]
    watch: bool,

    /// Which log lines: a level, or `tracing` directives such as
    /// `info,innkeeper=debug` [default: info].
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,

    /// Whether there is a log line for each exchange.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    access_log: Switch,

    /// Directory for compiled components; `off` compiles at every start. The
    /// user's cache directory if not given.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,

    /// Requests that wait while `instances_max` are in flight; one more is told 503 at once.
    #[arg(long, help_heading = "Guests", value_name = "COUNT", default_value_t = 0)]
    queue_max: u32,

    /// Time that one waits before it is told 503.
    #[arg(long, help_heading = "Guests", value_name = "DURATION", default_value_t = Time(Quotas::within(&Limits::default()).queue_wait_max))]
    queue_wait_max: Time,

    #[command(flatten)]
    outbound: OutboundFlags,

    #[command(flatten)]
    keyvalue: KeyValueFlags,

    #[command(flatten)]
    limits: LimitFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Instances {
    PerRequest,
    Pooled,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogForm {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Serve {
    pub fn run(self) -> Result<ExitCode> {
        let again = match self.config.clone() {
            Some(path) => {
                let watched = self.watch.then(|| Watched::new(&path)).transpose()?;
                Some(Again { path, listen: self.listen.clone(), watched })
            }
            None => None,
        };
        let config = self.config()?;
        let telemetry = &config.telemetry;
        let access_log = telemetry.access_log == AccessLog::Log;
        let _guard = logs::start(telemetry.log_format, &telemetry.log_filter, access_log)
            .with_context(|| format!("cannot log with the filter {:?}", telemetry.log_filter))?;
        raise_descriptor_limit(descriptors(&config));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start the I/O threads")?;
        runtime.block_on(serve(config, again))
    }

    /// What a file says, or the flags.
    fn config(self) -> Result<Config> {
        let (listen, log_filter, log_format) = (self.listen.clone(), self.log.clone(), self.log_format);
        let mut config = match &self.config {
            Some(path) => file::load(path)
                .map_err(|problems| anyhow::anyhow!("{} cannot be served\n{problems}", path.display()))?,
            None => self.config_of_flags()?,
        };
        if !listen.is_empty() {
            config.listen = listen;
        }
        if let Some(filter) = log_filter {
            config.telemetry.log_filter = filter;
        }
        if let Some(form) = log_format {
            config.telemetry.log_format = match form {
                LogForm::Text => LogFormat::Text,
                LogForm::Json => LogFormat::Json,
            };
        }
        Ok(config)
    }

    fn config_of_flags(self) -> Result<Config> {
        let component =
            self.component.context("there is nothing to serve; name a component or a --config")?;
        let limits = self.limits.limits();
        let name = self.name.unwrap_or_else(|| {
            let stem = component.file_stem().unwrap_or_default();
            Name::resembling(&stem.to_string_lossy())
        });
        let grants = Grants::of(self.allow);
        for directory in &grants.directories {
            directory.check().map_err(anyhow::Error::msg)?;
        }
        let (outbound, outbound_of_app) = self.outbound.read()?;
        let keyvalue_bytes_max = self.keyvalue.bytes_max();
        let (keyvalue, buckets) = self.keyvalue.read()?;
        let quotas = Quotas {
            keyvalue_bytes_max,
            queue_max: self.queue_max,
            queue_wait_max: self.queue_wait_max.0,
            ..Quotas::all_of(&limits)
        };
        Ok(Config {
            listen: vec![LISTEN],
            cache: match self.cache {
                None => Cache::Default,
                Some(directory) if directory.as_os_str() == "off" => Cache::Off,
                Some(directory) => Cache::Directory(directory),
            },
            state: None,
            admin: None,
            outbound,
            keyvalue,
            telemetry: TelemetryConfig {
                access_log: if self.access_log == Switch::On { AccessLog::Log } else { AccessLog::Off },
                ..TelemetryConfig::default()
            },
            tenants: BTreeMap::from([(
                name.clone(),
                TenantConfig { quotas: quotas.clone(), hosts: Vec::new() },
            )]),
            default_quotas: quotas,
            apps: vec![AppConfig {
                tenant: name.clone(),
                name,
                component: Some(component),
                routes: vec![RouteConfig::everything()],
                settings: AppSettings {
                    env: self.env,
                    secrets: Vec::new(),
                    config: self.config_value,
                    config_secrets: Vec::new(),
                    keyvalue: buckets,
                    instances: match self.instances {
                        Instances::PerRequest => InstancePolicy::PerRequest,
                        Instances::Pooled => InstancePolicy::Pooled,
                    },
                    grants,
                    outbound: outbound_of_app,
                    limits: Arc::new(limits.clone()),
                },
            }],
            limits,
        })
    }
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

async fn serve(config: Config, again: Option<Again>) -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let server = Server::bind(&config).await?;
    // Before anybody is told that it is there, who may have it read at once.
    let reloading = again.map(|again| again.start(server.steering())).transpose()?;
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

fn parse_env(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

fn parse_config_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
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
