//! Whose words a client reads whose request is refused: the guest's, if it has
//! an export for that and there is room to call it; otherwise the host's.

use std::sync::Arc;

use crate::app::App;
use crate::app::admission::Permit;
use crate::error::{Fault, log_fault};
use crate::guest::client_error::reworded;
use crate::wire::exchange::Exchange;
use crate::wire::refusal::Refusal;
use crate::wire::socket::Socket;
use crate::wire::watch::{Interruption, interrupted};

/// Has the guest word the answer to a fault in an exchange, as long as nothing
/// ends that; none leaves it to the host. Dropping it ends the guest.
///
/// # Errors
/// What ended the exchange.
pub async fn reword_in(
    exchange: &Exchange,
    app: &App,
    permit: Option<&Permit>,
    refusal: Refusal,
) -> Result<Option<Vec<u8>>, Interruption> {
    let Some(permit) = permit else { return Ok(None) };
    tokio::select! {
        worded = reword(app, permit, exchange.socket(), refusal) => Ok(worded),
        interruption = interrupted(exchange) => Err(interruption),
    }
}

/// Has the guest word the answer where there is no exchange. Dropping it ends
/// the guest.
pub async fn reword(app: &App, _permit: &Permit, socket: &Arc<Socket>, refusal: Refusal) -> Option<Vec<u8>> {
    if !app.instances.exports().client_error {
        return None;
    }
    let worded = reworded(&app.instances, socket, refusal, &app.share).await;
    worded.unwrap_or_else(|stopped| {
        let fault = Fault::from(stopped);
        log_fault(&app.name, None, &format_args!("client-error-handler: {fault}"), fault.consequence().level);
        None
    })
}
