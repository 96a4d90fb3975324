//! The requests that an instance makes of others: whether it may, how many, and
//! that all of them go on whenever the guest waits, whatever it waits for.

use std::sync::Arc;
use std::task::Context;

use parking_lot::Mutex;

use crate::guest::instance::HostState;
use crate::outbound::client::Client;
use crate::outbound::error::{Denial, OutboundError};
use crate::outbound::request::{Cause, ClientRequest, WeakRequest};
use crate::wire::exchange::Exchange;
use crate::wire::http1::fields::Line;

/// Headers of a request that say where it stands in a trace (W3C Trace
/// Context).
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// The requests of one instance. Clones are the same.
#[derive(Clone, Default)]
pub struct Outgoing(Arc<Mutex<Requests>>);

#[derive(Default)]
struct Requests {
    /// Those that may still be under way and are driven here.
    under_way: Vec<WeakRequest>,
    /// Those of `wasi:http`, which drive themselves.
    apart: Vec<WeakRequest>,
    /// How many were made for the exchange under way.
    made: u64,
    cause: Cause,
}

impl Outgoing {
    /// Begins anew, for an exchange or for none. Who may ask nobody passes no
    /// trace on.
    pub fn begin(&self, exchange: Option<&Exchange>, client: &Client) {
        let mut requests = self.0.lock();
        requests.made = 0;
        requests.under_way.clear();
        // A pooled instance may have kept one.
        requests
            .apart
            .drain(..)
            .filter_map(|request| request.upgrade())
            .for_each(|request| request.destroy());
        let Some(exchange) = exchange else {
            requests.cause = Cause::default();
            return;
        };
        let trace = if client.is_granted() { trace_of(exchange) } else { Vec::new() };
        requests.cause = Cause { exchange: exchange.id(), trace };
    }

    /// Goes on with another exchange beside those that an instance has. It
    /// brings as many requests as one has, for nobody can tell whose they are;
    /// for that reason they pass no trace on.
    pub fn begin_shared(&self, exchange: u64) {
        let mut requests = self.0.lock();
        requests.made = 0;
        requests.cause = Cause { exchange, trace: Vec::new() };
    }

    /// Counts one more for the exchange, and says what it is made for.
    ///
    /// # Errors
    /// `Denied` if nothing outbound was granted, `Limit` if it is one too many.
    /// Both are logged and counted.
    pub(super) fn admit(&self, client: &Client) -> Result<Cause, OutboundError> {
        let mut requests = self.0.lock();
        let error = if !client.is_granted() {
            nothing_granted()
        } else if requests.made >= client.limits().outbound_requests_max {
            OutboundError::Limit("outbound_requests_max")
        } else {
            requests.made += 1;
            return Ok(requests.cause.clone());
        };
        client.tally().note_failure(&error);
        client.note_refusal(requests.cause.exchange, &error);
        Err(error)
    }

    /// Has a request end with the exchange, if not before.
    pub(super) fn end_with_exchange(&self, request: &ClientRequest) {
        let mut requests = self.0.lock();
        requests.apart.retain(|other| other.upgrade().is_some());
        requests.apart.push(request.downgrade());
    }

    /// Goes on with all of them as far as they go.
    pub fn poll(&self, cx: &mut Context<'_>) {
        let mut requests = self.0.lock();
        if requests.under_way.is_empty() {
            return;
        }
        requests.under_way.retain(|request| match request.upgrade() {
            Some(request) => {
                request.poll_drive(cx);
                !request.is_over()
            }
            None => false,
        });
    }
}

/// Where an exchange stands in a trace.
fn trace_of(exchange: &Exchange) -> Vec<Line> {
    let head = exchange.head();
    let lines = |name: &'static str| head.values(name).map(move |value| (name.to_owned(), value.to_vec()));
    TRACE_HEADERS.into_iter().flat_map(lines).collect()
}

fn nothing_granted() -> OutboundError {
    OutboundError::Denied(Denial {
        told: "requests to others; the operator grants them with outbound".to_owned(),
        cause: "no origin is allowed; add one to outbound".to_owned(),
    })
}

impl HostState {
    /// The app's outbound side.
    ///
    /// # Errors
    /// `Denied` if nothing outbound was granted, which is logged.
    pub(super) fn client(&self) -> Result<&Arc<Client>, OutboundError> {
        let client = self.outbound();
        if client.is_granted() {
            return Ok(client);
        }
        let error = nothing_granted();
        client.note_refusal(self.exchange(), &error);
        Err(error)
    }

    /// Has a request go on with the others.
    pub(super) fn remember(&self, request: &ClientRequest) {
        self.outgoing().0.lock().under_way.push(request.downgrade());
    }
}
