//! A server from bind to drain: the only place that an embedder needs.
//!
//! `Server::bind` → `Server::addresses` → `Server::run`.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::app::App;
use crate::config::{Config, Limits};
use crate::handler::Handler;
use crate::wire::connection::Shared;
use crate::wire::drain::{Drain, DrainControl, DrainReport, Phase};
use crate::wire::listener::{Census, accept};
use crate::wire::site::{Control, Site};
use crate::wire::timeouts::Timeouts;

/// Connections that the system completes before they are accepted (Node: 511;
/// the system lowers it to what it allows).
const BACKLOG: i32 = 1024;

/// Time for the tasks of connections to end once they were told to.
const CUT_TIMEOUT: Duration = Duration::from_secs(2);

/// A server that listens, and does not serve yet.
pub struct Server {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    handler: Arc<Handler>,
    limits: Arc<Limits>,
    timeouts: Arc<Timeouts>,
    census: Census,
    control: Arc<DrainControl>,
    drain: Drain,
}

impl Server {
    /// Loads the app and binds every address. Must run in a tokio runtime.
    ///
    /// # Errors
    /// An app that cannot be served, an address that cannot be bound.
    pub async fn bind(config: &Config) -> Result<Self> {
        let (control, drain) = DrainControl::new();
        let (control, census) = (Arc::new(control), Census::default());
        let timeouts = Arc::new(Timeouts::new(&config.limits));
        let app = App::load(config, Control::new(control.clone(), census.clone(), timeouts.clone()))?;
        let listeners = config.listen.iter().map(|address| listen(*address)).collect::<Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
        Ok(Server {
            listeners,
            addresses,
            handler: Arc::new(Handler::new(app)),
            limits: Arc::new(config.limits.clone()),
            timeouts,
            census,
            control,
            drain,
        })
    }

    /// The addresses that it listens on, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `stop` completes or an app closes its server, then drains:
    /// idle connections close at once, exchanges in flight have
    /// `drain_timeout`, or until `cut` completes after `stop`. Dropping the future drops the listeners and leaves the
    /// connections to the runtime.
    pub async fn run(self, stop: impl Future<Output = ()>, cut: impl Future<Output = ()>) -> DrainReport {
        let Server { listeners, handler, limits, timeouts, census, control, drain, .. } = self;
        let drain_timeout = limits.drain_timeout;
        let shared = Shared { site: Arc::new(Site { limits, timeouts, drain }), answer: handler };
        for listener in listeners {
            tokio::spawn(accept(listener, census.clone(), shared.clone()));
        }
        drop(shared);
        let mut stop = pin!(stop);
        let stopped = tokio::select! {
            () = &mut stop => true,
            () = control.reached(Phase::Draining) => false,
        };
        if !control.advance(Phase::Draining) {
            tracing::info!(target: "drain", "draining: the app has closed its server");
        }
        let cut = async {
            if !stopped {
                // The first word to stop is no news.
                stop.await;
            }
            cut.await;
        };
        tokio::select! {
            drained = timeout(drain_timeout, control.connections_closed()) => {
                if drained.is_err() {
                    tracing::warn!(target: "drain", ?drain_timeout, "exchanges are cut: they took longer to finish");
                }
            }
            () = cut => tracing::warn!(target: "drain", "exchanges are cut: told to stop again"),
        }
        control.advance(Phase::Cut);
        if timeout(CUT_TIMEOUT, control.connections_closed()).await.is_err() {
            tracing::warn!(target: "drain", "some connections did not end in time");
        }
        control.report()
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let bound = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the connections of the last run to
        // leave TIME_WAIT. On Linux this does not let two servers share a port.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    bound().with_context(|| format!("cannot listen on {address}; choose another address with --listen"))
}
