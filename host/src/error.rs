//! The one table: what can go wrong with an exchange, and what follows from it
//! for the client, the log and the connection. Grouped by whose fault it is.

use std::fmt::Display;
use std::time::Duration;

use thiserror::Error;
use tracing::Level;

use crate::config::Name;
use crate::guest::call::Stopped;
use crate::wire::error::{ClientFault, MessageError};
use crate::wire::exchange::Exchange;
use crate::wire::http1::response::Hint;
use crate::wire::http1::status::sentence;
use crate::wire::refusal::Refusal;
use crate::wire::watch::Interruption;

/// What the access log says of a CONNECT that no guest takes.
const NO_CONNECT: MessageError = MessageError::Denied("no connect-handler");

/// Why an exchange did not go as its client hoped.
#[derive(Debug, Error)]
pub enum Fault {
    // The client's.
    /// It went away.
    #[error("the client went away")]
    ClientGone,
    /// It did not take the response.
    #[error("write_stall_timeout: the client takes nothing")]
    WriteStall,
    /// Nothing moved.
    #[error("idle timeout: nothing was sent or received")]
    Idle,
    /// The body did not come.
    #[error("request_timeout: the request body did not come")]
    RequestTimeout,
    /// It sent what is not to be answered by a guest.
    #[error("{0}")]
    Client(ClientFault),
    /// No app is for it.
    #[error("no route: no app is for this host and path")]
    NoRoute,
    /// No app is for its method; these there are.
    #[error("no route for this method; there is {0}")]
    MethodNotAllowed(String),
    /// It sent a CONNECT to a guest without an export for it.
    #[error("CONNECT, and no connect-handler")]
    ConnectRefused,

    // The guest's.
    /// It returned without `end`.
    #[error("the handler returned without ending the response{}", because(.0.as_ref()))]
    NotEnded(Option<MessageError>),
    /// It trapped.
    #[error("the guest trapped: {0}")]
    Trapped(String),
    /// It says that its tunnel did not come to a regular end.
    #[error("the handler of the tunnel failed")]
    GaveUp,
    /// It computed for too long.
    #[error("cpu_time_max: the guest used up its CPU time")]
    CpuTime,
    /// It took too long.
    #[error("wall_time_max: the guest took too long")]
    WallTime,
    /// It gave an error code in place of its answer.
    #[error("the guest answered with an error code: {what}")]
    ErrorCode {
        /// What the client is told.
        status: u16,
        /// What the code says.
        what: String,
    },
    /// The instance ended with another exchange.
    #[error("the instance ended, and with it all of its exchanges; another of them is to blame")]
    Neighbour,
    /// It wanted more than it may have.
    #[error("{0}: the guest wanted more, and gave up")]
    Limit(&'static str),
    /// It dropped the connection.
    #[error("the guest destroyed the connection")]
    Destroyed,

    // The tenant's.
    /// As many exchanges as there may be, and as many that wait.
    #[error("{}: {in_flight} exchanges are in flight, and nobody may wait", if *host { "instances_max" } else { "exchanges_max" })]
    Overloaded {
        /// Whether it is the host that is full, and not the tenant.
        host: bool,
        /// Exchanges in flight.
        in_flight: u32,
    },
    /// It waited for a place for too long.
    #[error("queue_wait_max: no place became free in {0:?}")]
    QueueTimeout(Duration),
    /// Its guests have used more CPU time than they have.
    #[error("cpu_per_second: the tenant has used up its CPU time, and has some again in {0:?}")]
    TenantCpu(Duration),
    /// Its guests have as much memory as they may.
    #[error("memory_bytes_max of the tenant: there was none left")]
    TenantMemory,
    /// It has as many connections as it may.
    #[error("connections_max of the tenant: it has {0}")]
    TenantConnections(u64),
    /// The app crashes time and again.
    #[error("the app was tripped: it crashed too often, and is tried again in {0:?}")]
    Tripped(Duration),
    /// Nothing is deployed.
    #[error("the app has no version that can be served")]
    NoVersion,

    // The host's.
    /// As many tunnels as may be.
    #[error("tunnels_max: {0} connections are taken over")]
    TunnelsFull(u32),
    /// The pool has no room.
    #[error("the pool has no room for another instance")]
    PoolFull,
    /// The server drains no longer.
    #[error("the server was stopped")]
    Cut,
}

/// What follows from a [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consequence {
    /// The answer, if there is still somebody to be answered.
    pub status: Option<u16>,
    /// How loudly it is logged.
    pub level: Level,
    /// Whether the connection closes after the answer.
    pub close: bool,
    /// What else the client is told.
    pub hint: Option<Hint>,
    /// Whether the app has crashed: many in a row trip it.
    pub crash: bool,
}

impl Fault {
    /// The table.
    pub fn consequence(&self) -> Consequence {
        let row = |status, level, close| Consequence { status, level, close, hint: None, crash: false };
        let crash = || Consequence { crash: true, ..row(Some(500), Level::ERROR, false) };
        let later =
            |wait| Consequence { hint: Some(Hint::RetryAfter(wait)), ..row(Some(503), Level::WARN, false) };
        let soon = Duration::from_secs(1);
        match self {
            Fault::Client(fault) => row(Some(fault.status()), Level::DEBUG, fault.closes()),
            Fault::ClientGone | Fault::Destroyed | Fault::ConnectRefused => row(None, Level::DEBUG, true),
            Fault::NoRoute => row(Some(404), Level::DEBUG, false),
            Fault::MethodNotAllowed(allow) => {
                Consequence { hint: Some(Hint::Allow(allow.clone())), ..row(Some(405), Level::DEBUG, false) }
            }
            Fault::WriteStall | Fault::Idle => row(None, Level::INFO, true),
            Fault::RequestTimeout => row(Some(408), Level::INFO, true),
            Fault::GaveUp => row(Some(500), Level::INFO, true),
            // An internal error is what a handler that fails is.
            Fault::ErrorCode { status: 500, .. } => crash(),
            Fault::ErrorCode { status, .. } => row(Some(*status), Level::INFO, false),
            Fault::NotEnded(_) | Fault::Trapped(_) => crash(),
            Fault::CpuTime | Fault::WallTime | Fault::Limit(_) => crash(),
            Fault::Overloaded { .. } | Fault::QueueTimeout(_) | Fault::TenantMemory => later(soon),
            Fault::TenantCpu(debt) => later(*debt),
            // The connection would stay, and is one too many.
            Fault::TenantConnections(_) => Consequence { close: true, ..later(soon) },
            // Said once when it trips, not for each request.
            Fault::Tripped(wait) => Consequence { level: Level::DEBUG, ..later(*wait) },
            Fault::NoVersion | Fault::Neighbour => later(soon),
            Fault::TunnelsFull(_) | Fault::PoolFull => later(soon),
            Fault::Cut => row(None, Level::WARN, true),
        }
    }
}

impl Fault {
    /// What a guest may word the answer to: the client's own mistakes, as long
    /// as nothing else was answered. And the fault as it is then to be reported.
    pub fn refused(self, exchange: &Exchange) -> (Fault, Option<Refusal>) {
        let refusal = match &self {
            Fault::Client(ClientFault::Expectation) => None,
            Fault::Client(fault) => Some(Refusal::of_body(*fault, &[])),
            Fault::RequestTimeout if exchange.is_unsent() => {
                Some(Refusal::of_body(ClientFault::RequestTimeout, &[]))
            }
            // The guest read a body that broke, and had nothing to say to it.
            Fault::NotEnded(_) => match exchange.take_refusal() {
                Some(refusal) => return (Fault::Client(refusal.fault), Some(refusal)),
                None => None,
            },
            _ => None,
        };
        (self, refusal)
    }
}

/// Logs a fault, and does for client and connection what follows from it.
/// `worded` are the guest's words for it, status line and all; if the host is
/// its author's own, the client is told `openly` what the log is.
pub fn report(exchange: &Exchange, app: Option<&Name>, fault: &Fault, worded: Option<Vec<u8>>, openly: bool) {
    let then = fault.consequence();
    log_fault(app, Some(exchange.id()), &fault, then.level);
    match (then.status, worded) {
        (Some(_), Some(bytes)) => exchange.answer_raw(bytes),
        (Some(status), None) => {
            let mut body = sentence_with_id(status, exchange.id());
            if openly {
                body = format!("{body}\n{fault}\n");
            }
            exchange.answer(status, &body, then.hint.as_ref(), then.close);
        }
        (None, _) if matches!(fault, Fault::ConnectRefused) => exchange.abandon(NO_CONNECT),
        (None, _) => exchange.abandon(MessageError::ConnectionReset),
    }
}

/// Logs what went wrong, as loudly as it is worth.
pub fn log_fault(app: Option<&Name>, exchange: Option<u64>, what: &dyn Display, level: Level) {
    macro_rules! log {
        ($level:ident) => {
            tracing::event!(Level::$level, app = app.map(Name::as_str), exchange, "{what}")
        };
    }
    match level {
        Level::ERROR => log!(ERROR),
        Level::WARN => log!(WARN),
        Level::INFO => log!(INFO),
        _ => log!(DEBUG),
    }
}

impl From<Stopped> for Fault {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Trapped(cause) => Fault::Trapped(cause),
            Stopped::GaveUp => Fault::GaveUp,
            Stopped::CpuTime => Fault::CpuTime,
            Stopped::WallTime => Fault::WallTime,
            Stopped::Limit(limit) => Fault::Limit(limit),
            Stopped::TenantMemory => Fault::TenantMemory,
            Stopped::Full => Fault::PoolFull,
            Stopped::ErrorCode { status, what } => Fault::ErrorCode { status, what },
            Stopped::Neighbour => Fault::Neighbour,
            Stopped::Untold(fault) => Fault::Client(fault),
            Stopped::Interrupted(interruption) => interruption.into(),
        }
    }
}

impl From<Interruption> for Fault {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::ClientGone => Fault::ClientGone,
            Interruption::Destroyed => Fault::Destroyed,
            Interruption::WriteStall => Fault::WriteStall,
            Interruption::Idle => Fault::Idle,
            Interruption::RequestTimeout => Fault::RequestTimeout,
            Interruption::Cut => Fault::Cut,
            Interruption::Deadline => Fault::WallTime,
        }
    }
}

fn because(failure: Option<&MessageError>) -> String {
    failure.map(|error| format!(": {error}")).unwrap_or_default()
}

/// What a client reads with a fault: a fixed sentence, and the number under
/// which the log has the cause.
pub fn sentence_with_id(status: u16, exchange: u64) -> String {
    format!("{}exchange {exchange}\n", sentence(status))
}
