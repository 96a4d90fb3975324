//! From an origin to a connection: its addresses, each of which is asked about
//! before it is connected to, and TLS where the scheme says so. What a guest
//! may ask at all was decided before (`policy`); keeps no connection.

mod race;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::outbound::error::OutboundError;
use crate::outbound::origin::{Host, Origin, Scheme};
use crate::outbound::policy::{Clearance, Refusal};
use crate::outbound::resolver::Resolver;
use crate::outbound::stream::Stream;
use crate::outbound::tls::TlsIdentity;
use race::{interleaved, race};

/// How long an attempt is alone before the next address is tried beside it
/// (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Addresses of one name that are tried at most. Whoever answers for a name
/// must not have the host knock at hundreds of doors.
const ATTEMPTS_MAX: usize = 16;

/// Makes the connections of one app. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    resolver: Arc<Resolver>,
    tls: Arc<TlsIdentity>,
}

/// The protocols that are offered to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// HTTP/1.1 and no other.
    Http1,
    /// HTTP/2 if the server has it, or else HTTP/1.1. Only TLS asks: without
    /// it, HTTP/1.1 it is.
    Negotiated,
    /// HTTP/2 and no other; without TLS the server is taken to know (RFC 9113,
    /// 3.3).
    Http2,
}

/// A connection.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: Stream,
    /// Whether HTTP/2 is spoken on it.
    pub http2: bool,
}

/// Why there is no connection to an address.
enum Failure {
    Refused(Refusal),
    Unreachable(SocketAddr, io::Error),
}

impl Connector {
    /// Makes connections for an app that shows itself with this identity.
    pub fn new(resolver: Arc<Resolver>, tls: Arc<TlsIdentity>) -> Self {
        Connector { resolver, tls }
    }

    /// What tells its connections from those of other identities.
    pub fn identity(&self) -> u64 {
        self.tls.id()
    }

    /// Connects to an origin as far as the clearance goes. With
    /// `tcp_keep_alive` the system looks after an idle connection, for the
    /// first time after so long. It takes its time: the caller has the
    /// timeout. Dropping it gives everything up.
    ///
    /// # Errors
    /// `Dns`, `Denied` if there are addresses and none is allowed, `Connect`,
    /// `Tls`, `HangUp` if the server ends the handshake.
    pub async fn connect(
        &self,
        origin: &Origin,
        clearance: &Clearance,
        alpn: Alpn,
        tcp_keep_alive: Option<Duration>,
    ) -> Result<Connected, OutboundError> {
        let addresses = match &origin.host {
            Host::Ip(address) => vec![*address],
            Host::Name(name) => self.resolver.look_up(name).await?,
        };
        let tcp = connect_any(addresses, origin, clearance).await?;
        let unusable = |error: io::Error| OutboundError::Connect(format!("connection to {origin}: {error}"));
        tcp.set_nodelay(true).map_err(unusable)?;
        let (stream, http2) = match origin.scheme {
            Scheme::Http => (Stream::plain(tcp), alpn == Alpn::Http2),
            Scheme::Https => {
                let (tls, http2) = self.tls.handshake(tcp, &origin.host, alpn).await?;
                (Stream::tls(tls), http2)
            }
        };
        let stream = stream.map_err(unusable)?;
        if let Some(delay) = tcp_keep_alive {
            stream.set_keep_alive(true, delay).map_err(unusable)?;
        }
        Ok(Connected { stream, http2 })
    }
}

/// Connects to whichever of an origin's addresses answers first.
async fn connect_any(
    addresses: Vec<IpAddr>,
    origin: &Origin,
    clearance: &Clearance,
) -> Result<TcpStream, OutboundError> {
    let attempts = interleaved(addresses).into_iter().take(ATTEMPTS_MAX);
    let attempt = |address| attempt(SocketAddr::new(address, origin.port), clearance);
    race(attempts, ATTEMPT_DELAY, attempt).await.map_err(|failures| why(origin, failures))
}

/// Asks about the address and connects to that same address: nobody looks
/// anything up in between.
async fn attempt(address: SocketAddr, clearance: &Clearance) -> Result<TcpStream, Failure> {
    if let Err(refusal) = clearance.check(address.ip()) {
        tracing::debug!(target: "outbound", %refusal, "address not tried");
        return Err(Failure::Refused(refusal));
    }
    TcpStream::connect(address).await.map_err(|error| Failure::Unreachable(address, error))
}

/// Why there is no connection at all: what was refused counts only if nothing
/// was tried.
fn why(origin: &Origin, failures: Vec<Failure>) -> OutboundError {
    let (mut refusal, mut tried) = (None, Vec::new());
    for failure in failures {
        match failure {
            Failure::Refused(refused) => refusal = refusal.or(Some(refused)),
            Failure::Unreachable(address, error) => tried.push(format!("{address}: {error}")),
        }
    }
    match refusal {
        Some(refusal) if tried.is_empty() => refusal.into(),
        _ => OutboundError::Connect(format!("cannot connect to {origin}: {}", tried.join("; "))),
    }
}

#[cfg(test)]
mod tests;
