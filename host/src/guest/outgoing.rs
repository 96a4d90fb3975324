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

/// Headers of a request that say where it stands in a trace (W3C Trace
/// Context).
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// The requests of one instance. Clones are the same.
#[derive(Clone, Default)]
pub struct Outgoing(Arc<Mutex<Requests>>);

#[derive(Default)]
struct Requests {
    /// Those that may still be under way.
    under_way: Vec<WeakRequest>,
    /// How many were made for the exchange under way.
    made: u64,
    cause: Cause,
}

impl Outgoing {
    /// Begins anew, for an exchange or for none.
    pub fn begin(&self, exchange: Option<&Exchange>) {
        let mut requests = self.0.lock();
        requests.made = 0;
        requests.under_way.clear();
        requests.cause = Cause::default();
        if let Some(exchange) = exchange {
            let head = exchange.head();
            let trace = TRACE_HEADERS.iter().flat_map(|name| {
                head.values(name).map(|value| ((*name).to_owned(), value.to_vec())).collect::<Vec<_>>()
            });
            requests.cause = Cause { exchange: exchange.id(), trace: trace.collect() };
        }
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
        let error = OutboundError::Denied(Denial {
            told: "requests to others; the operator grants them with outbound".to_owned(),
            cause: "no origin is allowed; add one to outbound".to_owned(),
        });
        client.note_refusal(self.exchange(), &error);
        Err(error)
    }

    /// What its requests are made for.
    pub(super) fn cause(&self) -> Cause {
        self.outgoing().0.lock().cause.clone()
    }

    /// Counts one more for the exchange.
    ///
    /// # Errors
    /// `Limit` if that is one too many, which is logged.
    pub(super) fn count_request(&self) -> Result<(), OutboundError> {
        let mut requests = self.outgoing().0.lock();
        if requests.made >= self.limits().outbound_requests_max {
            let error = OutboundError::Limit("outbound_requests_max");
            self.outbound().note_refusal(requests.cause.exchange, &error);
            return Err(error);
        }
        requests.made += 1;
        Ok(())
    }

    /// Has a request go on with the others.
    pub(super) fn remember(&self, request: &ClientRequest) {
        self.outgoing().0.lock().under_way.push(request.downgrade());
    }
}
