//! Spans on their way to a collector (OTLP over HTTP), on a thread of their
//! own with a queue of bounded length. A collector that is down costs the
//! spans, and a line in the log now and then.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor as _,
};
use parking_lot::Mutex;

use crate::config::TraceConfig;
use crate::telemetry::ended::EndedExchange;
use crate::telemetry::trace::Trace;
use crate::wire::error::MessageError;

/// Spans that wait for the collector; more are dropped.
const SPANS_MAX: usize = 4 * 1024;

/// How long a span waits for others to go with.
const BATCH_DELAY: Duration = Duration::from_secs(1);

/// How long the collector has to take a batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the last spans hold up the end of the host.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a collector that takes nothing is told of.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Bytes of an attribute: what a client sends is not kept at any length.
const ATTRIBUTE_BYTES_MAX: usize = 1024;

/// The methods that conventions know; others are `_OTHER`.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];

/// Sends the spans of exchanges to a collector. Dropping it sends what waits,
/// within a few seconds.
pub struct Traces {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    /// How many of the requests that come without a trace begin one.
    sample_ratio: f64,
}

impl Traces {
    /// Starts the thread that sends. Whether the collector is there shows
    /// later.
    ///
    /// # Errors
    /// An endpoint that is no `http` address.
    pub fn start(config: &TraceConfig) -> Result<Self> {
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint(&config.endpoint)?)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .with_context(|| format!("cannot send traces to {}", config.endpoint))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(SPANS_MAX)
            .with_scheduled_delay(BATCH_DELAY)
            .build();
        let exporter = Telling { inner: exporter, told: Mutex::new(None) };
        let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        processor.set_resource(&Resource::builder().with_service_name(config.service.clone()).build());
        let scope =
            InstrumentationScope::builder("innkeeper").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Traces { processor, scope, sample_ratio: config.sample_ratio })
    }

    /// How many of the requests that come without a trace begin one: 0 to 1.
    pub fn sample_ratio(&self) -> f64 {
        self.sample_ratio
    }

    /// Records the span of an exchange that is over, if its trace is sampled.
    pub fn record(&self, trace: &Trace, ended: &EndedExchange<'_>) {
        if trace.context.sampled {
            self.processor.on_end(span(trace, ended, self.scope.clone()));
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.processor.shutdown_with_timeout(SHUTDOWN_TIMEOUT) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Where a collector of this address takes spans (OTLP 1, "Default
/// Configuration").
fn endpoint(base: &str) -> Result<String> {
    let url = reqwest::Url::parse(base)
        .with_context(|| format!("the traces endpoint {base:?} is no URL; http://127.0.0.1:4318 is one"))?;
    match url.scheme() {
        "http" if url.has_host() => Ok(format!("{}/v1/traces", base.trim_end_matches('/'))),
        "https" => bail!(
            "the traces endpoint {base:?} needs TLS, which this build has no client for; give the http:// address of a collector nearby"
        ),
        scheme => bail!("the traces endpoint {base:?} is of the scheme {scheme}; give an http:// address"),
    }
}

/// Tells the log when the collector takes nothing, which the exporter's owner
/// does not.
#[derive(Debug)]
struct Telling {
    inner: OtlpExporter,
    told: Mutex<Option<Instant>>,
}

impl SpanExporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.inner.export(batch).await;
        if let Err(error) = &result
            && is_due(&mut self.told.lock(), Instant::now())
        {
            tracing::warn!(%error, "the collector does not take traces, they are lost");
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn is_due(told: &mut Option<Instant>, now: Instant) -> bool {
    let due = told.is_none_or(|at| now.duration_since(at) >= TELL_EVERY);
    if due {
        *told = Some(now);
    }
    due
}

/// The host's span of an exchange, by OpenTelemetry's conventions for HTTP
/// servers.
fn span(trace: &Trace, ended: &EndedExchange<'_>, scope: InstrumentationScope) -> SpanData {
    let flags = if trace.context.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let state = trace.state.clone().unwrap_or_default();
    let known = METHODS.contains(&ended.method);
    let failed = ended.status >= 500 || ended.failure.is_some();
    SpanData {
        span_context: SpanContext::new(trace.context.trace_id, trace.context.span_id, flags, false, state),
        parent_span_id: trace.parent.unwrap_or(SpanId::INVALID),
        parent_span_is_remote: trace.parent.is_some(),
        span_kind: SpanKind::Server,
        // A name is to have few values: no path.
        name: if known { ended.method.to_owned().into() } else { "HTTP".into() },
        start_time: ended.began(),
        end_time: ended.at,
        attributes: attributes(ended, known),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: if failed {
            let failure = ended.failure.as_ref().map(ToString::to_string);
            Status::Error { description: failure.unwrap_or_default().into() }
        } else {
            Status::Unset
        },
        instrumentation_scope: scope,
    }
}

fn attributes(ended: &EndedExchange<'_>, known_method: bool) -> Vec<KeyValue> {
    let (path, query) = path_and_query(ended.url);
    let host = ended.host.map(String::from_utf8_lossy).unwrap_or_default();
    let (server, port) = name_and_port(&host);
    let texts = [
        ("http.request.method", Some(if known_method { ended.method } else { "_OTHER" })),
        ("http.request.method_original", (!known_method).then_some(ended.method)),
        ("url.scheme", Some("http")),
        ("url.path", path),
        ("url.query", query),
        ("network.protocol.version", Some(ended.http_version)),
        ("innkeeper.tenant", ended.tenant),
        ("innkeeper.app", ended.app),
        ("innkeeper.version", ended.app_version),
    ];
    let mut attributes: Vec<_> =
        texts.into_iter().filter_map(|(key, text)| Some(KeyValue::new(key, bounded(text?.into())))).collect();
    let server = if server.is_empty() { ended.local.ip().to_string() } else { bounded(server.into()) };
    attributes.push(KeyValue::new("server.address", server));
    attributes.push(KeyValue::new("server.port", i64::from(port.unwrap_or(ended.local.port()))));
    attributes.push(KeyValue::new("client.address", ended.peer.ip().to_string()));
    attributes.push(KeyValue::new("client.port", i64::from(ended.peer.port())));
    attributes.push(KeyValue::new("http.response.status_code", i64::from(ended.status)));
    if let Some(agent) = ended.user_agent {
        attributes.push(KeyValue::new("user_agent.original", bounded(String::from_utf8_lossy(agent))));
    }
    if let Some(error) = error_type(ended) {
        attributes.push(KeyValue::new("error.type", error));
    }
    attributes.push(KeyValue::new("innkeeper.guest.cpu_ms", ended.cpu.as_micros() as f64 / 1e3));
    let exchange = i64::try_from(ended.exchange).unwrap_or(i64::MAX);
    attributes.push(KeyValue::new("innkeeper.exchange", exchange));
    attributes.push(KeyValue::new("innkeeper.request_id", ended.request_id().to_string()));
    attributes
}

/// What went wrong, in one of few words.
fn error_type(ended: &EndedExchange<'_>) -> Option<Cow<'static, str>> {
    let word = match &ended.failure {
        None if ended.status >= 500 => return Some(ended.status.to_string().into()),
        None => return None,
        Some(MessageError::ConnectionReset) => "connection-reset",
        Some(MessageError::Timeout(_)) => "timeout",
        Some(MessageError::LimitExceeded(_)) => "limit-exceeded",
        Some(MessageError::Destroyed) => "destroyed",
        Some(MessageError::ContentLengthMismatch { .. }) => "content-length-mismatch",
        Some(MessageError::ServerClosing | MessageError::ServerNotRunning) => "server-closing",
        Some(_) => "_OTHER",
    };
    Some(word.into())
}

/// The parts of a request target (RFC 9112 3.2); an authority has none.
fn path_and_query(url: &str) -> (Option<&str>, Option<&str>) {
    let path = match url.split_once("://") {
        _ if url.starts_with('/') => Some(url),
        Some((_, rest)) => Some(rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")),
        None => None,
    };
    let Some(path) = path.and_then(|path| path.split('#').next()) else { return (None, None) };
    match path.split_once('?') {
        Some((path, query)) => (Some(path), Some(query)),
        None => (Some(path), None),
    }
}

/// The parts of a `Host`, whose IPv6 addresses are in brackets.
fn name_and_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port.parse().ok()),
        _ => (host, None),
    }
}

fn bounded(text: Cow<'_, str>) -> String {
    let end = text.floor_char_boundary(ATTRIBUTE_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
