//! The sockets that a server listens on. They can change while it serves: an
//! address that stays keeps its socket, and with it what waits there to be
//! accepted.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::wire::listener::{Census, RefusedHook, SharedNow, accept};

/// Connections that the system completes before they are accepted (Node: 511;
/// the system lowers it to what it allows).
const BACKLOG: i32 = 1024;

/// All of them.
#[derive(Default)]
pub struct Listeners {
    open: Mutex<Vec<Open>>,
}

/// One that is bound.
struct Open {
    /// As it was asked for, perhaps with port 0.
    asked: SocketAddr,
    bound: SocketAddr,
    /// Until somebody accepts.
    listener: Option<TcpListener>,
    accepting: Option<AbortOnDropHandle<()>>,
}

impl Listeners {
    /// Binds these addresses.
    ///
    /// # Errors
    /// An address that cannot be bound.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self> {
        let open = addresses.iter().map(|address| Open::bind(*address)).collect::<Result<_>>()?;
        Ok(Listeners { open: Mutex::new(open) })
    }

    /// The addresses, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.open.lock().iter().map(|open| open.bound).collect()
    }

    /// Binds those of `addresses` that are not there yet, for
    /// [`Listeners::adopt`].
    ///
    /// # Errors
    /// An address that cannot be bound; then none is.
    pub fn prepare(&self, addresses: &[SocketAddr]) -> Result<Listeners> {
        let known: Vec<_> = self.open.lock().iter().map(|open| open.asked).collect();
        let fresh: Vec<_> = addresses.iter().filter(|address| !known.contains(address)).copied().collect();
        Listeners::bind(&fresh)
    }

    /// Takes `fresh` in and lets go of what is not among `addresses`:
    /// connections from there go on.
    pub fn adopt(&self, fresh: Listeners, addresses: &[SocketAddr]) {
        let mut open = self.open.lock();
        open.retain(|open| addresses.contains(&open.asked));
        open.append(&mut fresh.open.into_inner());
    }

    /// Accepts on all that nobody accepts on yet.
    pub fn accept(&self, census: &Census, refused: &RefusedHook, shared: &SharedNow) {
        for open in &mut *self.open.lock() {
            if let Some(listener) = open.listener.take() {
                let accepting = accept(listener, census.clone(), refused.clone(), shared.clone());
                open.accepting = Some(AbortOnDropHandle::new(tokio::spawn(accepting)));
            }
        }
    }
}

impl Open {
    fn bind(asked: SocketAddr) -> Result<Self> {
        let bound = || -> std::io::Result<Open> {
            let socket = Socket::new(Domain::for_address(asked), Type::STREAM, Some(Protocol::TCP))?;
            // A restart must not wait for the connections of the last run to
            // leave TIME_WAIT. On Linux this does not let two servers share a port.
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&SockAddr::from(asked))?;
            socket.listen(BACKLOG)?;
            let listener = TcpListener::from_std(socket.into())?;
            Ok(Open { asked, bound: listener.local_addr()?, listener: Some(listener), accepting: None })
        };
        bound().with_context(|| {
            format!("cannot listen on {asked}; choose another address with --listen or listen")
        })
    }
}
