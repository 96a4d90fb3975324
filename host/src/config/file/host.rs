//! The tables of a file that are about the host: where it listens and keeps
//! things, what it says of itself, its limits and its tenants' quotas.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::problems::Report;
use super::{raw, raw_limits};
use crate::config::{
    AccessLog, AccessLogFormat, AdminAddress, AdminConfig, Cache, Limits, LogFormat, Name, Quotas,
    TelemetryConfig, TenantConfig, TraceConfig,
};

/// Where a host listens if nothing is said.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// Where it is administered if nothing is said.
const ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);

const REQUEST_ID_HEADER: &str = "X-Request-Id";

pub(super) fn listen(raw: Option<&[String]>, report: &mut Report) -> Vec<SocketAddr> {
    let Some(raw) = raw else { return vec![LISTEN] };
    if raw.is_empty() {
        report
            .add("listen", "there is no address; add one, such as \"127.0.0.1:8080\", or leave the key out");
    }
    let mut addresses = Vec::with_capacity(raw.len());
    for (index, text) in raw.iter().enumerate() {
        let key = format!("listen[{index}]");
        let Some(address) = report.take(&key, tcp_address(text)) else { continue };
        if address.port() != 0 && addresses.contains(&address) {
            report.add(&key, format!("{address} is listed twice; remove one"));
        }
        addresses.push(address);
    }
    addresses
}

fn tcp_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is no address; write an IP address and a port, as in \"127.0.0.1:8080\" or \"[::]:8080\"")
    })
}

pub(super) fn state(raw: Option<&Path>, folder: &Path, report: &mut Report) -> Option<PathBuf> {
    let state = absolute(folder.join(raw?));
    check_directory("state", &state, report);
    Some(state)
}

/// The cache takes no relative path, and the rest does not change with the
/// folder of the process either.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// A directory that is made if it is not there.
fn check_directory(key: &str, path: &Path, report: &mut Report) {
    if path.exists() && !path.is_dir() {
        report.add(key, format!("{} is no directory; give the path of one", path.display()));
    }
}

pub(super) fn cache(raw: Option<&str>, state: Option<&Path>, folder: &Path, report: &mut Report) -> Cache {
    match (raw, state) {
        (None | Some("default"), None) => Cache::Default,
        (None | Some("default"), Some(state)) => Cache::Directory(state.join("cache")),
        (Some("off"), _) => Cache::Off,
        (Some(""), _) => {
            report.add("cache", "the path is empty; write \"default\", \"off\" or a directory");
            Cache::Off
        }
        (Some(directory), _) => {
            let directory = absolute(folder.join(directory));
            check_directory("cache", &directory, report);
            Cache::Directory(directory)
        }
    }
}

pub(super) fn admin(
    raw: Option<&raw::Admin>,
    state: Option<&Path>,
    folder: &Path,
    report: &mut Report,
) -> Option<AdminConfig> {
    let raw = raw?;
    if state.is_none() {
        report.add("admin", "the administration needs a state directory; set state at the top of the file");
    }
    let listen = match raw.listen.as_deref() {
        None => Some(AdminAddress::Tcp(ADMIN_LISTEN)),
        Some(text) => report.take("admin.listen", admin_address(text)),
    };
    let token_file = match &raw.token_file {
        Some(file) => folder.join(file),
        None => state?.join("admin-token"),
    };
    Some(AdminConfig { listen: listen?, token_file })
}

fn admin_address(text: &str) -> Result<AdminAddress, String> {
    match text.strip_prefix("unix:") {
        Some(path) if path.starts_with('/') => Ok(AdminAddress::Unix(path.into())),
        Some(path) => Err(format!("{path:?} is no absolute path; write it as \"unix:/run/innkeeper.sock\"")),
        None => tcp_address(text).map(AdminAddress::Tcp),
    }
}

pub(super) fn telemetry(
    log: Option<&raw::Log>,
    telemetry: Option<&raw::Telemetry>,
    folder: &Path,
    report: &mut Report,
) -> TelemetryConfig {
    let default = TelemetryConfig::default();
    let log_filter = log.and_then(|log| log.filter.clone()).unwrap_or(default.log_filter);
    if let Err(error) = EnvFilter::try_new(&log_filter) {
        report.add("log.filter", format!("{log_filter:?} is no filter: {error}; write a level such as info"));
    }
    TelemetryConfig {
        log_format: match log.and_then(|log| log.format) {
            None | Some(raw::Format::Text) => LogFormat::Text,
            Some(raw::Format::Json) => LogFormat::Json,
        },
        log_filter,
        access_log: access_log(log, folder, report),
        request_id_header: request_id_header(telemetry, report),
        traces: traces(telemetry, report),
    }
}

fn access_log(log: Option<&raw::Log>, folder: &Path, report: &mut Report) -> AccessLog {
    let access = log.and_then(|log| log.access).unwrap_or(raw::Access::Log);
    let file = log.and_then(|log| log.access_file.as_ref()).map(|file| folder.join(file));
    let is_apart = matches!(access, raw::Access::Combined | raw::Access::Json);
    if file.is_some() && !is_apart {
        report.add("log.access_file", "nothing is written there; set access to \"combined\" or \"json\"");
    }
    if let Some(parent) = file.as_deref().and_then(Path::parent)
        && !parent.as_os_str().is_empty()
        && !parent.is_dir()
    {
        report.add("log.access_file", format!("there is no directory {}; make it", parent.display()));
    }
    match access {
        raw::Access::Off => AccessLog::Off,
        raw::Access::Log => AccessLog::Log,
        raw::Access::Combined => AccessLog::File(AccessLogFormat::Combined, file),
        raw::Access::Json => AccessLog::File(AccessLogFormat::Json, file),
    }
}

fn request_id_header(raw: Option<&raw::Telemetry>, report: &mut Report) -> Option<String> {
    let name = raw.and_then(|raw| raw.request_id_header.as_deref()).unwrap_or(REQUEST_ID_HEADER);
    // RFC 9110, 5.6.2.
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        let message = format!("{name:?} is no name of a header; write {REQUEST_ID_HEADER:?} or \"off\"");
        report.add("telemetry.request_id_header", message);
    }
    (name != "off").then(|| name.to_owned())
}

fn traces(raw: Option<&raw::Telemetry>, report: &mut Report) -> Option<TraceConfig> {
    let raw = raw?;
    let sample_ratio = raw.trace_sample_ratio.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&sample_ratio) {
        report.add("telemetry.trace_sample_ratio", format!("{sample_ratio} is no share; write 0.0 to 1.0"));
    }
    let Some(endpoint) = &raw.otlp_endpoint else {
        let others = [
            ("service_name", raw.service_name.is_some()),
            ("trace_sample_ratio", raw.trace_sample_ratio.is_some()),
        ];
        for (key, _) in others.into_iter().filter(|(_, is_set)| *is_set) {
            report.add(
                &format!("telemetry.{key}"),
                "there are no traces; set otlp_endpoint, or leave the key out",
            );
        }
        return None;
    };
    let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', ':'])) {
        let message = format!("{endpoint:?} is no URL of a collector; write it as \"http://127.0.0.1:4318\"");
        report.add("telemetry.otlp_endpoint", message);
    }
    let service = raw.service_name.clone().unwrap_or_else(|| "innkeeper".to_owned());
    Some(TraceConfig { endpoint: endpoint.clone(), service, sample_ratio })
}

/// The host's limits. A default that another limit makes impossible gives way
/// to that; two that were both written do not.
pub(super) fn limits(raw: Option<&raw_limits::Limits>, report: &mut Report) -> Limits {
    let mut limits = Limits::default();
    let Some(raw) = raw else { return limits };
    raw.apply(&mut limits);
    let mut at_most = |small: &str, is_more: bool, is_set: bool, large: &str| {
        if is_more && is_set {
            report.add(
                &format!("limits.{small}"),
                format!("it is more than limits.{large}; lower it, or raise that"),
            );
        }
        is_more && !is_set
    };
    let is_longer = |one: Option<Duration>, other: Option<Duration>| {
        other.is_some_and(|other| one.is_some_and(|one| one > other))
    };
    let is_more = is_longer(limits.head_timeout, limits.request_timeout);
    if at_most("head_timeout", is_more, raw.head_timeout.is_some(), "request_timeout") {
        limits.head_timeout = limits.request_timeout;
    }
    let is_more = limits.connections_per_peer_max > limits.connections_max;
    if at_most("connections_per_peer_max", is_more, raw.connections_per_peer_max.is_some(), "connections_max")
    {
        limits.connections_per_peer_max = limits.connections_max;
    }
    let is_more = limits.tunnels_max > limits.instances_max;
    if at_most("tunnels_max", is_more, raw.tunnels_max.is_some(), "instances_max") {
        limits.tunnels_max = limits.instances_max;
    }
    let is_more = is_longer(limits.keep_alive_timeout, limits.idle_timeout);
    if at_most("keep_alive_timeout", is_more, raw.keep_alive_timeout.is_some(), "idle_timeout") {
        limits.keep_alive_timeout = limits.idle_timeout;
    }
    app_limits(&raw.common(), "limits", &mut limits, report);
    for (name, is_zero) in [
        ("connections_max", limits.connections_max == 0),
        ("connections_per_peer_max", limits.connections_per_peer_max == 0 && limits.connections_max > 0),
        ("head_bytes_max", limits.head_bytes_max == 0),
        ("header_count_max", limits.header_count_max == 0),
        ("instances_max", limits.instances_max == 0),
    ] {
        not_zero(&format!("limits.{name}"), is_zero, report);
    }
    limits
}

/// What the limits of apps must be, whether they are the host's or an app's
/// own. They are applied already.
pub(super) fn app_limits(raw: &raw_limits::AppLimits, table: &str, limits: &mut Limits, report: &mut Report) {
    for (name, is_zero) in [
        ("response_head_bytes_max", limits.response_head_bytes_max == 0),
        ("response_buffer_bytes_max", limits.response_buffer_bytes_max == 0),
        ("memory_bytes_max", limits.memory_bytes_max == 0),
        ("table_elements_max", limits.table_elements_max == 0),
        ("requests_per_instance_max", limits.requests_per_instance_max == 0),
        ("concurrent_requests_per_instance_max", limits.concurrent_requests_per_instance_max == 0),
        ("handles_max", limits.handles_max == 0),
        ("outbound_connections_max", limits.outbound_connections_max == 0),
        ("outbound_requests_max", limits.outbound_requests_max == 0),
        ("outbound_head_bytes_max", limits.outbound_head_bytes_max == 0),
        ("outbound_header_count_max", limits.outbound_header_count_max == 0),
        ("outbound_buffer_bytes_max", limits.outbound_buffer_bytes_max == 0),
        ("keyvalue_key_bytes_max", limits.keyvalue_key_bytes_max == 0),
        ("keyvalue_keys_max", limits.keyvalue_keys_max == 0),
        ("crash_backoff", limits.crash_backoff.is_zero()),
    ] {
        not_zero(&format!("{table}.{name}"), is_zero, report);
    }
    if limits.crash_backoff > limits.crash_backoff_max {
        if raw.crash_backoff_max.is_some() {
            report.add(&format!("{table}.crash_backoff_max"), "it is less than crash_backoff; raise it");
        }
        limits.crash_backoff_max = limits.crash_backoff;
    }
    if limits.tcp_sockets_per_instance_max > limits.tcp_sockets_max {
        if raw.tcp_sockets_per_instance_max.is_some() {
            let message = "it is more than tcp_sockets_max; lower it, or raise that";
            report.add(&format!("{table}.tcp_sockets_per_instance_max"), message);
        }
        limits.tcp_sockets_per_instance_max = limits.tcp_sockets_max;
    }
}

fn not_zero(key: &str, is_zero: bool, report: &mut Report) {
    if is_zero {
        report.add(key, "0 would let nothing through; raise it");
    }
}

pub(super) fn default_quotas(raw: Option<&raw::Defaults>, limits: &Limits, report: &mut Report) -> Quotas {
    let mut quotas = Quotas::within(limits);
    if let Some(raw) = raw.and_then(|raw| raw.quotas.as_ref()) {
        raw.apply(&mut quotas);
    }
    check_quotas("defaults.quotas", &quotas, limits, report);
    quotas
}

pub(super) fn tenants(
    raw: Option<&BTreeMap<String, raw_limits::Tenant>>,
    default_quotas: &Quotas,
    limits: &Limits,
    report: &mut Report,
) -> BTreeMap<Name, TenantConfig> {
    let mut tenants = BTreeMap::new();
    for (name, raw) in raw.into_iter().flatten() {
        let key = format!("tenant.{name}");
        let mut quotas = default_quotas.clone();
        let own = raw.common();
        own.apply(&mut quotas);
        if own != raw_limits::Quotas::default() {
            check_quotas(&key, &quotas, limits, report);
        }
        let mut hosts = Vec::new();
        for (index, host) in raw.hosts.iter().flatten().enumerate() {
            hosts.extend(report.take(&format!("{key}.hosts[{index}]"), host.parse()));
        }
        if let Some(name) = report.take(&key, name.parse()) {
            tenants.insert(name, TenantConfig { quotas, hosts });
        }
    }
    tenants
}

fn check_quotas(table: &str, quotas: &Quotas, limits: &Limits, report: &mut Report) {
    for (name, is_zero) in [
        ("exchanges_max", quotas.exchanges_max == 0 && limits.instances_max > 0),
        ("memory_bytes_max", quotas.memory_bytes_max == 0),
        ("connections_max", quotas.connections_max == 0 && limits.connections_max > 0),
        ("cpu_burst", quotas.cpu_per_second.is_some() && quotas.cpu_burst.is_zero()),
    ] {
        not_zero(&format!("{table}.{name}"), is_zero, report);
    }
    if quotas.exchanges_max > limits.instances_max {
        let (exchanges, instances) = (quotas.exchanges_max, limits.instances_max);
        let message =
            format!("{exchanges} is more than limits.instances_max, {instances}; lower it, or raise that");
        report.add(&format!("{table}.exchanges_max"), message);
    }
}
