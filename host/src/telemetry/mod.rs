//! What the host says about itself: the log's form, ids of requests, the
//! access log, metrics and traces. [`Telemetry`] is what an exchange meets of
//! it, at its begin and at its end.

pub mod logs;
pub mod request_id;
pub mod ended;
pub mod access;
pub mod metrics;
pub mod trace;

use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::config::TelemetryConfig;
use crate::error::Fault;
use crate::telemetry::access::AccessLogger;
use crate::telemetry::ended::EndedExchange;
use crate::telemetry::metrics::{Metrics, Refusal};
use crate::telemetry::request_id::RequestId;
use crate::telemetry::trace::{Trace, TraceContext, Traces};
use crate::wire::error::ClientFault;
use crate::wire::exchange::Exchange;
use crate::wire::http1::head::Overlay;
use crate::wire::socket::Socket;

/// All that is said of exchanges.
pub struct Telemetry {
    metrics: Arc<Metrics>,
    access: AccessLogger,
    request_id_header: Option<Arc<str>>,
    traces: Option<Traces>,
}

/// What was found out about an exchange at its begin.
pub struct Begun {
    trace: Option<Trace>,
}

impl Telemetry {
    /// Opens what is asked for.
    ///
    /// # Errors
    /// An access log that cannot be opened, a collector that cannot be used.
    pub fn start(config: &TelemetryConfig) -> Result<Self> {
        let traces = match &config.traces {
            Some(traces) => Some(Traces::start(traces)?),
            None => None,
        };
        Ok(Telemetry {
            metrics: Metrics::new(),
            access: AccessLogger::start(&config.access_log).context("cannot open the access log")?,
            request_id_header: config.request_id_header.as_deref().map(Arc::from),
            traces,
        })
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Opens the access log's file again.
    pub fn reopen(&self) {
        self.access.reopen();
    }

    /// Gives an exchange its id and its place in a trace: the response says
    /// the one, and the guest sees both, through the overlay of its request.
    pub fn begin(&self, exchange: &Exchange) -> (Begun, Overlay) {
        let mut overlay = Overlay::default();
        if let Some(name) = &self.request_id_header {
            let id = RequestId::of(exchange.id()).to_string();
            overlay.set.push((name.as_ref().to_owned(), id.clone().into_bytes()));
            exchange.with_response(|response| response.set_request_id(name.clone(), id));
        }
        let trace = self.traces.as_ref().map(|traces| {
            let trace = TraceContext::continue_or_begin(exchange.head(), traces.sample_ratio());
            trace.lay_over(&mut overlay);
            trace
        });
        (Begun { trace }, overlay)
    }

    /// Says what an exchange came to that is over.
    pub fn ended(&self, exchange: &Exchange, fault: Option<&Fault>, begun: Begun) {
        if let Some(reason) = fault.and_then(refusal_of) {
            self.metrics.refused(exchange.owner().map(|owner| &owner.tenant), reason);
        }
        let trace = begun.trace.filter(|trace| trace.context.sampled);
        if trace.is_none() && !self.access.is_on() {
            return;
        }
        let ended = EndedExchange::new(exchange);
        self.access.log(&ended);
        if let (Some(traces), Some(trace)) = (&self.traces, trace) {
            traces.record(&trace, &ended);
        }
    }

    /// Says that a request was refused that never became an exchange.
    pub fn refused(&self, socket: &Socket, fault: ClientFault, worded: Option<&[u8]>) {
        self.metrics.refused(None, Refusal::Malformed);
        self.access.log_refused(socket, fault, worded);
    }
}

/// What of the faults are refusals, for the metrics.
fn refusal_of(fault: &Fault) -> Option<Refusal> {
    Some(match fault {
        Fault::NoRoute => Refusal::NoRoute,
        Fault::MethodNotAllowed(_) => Refusal::Method,
        Fault::Client(_) => Refusal::Malformed,
        Fault::Overloaded { host: true, .. } => Refusal::HostFull,
        Fault::Overloaded { .. } => Refusal::QueueFull,
        Fault::QueueTimeout(_) => Refusal::QueueTimeout,
        Fault::TenantCpu(_) => Refusal::TenantCpu,
        Fault::TenantMemory => Refusal::TenantMemory,
        Fault::TenantConnections(_) => Refusal::TenantConnections,
        Fault::Tripped(_) => Refusal::Tripped,
        Fault::NoVersion => Refusal::NoVersion,
        Fault::TunnelsFull(_) => Refusal::TunnelsFull,
        Fault::PoolFull => Refusal::PoolFull,
        _ => return None,
    })
}
