//! The spine: what happens to an exchange, in order. Every stage is called from
//! here, and takes what the one before it made.

use std::pin::Pin;
use std::sync::Arc;

use tokio::time::Instant;

use crate::app::Apps;
use crate::error::{Fault, report};
use crate::event::{Event, event_of, ordinary_event_of};
use crate::guest::call::{call, wants_upgrade};
use crate::rewording::{reword, reword_in};
use crate::stay::{Stay, route};
use crate::telemetry::Telemetry;
use crate::wire::connection::Answer;
use crate::wire::error::{MessageError, WRITE_STALL};
use crate::wire::exchange::Exchange;
use crate::wire::refusal::Refusal;
use crate::wire::socket::Socket;
use crate::wire::watch::flushed;

/// Answers every exchange of a server.
pub struct Handler {
    apps: Arc<Apps>,
    telemetry: Arc<Telemetry>,
}

impl Handler {
    /// Answers with `apps`, and tells `telemetry` of it.
    pub fn new(apps: Arc<Apps>, telemetry: Arc<Telemetry>) -> Self {
        Handler { apps, telemetry }
    }
}

impl Answer for Handler {
    fn answer(&self, exchange: Exchange) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(handle(self.apps.clone(), self.telemetry.clone(), exchange))
    }

    fn refuse(
        &self,
        socket: Arc<Socket>,
        refusal: Refusal,
    ) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>> {
        let (apps, telemetry) = (self.apps.clone(), self.telemetry.clone());
        Box::pin(async move {
            let fault = refusal.fault;
            let worded = match Stay::of_nobody(&apps) {
                Some(stay) => reword(&stay, &socket, refusal).await,
                None => None,
            };
            telemetry.refused(&socket, fault, worded.as_deref());
            worded
        })
    }
}

/// route → admit → call → finish. The permit outlives the last byte.
async fn handle(apps: Arc<Apps>, telemetry: Arc<Telemetry>, exchange: Exchange) {
    let (begun, overlay) = telemetry.begin(&exchange);
    let (mut stay, answered) = match route(&apps, &exchange, overlay) {
        Ok(mut stay) => {
            let answered = serve(&mut stay, &exchange).await;
            (Some(stay), answered)
        }
        Err(fault) => (None, Err(fault)),
    };
    let fault = finish(&exchange, stay.as_mut(), answered).await;
    telemetry.ended(&exchange, fault.as_ref(), begun);
    if let Some(stay) = stay {
        stay.conclude(&apps, &exchange, fault.as_ref());
    }
}

/// Admits the exchange and has a guest answer; says what went wrong, if
/// anything did.
async fn serve(stay: &mut Stay, exchange: &Exchange) -> Result<(), Fault> {
    let event = event_of(exchange, stay.exports())?;
    stay.enter(exchange, Instant::now()).await?;
    run(stay, event, exchange).await
}

async fn run(stay: &mut Stay, mut event: Event, exchange: &Exchange) -> Result<(), Fault> {
    let exports = stay.exports();
    if exports.client_error {
        exchange.defer_refusal();
    }
    if event == Event::Upgrade {
        if !wants_upgrade(stay.instances(), exchange.clone()).await? {
            event = ordinary_event_of(exchange.head(), exports)?;
        }
        // It may have read a body that breaks.
        if !exchange.is_unanswered() {
            return judge(exchange);
        }
    }
    if event.takes_over() {
        stay.enter_tunnel()?;
    }
    if event == Event::Request {
        exchange.answer_expectation();
    }
    call(stay.instances(), exchange.clone(), event).await?;
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

/// Answers for a guest that did not, and sends what is unsent; returns what
/// went wrong. Dropping it leaves the rest unsent.
async fn finish(exchange: &Exchange, stay: Option<&mut Stay>, answered: Result<(), Fault>) -> Option<Fault> {
    let app = exchange.owner().map(|owner| &owner.app);
    let openly = stay.as_ref().is_some_and(|stay| stay.instances().is_development());
    let mut failed = None;
    if let Err(fault) = answered {
        let (fault, refusal) = fault.refused(exchange);
        let worded = match (refusal, stay) {
            (Some(refusal), Some(stay)) => reword_in(exchange, stay, refusal).await,
            _ => Ok(None),
        };
        match worded {
            Ok(worded) => report(exchange, app, &fault, worded, openly),
            Err(interruption) => report(exchange, app, &interruption.into(), None, openly),
        }
        failed = Some(fault);
        if exchange.record().failure.is_some() {
            return failed;
        }
    }
    if let Err(interruption) = flushed(exchange).await {
        let fault = interruption.into();
        report(exchange, app, &fault, None, openly);
        failed = Some(failed.unwrap_or(fault));
    }
    failed
}
