//! The spine: what happens to an exchange, in order. Every stage is called from
//! here, and takes what the one before it made.

use std::pin::Pin;
use std::sync::Arc;

use crate::app::App;
use crate::app::admission::Permit;
use crate::error::{Fault, report};
use crate::event::{Event, event_of, ordinary_event_of};
use crate::guest::call::{call, wants_upgrade};
use crate::rewording::{reword, reword_in};
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
        let app = self.app.clone();
        Box::pin(async move {
            let fault = refusal.fault;
            let permit = app.admission.admit().ok();
            let worded = match &permit {
                Some(permit) => reword(&app, permit, &socket, refusal).await,
                None => None,
            };
            access::log_refused(&socket, fault, worded.as_deref());
            worded
        })
    }
}

/// route → admit → call → finish. The permit outlives the last byte.
async fn handle(app: Arc<App>, exchange: Exchange) {
    let (mut permit, answered) = match admit(&app, &exchange) {
        Ok((event, mut permit)) => {
            let answered = run(&app, event, &mut permit, &exchange).await;
            (Some(permit), answered)
        }
        Err(fault) => (None, Err(fault)),
    };
    finish(&exchange, &app, &mut permit, answered).await;
    drop(permit);
    access::log(&exchange, Some(&app.name));
}

/// Decides who answers, and whether there is room for that.
fn admit(app: &App, exchange: &Exchange) -> Result<(Event, Permit), Fault> {
    let event = event_of(exchange, app.instances.exports())?;
    Ok((event, app.admission.admit()?))
}

/// Has a guest answer; says what went wrong, if anything did.
async fn run(app: &App, mut event: Event, permit: &mut Permit, exchange: &Exchange) -> Result<(), Fault> {
    let exports = app.instances.exports();
    if exports.client_error {
        exchange.defer_refusal();
    }
    if event == Event::Upgrade {
        if !wants_upgrade(&app.instances, exchange.clone(), &app.share).await? {
            event = ordinary_event_of(exchange.head(), exports)?;
        }
        // It may have read a body that breaks.
        if !exchange.is_unanswered() {
            return judge(exchange);
        }
    }
    if event.takes_over() {
        app.admission.admit_tunnel(permit)?;
    }
    if event == Event::Request {
        exchange.answer_expectation();
    }
    call(&app.instances, exchange.clone(), event, &app.share).await?;
    judge(exchange)
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
async fn finish(exchange: &Exchange, app: &App, permit: &mut Option<Permit>, answered: Result<(), Fault>) {
    if let Err(fault) = answered {
        let (fault, refusal) = fault.refused(exchange);
        let worded = match refusal {
            Some(refusal) => {
                if permit.is_none() {
                    *permit = app.admission.admit().ok();
                }
                reword_in(exchange, app, permit.as_ref(), refusal).await
            }
            None => Ok(None),
        };
        match worded {
            Ok(worded) => report(exchange, &app.name, &fault, worded),
            Err(interruption) => report(exchange, &app.name, &interruption.into(), None),
        }
        if exchange.record().failure.is_some() {
            return;
        }
    }
    if let Err(interruption) = flushed(exchange).await {
        report(exchange, &app.name, &interruption.into(), None);
    }
}
