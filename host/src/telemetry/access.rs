//! The access log: one line for each exchange, when its last byte is sent or
//! it has failed, and one for each request that the host refused to read.

use crate::wire::error::ClientFault;
use crate::wire::exchange::Exchange;
use crate::wire::http1::response::raw::status_in;
use crate::wire::socket::Socket;

/// The `tracing` target of these lines.
pub const TARGET: &str = "access";

/// Logs an exchange that is over. `app` is what answered it.
pub fn log(exchange: &Exchange, app: Option<&str>) {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    let head = exchange.head();
    let record = exchange.record();
    tracing::info!(
        target: TARGET,
        exchange = exchange.id(),
        app,
        peer = %exchange.socket().peer(),
        method = head.method(),
        url = head.target(),
        version = if head.version_1_1 { "1.1" } else { "1.0" },
        status = record.status,
        bytes = record.bytes,
        body_bytes = exchange.body_received(),
        tunnel_bytes = exchange.tunnel_received(),
        micros = u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX),
        sent = exchange.is_sent(),
        failure = record.failure.map(tracing::field::display),
    );
}

/// Logs a request that never became an exchange, and the guest's `worded`
/// answer to it, if there is one.
pub fn log_refused(socket: &Socket, fault: ClientFault, worded: Option<&[u8]>) {
    let status = worded.and_then(status_in).unwrap_or(fault.status());
    tracing::info!(target: TARGET, peer = %socket.peer(), status, refused = %fault);
}
