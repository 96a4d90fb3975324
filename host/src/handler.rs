//! The spine: what happens to an exchange, in order. Every stage is called from
//! here, and takes what the one before it made.

use std::pin::Pin;
use std::sync::Arc;

use crate::app::App;
use crate::app::admission::Permit;
use crate::error::{Fault, report};
use crate::event::{Event, event_of, ordinary_event_of};
use crate::guest::call::{Called, call};
use crate::guest::client_error::reworded;
use crate::telemetry::access;
use crate::wire::connection::Answer;
use crate::wire::error::{MessageError, WRITE_STALL};
use crate::wire::exchange::Exchange;
use crate::wire::refusal::Refusal;
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

    fn refuse(
        &self,
        socket: Arc<Socket>,
        refusal: Refusal,
    ) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>> {
        access::log_refused(&socket, refusal.fault);
        let app = self.app.clone();
        Box::pin(async move { reword(&app, socket, refusal).await })
    }
}

/// route → admit → call → finish. The permit outlives the last byte.
async fn handle(app: Arc<App>, exchange: Exchange) {
    let (permit, answered) = match admit(&app, &exchange) {
        Ok((event, permit)) => {
            let answered = run(&app, event, &permit, &exchange).await;
            (Some(permit), answered)
        }
        Err(fault) => (None, Err(fault)),
    };
    finish(&exchange, &app, answered).await;
    drop(permit);
    access::log(&exchange, Some(&app.name));
}

/// Decides who answers, and whether there is room for that.
fn admit(app: &App, exchange: &Exchange) -> Result<(Event, Permit), Fault> {
    let event = event_of(exchange, app.instances.exports())?;
    Ok((event, app.admission.admit(event.takes_over())?))
}

/// Has a guest answer; says what went wrong, if anything did.
async fn run(app: &App, mut event: Event, _permit: &Permit, exchange: &Exchange) -> Result<(), Fault> {
    let exports = app.instances.exports();
    if exports.client_error {
        exchange.defer_refusal();
    }
    loop {
        if event == Event::Request {
            exchange.answer_expectation();
        }
        match call(&app.instances, exchange.clone(), event, &app.demotion).await? {
            Called::Answered(instance) => {
                app.instances.give_back(instance);
                return judge(exchange);
            }
            Called::Declined(instance) => {
                app.instances.give_back(instance);
                event = ordinary_event_of(exchange.head(), exports)?;
            }
        }
    }
}

/// What an exchange came to whose guest has returned.
fn judge(exchange: &Exchange) -> Result<(), Fault> {
    let (ended, failure) =
        exchange.with_response(|response| (response.is_ended(), response.failure().cloned()));
    match failure {
        _ if exchange.is_dropped() => Err(Fault::Destroyed),
        _ if ended => Ok(()),
        Some(WRITE_STALL) => Err(Fault::WriteStall),
        Some(MessageError::ConnectionReset) => Err(Fault::ClientGone),
        // A tunnel needs no end of its own, but an answer.
        None if exchange.is_tunnel() && !exchange.is_tunnel_unanswered() => {
            let _ = exchange.end_tunnel(None);
            Ok(())
        }
        failure => Err(Fault::NotEnded(failure)),
    }
}

/// Answers for a guest that did not, and sends what is unsent. Dropping it
/// leaves the rest unsent.
async fn finish(exchange: &Exchange, app: &App, answered: Result<(), Fault>) {
    if let Err(fault) = answered {
        let (fault, refusal) = fault.refused(exchange);
        let worded = match refusal {
            Some(refusal) => reword(app, exchange.socket().clone(), refusal).await,
            None => None,
        };
        report(exchange, &app.name, &fault, worded);
        if exchange.record().failure.is_some() {
            return;
        }
    }
    if let Err(interruption) = flushed(exchange).await {
        report(exchange, &app.name, &interruption.into(), None);
    }
}

/// Has the guest word the answer to a client's fault, if it has an export for
/// that and there is room to call it.
async fn reword(app: &App, socket: Arc<Socket>, refusal: Refusal) -> Option<Vec<u8>> {
    if !app.instances.exports().client_error {
        return None;
    }
    let permit = app.admission.admit(false).ok()?;
    let worded = reworded(&app.instances, &socket, refusal, &app.demotion).await;
    drop(permit);
    worded.unwrap_or_else(|stopped| {
        let fault = Fault::from(stopped);
        tracing::error!(app = app.name, peer = %socket.peer(), "client-error-handler: {fault}");
        None
    })
}
