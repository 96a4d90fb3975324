//! What is known of an exchange that is over, for the access log and for
//! traces. Gathered once, by `handler`.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::telemetry::request_id::RequestId;
use crate::wire::error::MessageError;
use crate::wire::exchange::Exchange;

/// An exchange that is over.
#[derive(Debug, Clone)]
pub struct EndedExchange<'a> {
    /// Its number.
    pub exchange: u64,
    /// Whose app answered, if one did.
    pub tenant: Option<&'a str>,
    /// The app.
    pub app: Option<&'a str>,
    /// The version of the app.
    pub app_version: Option<&'a str>,
    /// The client's address.
    pub peer: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
    /// The method.
    pub method: &'a str,
    /// The request target as it came.
    pub url: &'a str,
    /// `1.0` or `1.1`.
    pub http_version: &'static str,
    /// The `Host`.
    pub host: Option<&'a [u8]>,
    /// The `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// The `Referer`.
    pub referer: Option<&'a [u8]>,
    /// The status that was sent, or would have been.
    pub status: u16,
    /// Bytes of response body.
    pub bytes: u64,
    /// Bytes of request body.
    pub body_bytes: u64,
    /// Bytes received in a tunnel, if it became one.
    pub tunnel_bytes: Option<u64>,
    /// When it ended.
    pub at: SystemTime,
    /// How long it took from the complete request head on.
    pub duration: Duration,
    /// Whether the response was sent to its end.
    pub sent: bool,
    /// Why it was not.
    pub failure: Option<MessageError>,
    /// CPU time of the guest.
    pub cpu: Duration,
    /// Time that it waited to be let in.
    pub queue: Duration,
}

impl<'a> EndedExchange<'a> {
    /// Looks at an exchange that has just ended.
    pub fn new(exchange: &'a Exchange) -> Self {
        let (head, record, socket) = (exchange.head(), exchange.record(), exchange.socket());
        let owner = exchange.owner();
        EndedExchange {
            exchange: exchange.id(),
            tenant: owner.map(|owner| owner.tenant.as_str()),
            app: owner.map(|owner| owner.app.as_str()),
            app_version: owner.map(|owner| owner.version.as_str()),
            peer: socket.peer(),
            local: socket.local(),
            method: head.method(),
            url: head.original_target(),
            http_version: if head.version_1_1 { "1.1" } else { "1.0" },
            host: head.values("host").next(),
            user_agent: head.values("user-agent").next(),
            referer: head.values("referer").next(),
            status: record.status,
            bytes: record.bytes,
            body_bytes: exchange.body_received(),
            tunnel_bytes: exchange.tunnel_received(),
            at: SystemTime::now(),
            duration: record.duration,
            sent: exchange.is_sent(),
            failure: record.failure,
            cpu: record.cpu,
            queue: record.queued,
        }
    }

    /// The id that the client knows it by.
    pub fn request_id(&self) -> RequestId {
        RequestId::of(self.exchange)
    }

    /// When the request head was complete.
    pub fn began(&self) -> SystemTime {
        self.at.checked_sub(self.duration).unwrap_or(self.at)
    }
}

/// One to try the log and the traces with.
#[cfg(test)]
pub(super) fn example() -> EndedExchange<'static> {
    EndedExchange {
        exchange: 10,
        tenant: Some("acme"),
        app: Some("shop"),
        app_version: Some("0123456789ab"),
        peer: SocketAddr::from(([127, 0, 0, 1], 50_000)),
        local: SocketAddr::from(([127, 0, 0, 1], 80)),
        method: "GET",
        url: "/a?b=c",
        http_version: "1.1",
        host: Some(b"shop.example:80"),
        user_agent: Some(b"curl/8"),
        referer: None,
        status: 200,
        bytes: 2326,
        body_bytes: 3,
        tunnel_bytes: None,
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(971_211_337),
        duration: Duration::from_micros(1_000_500),
        sent: true,
        failure: None,
        cpu: Duration::from_micros(70),
        queue: Duration::from_micros(9),
    }
}
