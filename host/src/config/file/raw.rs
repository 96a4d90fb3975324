//! A configuration file as it is written: what its tables and keys are called,
//! of which type they are and what they mean. The schema for editors
//! ([`super::schema`]) and the reference are made of this file, so that its
//! comments are what an operator reads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw_limits::{AppLimits, Limits, Quotas, Tenant, tables};

/// The configuration of Innkeeper: `innkeeper serve --config FILE`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Configuration")]
pub struct Raw {
    /// Addresses to listen on, each `HOST:PORT` with an IP address; port 0 takes a free one.
    #[schemars(extend("default" = ["127.0.0.1:8080"]))]
    pub listen: Option<Vec<String>>,
    /// The state directory: deployed components, and what is known of them. Needed for `[admin]`, and for apps without `component`. Default: none, and nothing can be deployed.
    pub state: Option<PathBuf>,
    /// Where compiled components are kept: `"default"`, `"off"` or a directory. The default is the folder `cache` of the state directory if there is one, else the user's cache directory.
    #[schemars(extend("default" = "default"))]
    pub cache: Option<String>,
    /// What connections, messages and guests may cost. A limit of apps holds for each app that does not set it itself.
    pub limits: Option<Limits>,
    /// The administration's own listener. Default: none.
    pub admin: Option<Admin>,
    /// What requests of guests to other servers need of the host.
    pub outbound: Option<Outbound>,
    /// Where guests keep keys and values (`wasi:keyvalue`).
    pub keyvalue: Option<KeyValue>,
    /// The log.
    pub log: Option<Log>,
    /// What the host says of single requests.
    pub telemetry: Option<Telemetry>,
    /// What holds if nothing else is said.
    pub defaults: Option<Defaults>,
    /// Tenants by name. One that only apps name has the quotas of `[defaults.quotas]`.
    pub tenant: Option<BTreeMap<String, Tenant>>,
    /// The apps.
    pub app: Option<Vec<App>>,
}

/// Where the host is administered. Needs `state`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Its address: `IP:PORT`, or `unix:/path/of/a.sock`.
    #[schemars(extend("default" = "127.0.0.1:9090"))]
    pub listen: Option<String>,
    /// The file with the operator's token, made at the first start, readable by its owner only. Default: `admin-token` in the state directory.
    pub token_file: Option<PathBuf>,
}

/// What requests of guests to other servers need of the host. Where an app may go is in its own table.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    /// Who is asked for the addresses of names: `IP:PORT`, or an IP address for port 53. Default: those of the system's configuration.
    pub nameservers: Option<Vec<String>>,
    /// A file with the certificates (PEM) that other servers are judged by. Default: those of the system.
    pub roots: Option<PathBuf>,
}

/// Where guests keep keys and values. Which buckets an app may open is in its own table.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyValue {
    /// `"state"`: in the state directory. `"memory"`: in the host's memory, and gone with it. `"redis://HOST:PORT/DATABASE"`, with `USER@` before the host if it is not the default user: in a Redis, which several hosts may share. Default: `"state"` with a state directory, else `"memory"`.
    pub backend: Option<String>,
    /// The password of the Redis user, read from the host's environment or from a file when the configuration is loaded, and never shown. Default: none.
    pub password: Option<SecretSource>,
}

/// The log, on standard error.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The form of its lines: for people, or one JSON object a line.
    #[schemars(extend("default" = "text"))]
    pub format: Option<Format>,
    /// Which lines: a level, or `tracing` directives such as `info,innkeeper=debug`.
    #[schemars(extend("default" = "info"))]
    pub filter: Option<String>,
    /// The line for each exchange: none, one in the log, or one of its own in Apache's combined form or as JSON.
    #[schemars(extend("default" = "log"))]
    pub access: Option<Access>,
    /// The file for lines of their own, with `access = "combined"` or `"json"`. Default: standard output.
    pub access_file: Option<PathBuf>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Format {
    Text,
    Json,
}

/// Where the line for each exchange goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Access {
    Off,
    Log,
    Combined,
    Json,
}

/// What the host says of single requests.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// The response header with the request's id, or `"off"`.
    #[schemars(extend("default" = "X-Request-Id"))]
    pub request_id_header: Option<String>,
    /// Where traces go: an OTLP collector over HTTP, such as `http://127.0.0.1:4318`. Default: none, and there are no traces.
    pub otlp_endpoint: Option<String>,
    /// The `service.name` of traces. Needs `otlp_endpoint`.
    #[schemars(extend("default" = "innkeeper"))]
    pub service_name: Option<String>,
    /// How many of the requests that come without a trace begin one, from 0.0 to 1.0. Needs `otlp_endpoint`.
    #[schemars(extend("default" = 1.0), range(min = 0.0, max = 1.0))]
    pub trace_sample_ratio: Option<f64>,
}

/// What holds if nothing else is said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The quotas of tenants that say nothing else.
    pub quotas: Option<Quotas>,
}

tables! {
    /// An app as the administration is told it: one whose component is deployed.
    AppSpec {
        /// Its name: 1 to 63 of `A-Z a-z 0-9 - _ .`, the first a letter or a digit; unique in the host. Required.
        name: String,
        /// The tenant that owns it. Default: the app's own name.
        tenant: String,
        /// The requests that it is for. Default: all, if it is the only app of the file.
        routes: Vec<Route>,
        /// Whether each request has a fresh instance (`"per-request"`), or instances serve several, one after the other or, with WASI 0.3, at the same time (`"pooled"`).
        #[schemars(extend("default" = "per-request"))]
        instances: Instances,
        /// Environment variables.
        env: BTreeMap<String, String>,
        /// Environment variables whose values are read from the host's environment or from a file when the configuration is loaded, and never shown.
        secrets: BTreeMap<String, SecretSource>,
        /// What it finds in `wasi:config`, by key.
        config: BTreeMap<String, String>,
        /// What else it finds there; each value is read from the host's environment or from a file when the configuration is loaded, and never shown.
        config_secrets: BTreeMap<String, SecretSource>,
        /// The buckets of keys and values that it may open (`wasi:keyvalue`), such as `"default"`. A bucket is the app's own, or one that all apps of the tenant share that name it so: `"sessions:shared"`. Default: none.
        keyvalue: Vec<String>,
        /// What it may do beside answering: `"server-control"`, `"tcp=HOST:PORT"`, `"dir=/host/dir:/guest/dir"`, the last with `:rw` at its end if it may change files. Default: nothing.
        allow: Vec<String>,
        /// The servers that it may send requests to: origins such as `"https://api.example"`, `"http://*.internal:8080"`, `"https://*:*"`, `"http://10.0.0.0/8:*"`. A name may lead to public addresses; an address or a network alone, such as `"10.0.0.0/8"`, allows names to lead there too. Default: none.
        outbound: Vec<String>,
        /// How it meets servers that speak TLS.
        outbound_tls: OutboundTls,
        /// Its own limits.
        limits: AppLimits,
    }

    /// An app: a component, what it is for and how to run it.
    App {
        /// The component's file, relative to the folder of this file. Default: none; its versions are deployed, which needs `state`.
        component: PathBuf,
    }
}

/// Which requests an app is for. Of several routes that fit a request, the most specific has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The hosts: one (`"shop.example"`), all below one (`"*.shop.example"`), or those that no other route names (`"*"`).
    #[schemars(extend("default" = "*"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The paths: one (`"/about"`), or one and all below it (`"/api/*"`).
    #[schemars(extend("default" = "/*"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The methods. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<String>>,
    /// Whether the guest sees the path without the prefix.
    #[schemars(extend("default" = false))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strip_prefix: Option<bool>,
}

/// How instances come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Instances {
    /// Each request has a fresh one.
    PerRequest,
    /// They serve several requests, one after the other; of WASI 0.3 some at the same time.
    Pooled,
}

/// How an app meets servers that speak TLS. The files are read when the configuration is loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutboundTls {
    /// A file with the certificates (PEM) that servers are judged by. Default: `roots` of `[outbound]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// A file with the app's own certificate (PEM) and those that lead to its root, for servers that ask for one. Needs `key`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The file with its private key (PEM). Needs `certificate`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// Where the value of a secret is; exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSource {
    /// In this environment variable of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// In this file, without one newline at its end; relative to the folder of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}
