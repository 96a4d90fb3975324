//! Flags that say how a component is served: a configuration of one app.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::keyvalue::KeyValueFlags;
use super::limits::LimitFlags;
use super::outbound::OutboundFlags;
use crate::config::file::LISTEN;
use crate::config::values::Time;
use crate::config::{
    AccessLog, AppConfig, AppSettings, Cache, Config, Grant, Grants, InstancePolicy, Limits, LogFormat, Name,
    Quotas, RouteConfig, TelemetryConfig, TenantConfig,
};

/// How a component is served.
#[derive(Debug, Args)]
pub struct ComponentFlags {
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

/// What may be said on the command line beside a configuration file.
pub struct BesideFile {
    /// Where to listen instead.
    pub listen: Vec<SocketAddr>,
    log_filter: Option<String>,
    log_format: Option<LogForm>,
}

impl ComponentFlags {
    /// A host that serves nothing but this component.
    ///
    /// # Errors
    /// Flags that do not go together, and a granted directory that is not there.
    pub fn config(self, component: PathBuf) -> Result<Config> {
        let beside_file = self.beside_file();
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
        let mut config = Config {
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
            development: false,
        };
        beside_file.apply(&mut config);
        Ok(config)
    }

    /// What of it may stand beside a file.
    pub fn beside_file(&self) -> BesideFile {
        BesideFile { listen: self.listen.clone(), log_filter: self.log.clone(), log_format: self.log_format }
    }
}

impl BesideFile {
    /// Takes the place of what a configuration says.
    pub fn apply(self, config: &mut Config) {
        if !self.listen.is_empty() {
            config.listen = self.listen;
        }
        if let Some(filter) = self.log_filter {
            config.telemetry.log_filter = filter;
        }
        if let Some(form) = self.log_format {
            config.telemetry.log_format = match form {
                LogForm::Text => LogFormat::Text,
                LogForm::Json => LogFormat::Json,
            };
        }
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
