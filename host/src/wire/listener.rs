//! Accepts connections and starts a task for each, within the limits in all
//! and per peer. An error of `accept` never ends it.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::wire::connection::{Connection, Shared};
use crate::wire::drain::Phase;
use crate::wire::socket::Socket;

/// First wait after a failed `accept`; it doubles up to the second figure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What a peer with too many connections is told.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 39\r\n\r\n\
    too many connections from this address\n";

/// How long a refused peer may take to read that, and how many may at once.
const REFUSAL: (Duration, usize) = (Duration::from_secs(1), 64);

/// Counts open connections, in all and per peer.
#[derive(Debug, Clone, Default)]
pub struct Census {
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    refusals: usize,
    peers: HashMap<IpAddr, usize>,
}

/// A connection's place in the census; dropping it gives it back.
#[derive(Debug)]
struct Place {
    census: Census,
    peer: IpAddr,
}

/// Why a connection has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// `connections_max`.
    All,
    /// `connections_per_peer_max`.
    Peer,
}

/// What the next connection is made with; none once the server drains. It may
/// be another each time: limits change while the server runs.
pub type SharedNow = Arc<dyn Fn() -> Option<Shared> + Send + Sync>;

/// Hears of each connection that has no place.
pub type RefusedHook = Arc<dyn Fn(Full) + Send + Sync>;

/// Accepts until draining begins. Dropping the future closes the listener.
pub async fn accept(listener: TcpListener, census: Census, refused: RefusedHook, shared: SharedNow) {
    let Some(drain) = shared().map(|shared| shared.site.drain.clone()) else { return };
    let mut backoff = BACKOFF.0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.reached(Phase::Draining) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                backoff = BACKOFF.0;
                let Some(shared) = shared() else { return };
                if let Err(full) = admit(stream, peer, &census, &shared) {
                    refused(full);
                }
            }
            // The peer was gone before we came; there is nothing to wait for.
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, retry_in = ?backoff, "cannot accept connections");
                sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF.1);
            }
        }
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, census: &Census, shared: &Shared) -> Result<(), Full> {
    let entered = census.enter(
        network_of(peer.ip()),
        shared.site.limits.connections_max,
        shared.site.limits.connections_per_peer_max,
    );
    match entered {
        Ok(place) => {
            let socket = match Socket::new(stream, peer) {
                Ok(socket) => socket,
                Err(error) => {
                    tracing::debug!(%peer, %error, "connection lost before it began");
                    return Ok(());
                }
            };
            let connection = Connection::new(socket, shared.clone());
            tokio::spawn(async move {
                connection.run().await;
                drop(place);
            });
            Ok(())
        }
        Err(Full::All) => {
            tracing::warn!(%peer, connections_max = shared.site.limits.connections_max, "connection closed: too many");
            Err(Full::All)
        }
        Err(Full::Peer) => {
            let connections_per_peer_max = shared.site.limits.connections_per_peer_max;
            tracing::warn!(%peer, connections_per_peer_max, "connection refused: too many of this peer");
            refuse(stream, peer, census);
            Err(Full::Peer)
        }
    }
}

/// Tells a peer that it has too many connections, without letting it cost a
/// connection.
fn refuse(stream: TcpStream, peer: SocketAddr, census: &Census) {
    let Ok(socket) = Socket::new(stream, peer) else { return };
    let census = census.clone();
    {
        let mut counts = census.counts.lock();
        if counts.refusals >= REFUSAL.1 {
            return;
        }
        counts.refusals += 1;
    }
    tokio::spawn(async move {
        // A new socket has room for so little; if not, the close says it too.
        let _ = socket.try_write(&[IoSlice::new(TOO_MANY)]);
        socket.shutdown_write();
        let mut scrap = Vec::with_capacity(1024);
        let until_closed = async {
            while let Ok(1..) = std::future::poll_fn(|cx| socket.poll_read(cx, &mut scrap, 1024)).await {
                scrap.clear();
            }
        };
        let _ = tokio::time::timeout(REFUSAL.0, until_closed).await;
        census.counts.lock().refusals -= 1;
    });
}

impl Census {
    /// Open connections in all.
    pub fn count(&self) -> usize {
        self.counts.lock().all
    }

    fn enter(&self, peer: IpAddr, all_max: usize, peer_max: usize) -> Result<Place, Full> {
        let mut counts = self.counts.lock();
        if counts.all >= all_max {
            return Err(Full::All);
        }
        let of_peer = counts.peers.entry(peer).or_insert(0);
        if *of_peer >= peer_max {
            return Err(Full::Peer);
        }
        *of_peer += 1;
        counts.all += 1;
        Ok(Place { census: self.clone(), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.census.counts.lock();
        counts.all -= 1;
        if let Some(of_peer) = counts.peers.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                counts.peers.remove(&self.peer);
            }
        }
    }
}

/// What counts as one peer: an IPv4 address, or an IPv6 network of 64 bits,
/// all of which one host may use.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address => address,
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
