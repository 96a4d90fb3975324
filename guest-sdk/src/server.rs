//! The app's own listening side (Node: `http.Server`).
//!
//! The operator grants it with `--allow server-control`; without the grant
//! every call is [`ErrorCode::Denied`]. `None` is no limit, and
//! [`Duration::ZERO`] is the same.
//!
//! ```no_run
//! use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler, server};
//!
//! #[handler]
//! fn answer(req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     if req.url() == "/end" {
//!         server::close()?;
//!     }
//!     Ok(res.end("bye\n")?)
//! }
//! # fn main() {}
//! ```

use std::time::Duration;

use crate::ErrorCode;
use crate::host::server as wire;
use crate::socket::milliseconds;

/// Whether new connections are taken (Node: `server.listening`).
///
/// # Errors
/// [`ErrorCode::Denied`].
pub fn listening() -> Result<bool, ErrorCode> {
    Ok(wire::listening()?)
}

/// Open connections, tunnels included (Node: `server.getConnections`).
///
/// # Errors
/// [`ErrorCode::Denied`].
pub fn get_connections() -> Result<u64, ErrorCode> {
    Ok(wire::get_connections()?)
}

/// Begins to close, and does not wait: no new connection and no new exchange,
/// connections without an exchange close, exchanges in flight finish and say
/// `Connection: close`, tunnels are told. When all of that is done, or the
/// operator's drain timeout has passed, a host without another app ends
/// (Node: `server.close`).
///
/// # Errors
/// [`ErrorCode::Denied`], [`ErrorCode::ServerNotRunning`] if it is closing
/// already.
pub fn close() -> Result<(), ErrorCode> {
    Ok(wire::close()?)
}

/// Closes the connections that have no exchange and have not begun to send one
/// (Node: `server.closeIdleConnections`).
///
/// # Errors
/// [`ErrorCode::Denied`].
pub fn close_idle_connections() -> Result<(), ErrorCode> {
    Ok(wire::close_idle_connections()?)
}

/// Drops all connections but tunnels, the one of this exchange included
/// (Node: `server.closeAllConnections`).
///
/// # Errors
/// [`ErrorCode::Denied`].
pub fn close_all_connections() -> Result<(), ErrorCode> {
    Ok(wire::close_all_connections()?)
}

/// Idle time after a response (Node: `server.keepAliveTimeout`).
///
/// # Errors
/// [`ErrorCode::Denied`].
pub fn keep_alive_timeout() -> Result<Option<Duration>, ErrorCode> {
    Ok(duration(wire::keep_alive_timeout()?))
}

/// Sets it, for the responses that are not fixed yet and for waits that have
/// not begun (Node: `server.keepAliveTimeout = …`).
///
/// # Errors
/// [`ErrorCode::Denied`]; [`ErrorCode::LimitExceeded`] for more than the
/// operator allows, which no limit is unless the operator has none.
pub fn set_keep_alive_timeout(timeout: impl Into<Option<Duration>>) -> Result<(), ErrorCode> {
    Ok(wire::set_keep_alive_timeout(or_zero(timeout))?)
}

/// Time for a request head (Node: `server.headersTimeout`).
///
/// # Errors
/// [`ErrorCode::Denied`].
pub fn headers_timeout() -> Result<Option<Duration>, ErrorCode> {
    Ok(duration(wire::headers_timeout()?))
}

/// Sets it, for heads that have not begun (Node: `server.headersTimeout = …`).
///
/// # Errors
/// Those of [`set_keep_alive_timeout`].
pub fn set_headers_timeout(timeout: impl Into<Option<Duration>>) -> Result<(), ErrorCode> {
    Ok(wire::set_headers_timeout(or_zero(timeout))?)
}

/// Time for a whole request (Node: `server.requestTimeout`).
///
/// # Errors
/// [`ErrorCode::Denied`].
pub fn request_timeout() -> Result<Option<Duration>, ErrorCode> {
    Ok(duration(wire::request_timeout()?))
}

/// Sets it, for requests that have not begun
/// (Node: `server.requestTimeout = …`).
///
/// # Errors
/// Those of [`set_keep_alive_timeout`].
pub fn set_request_timeout(timeout: impl Into<Option<Duration>>) -> Result<(), ErrorCode> {
    Ok(wire::set_request_timeout(or_zero(timeout))?)
}

/// Time without a byte in either direction after which a connection is dropped
/// (Node: `server.timeout`).
///
/// # Errors
/// [`ErrorCode::Denied`].
pub fn timeout() -> Result<Option<Duration>, ErrorCode> {
    Ok(duration(wire::timeout()?))
}

/// Sets it, for connections and exchanges that have not begun
/// (Node: `server.setTimeout`).
///
/// # Errors
/// Those of [`set_keep_alive_timeout`].
pub fn set_timeout(timeout: impl Into<Option<Duration>>) -> Result<(), ErrorCode> {
    Ok(wire::set_timeout(or_zero(timeout))?)
}

fn duration(milliseconds: u32) -> Option<Duration> {
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()))
}

fn or_zero(timeout: impl Into<Option<Duration>>) -> u32 {
    timeout.into().map_or(0, milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_zero_milliseconds() {
        assert_eq!(duration(0), None);
        assert_eq!(duration(1500), Some(Duration::from_millis(1500)));
        assert_eq!(or_zero(None), 0);
        assert_eq!(or_zero(Duration::from_millis(1500)), 1500);
    }
}
