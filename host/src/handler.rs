//! The spine: what happens to an exchange, in order. Every stage is called from
//! here, and takes what the one before it made.

use std::pin::Pin;
use std::sync::Arc;

use crate::app::App;
use crate::app::admission::Permit;
use crate::error::{Fault, sentence_with_id};
use crate::guest::call::call;
use crate::telemetry::access;
use crate::wire::connection::Answer;
use crate::wire::error::{ClientFault, MessageError};
use crate::wire::exchange::Exchange;
use crate::wire::socket::Socket;
use crate::wire::watch::flushed;

/// Answers every exchange of a server.
pub struct Handler {
    app: Arc<App>,
}

impl Handler {
    /// Answers with `app`.
    pub fn new(app: App) -> Self {
        Handler { app: Arc::new(app) }
    }
}

impl Answer for Handler {
    fn answer(&self, exchange: Exchange) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(handle(self.app.clone(), exchange))
    }

    fn judged(&self, exchange: &Exchange) {
        access::log(exchange, None);
    }

    fn refused(&self, socket: &Socket, fault: ClientFault) {
        access::log_refused(socket, fault);
    }
}

/// route → admit → call → finish. The permit outlives the last byte.
async fn handle(app: Arc<App>, exchange: Exchange) {
    let (permit, answered) = match app.admission.admit() {
        Ok(permit) => {
            let answered = run(&app, &permit, &exchange).await;
            (Some(permit), answered)
        }
        Err(fault) => (None, Err(fault)),
    };
    finish(&exchange, &app, answered).await;
    drop(permit);
    access::log(&exchange, Some(&app.name));
}

/// Has a guest answer; says what went wrong, if anything did.
async fn run(app: &App, _permit: &Permit, exchange: &Exchange) -> Result<(), Fault> {
    let instance = call(&app.instances, exchange.clone(), &app.demotion).await?;
    app.instances.give_back(instance);
    match exchange.with_response(|response| response.is_ended()) {
        _ if exchange.socket().is_destroyed() => Err(Fault::Destroyed),
        true => Ok(()),
        false => Err(Fault::NotEnded(exchange.record().failure)),
    }
}

/// Answers for a guest that did not, and sends what is unsent. Dropping it
/// leaves the rest unsent.
async fn finish(exchange: &Exchange, app: &App, answered: Result<(), Fault>) {
    if let Err(fault) = answered {
        report(exchange, app, &fault);
        if exchange.record().failure.is_some() {
            return;
        }
    }
    if let Err(interruption) = flushed(exchange).await {
        report(exchange, app, &interruption.into());
    }
}

/// Logs a fault, and does for client and connection what follows from it.
fn report(exchange: &Exchange, app: &App, fault: &Fault) {
    let then = fault.consequence();
    macro_rules! log {
        ($level:ident) => {
            tracing::event!(tracing::Level::$level, app = app.name, exchange = exchange.id(), "{fault}")
        };
    }
    match then.level {
        tracing::Level::ERROR => log!(ERROR),
        tracing::Level::WARN => log!(WARN),
        tracing::Level::INFO => log!(INFO),
        _ => log!(DEBUG),
    }
    match then.status {
        Some(status) => {
            let body = sentence_with_id(status, exchange.id());
            exchange.answer(status, &body, then.retry_after, then.close);
        }
        None => exchange.abandon(MessageError::ConnectionReset),
    }
}
