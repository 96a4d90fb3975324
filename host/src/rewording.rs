//! Whose words a client reads whose request is refused: the guest's, if it has
//! an export for that and there is room to call it; otherwise the host's.

use std::sync::Arc;

use crate::error::{Fault, log_fault};
use crate::guest::client_error::reworded;
use crate::stay::Stay;
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
    stay: &mut Stay,
    refusal: Refusal,
) -> Result<Option<Vec<u8>>, Interruption> {
    if !stay.has_place() {
        return Ok(None);
    }
    tokio::select! {
        worded = reword(stay, exchange.socket(), refusal) => Ok(worded),
        interruption = interrupted(exchange) => Err(interruption),
    }
}

/// Has the guest of a stay that has a place word the answer. Dropping it ends
/// the guest.
pub async fn reword(stay: &Stay, socket: &Arc<Socket>, refusal: Refusal) -> Option<Vec<u8>> {
    if !stay.exports().client_error {
        return None;
    }
    let worded = reworded(stay.instances(), socket, refusal).await;
    worded.unwrap_or_else(|stopped| {
        let fault = Fault::from(stopped);
        let level = fault.consequence().level;
        log_fault(Some(&stay.app().name), None, &format_args!("client-error-handler: {fault}"), level);
        None
    })
}
