//! Which of a guest's exports answers a request, and what happens to one that
//! it has no export for: what Node does with an event that has no listener.

use crate::error::Fault;
use crate::guest::component::Exports;
use crate::wire::error::ClientFault;
use crate::wire::exchange::Exchange;
use crate::wire::http1::head::{BodyFraming, Expectation, RequestHead};

/// A request, by the export that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// `handler` (Node: 'request').
    Request,
    /// `check-continue-handler` (Node: 'checkContinue').
    CheckContinue,
    /// `check-expectation-handler` (Node: 'checkExpectation').
    CheckExpectation,
    /// `upgrade-handler`, if it wants it (Node: 'upgrade').
    Upgrade,
    /// `connect-handler` (Node: 'connect').
    Connect,
}

impl Event {
    /// Whether the guest may take the connection over.
    pub fn takes_over(self) -> bool {
        matches!(self, Event::Upgrade | Event::Connect)
    }
}

/// The event that a request is for a guest with these exports.
///
/// # Errors
/// What the client is told if the guest is not asked.
pub fn event_of(exchange: &Exchange, exports: Exports) -> Result<Event, Fault> {
    let head = exchange.head();
    match head.framing {
        BodyFraming::Length(length) if length > exchange.limits().request_body_bytes_max => {
            Err(Fault::Client(ClientFault::BodyTooLarge))
        }
        _ if head.method() == "CONNECT" && exports.connect => Ok(Event::Connect),
        // Closed without a word, as in Node.
        _ if head.method() == "CONNECT" => Err(Fault::ConnectRefused),
        _ if head.upgrade && exports.upgrade => Ok(Event::Upgrade),
        _ => ordinary_event_of(head, exports),
    }
}

/// The same for a request whose upgrade nobody wants.
///
/// # Errors
/// What the client is told if the guest is not asked.
pub fn ordinary_event_of(head: &RequestHead, exports: Exports) -> Result<Event, Fault> {
    match head.expectation {
        Expectation::Continue if exports.check_continue => Ok(Event::CheckContinue),
        Expectation::Other if exports.check_expectation => Ok(Event::CheckExpectation),
        Expectation::Other => Err(Fault::Client(ClientFault::Expectation)),
        Expectation::Continue | Expectation::None => Ok(Event::Request),
    }
}
