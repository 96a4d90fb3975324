//! The administration's socket, TCP or Unix, and its connections: few, with a
//! time limit for each head, and none of them in the way of another.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::AdminAddress;

/// Connections at once: operators and their tools are few.
const CONNECTIONS_MAX: usize = 64;

/// Time for a request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for answers that are under way when it ends.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Wait after an `accept` that failed.
const BACKOFF: Duration = Duration::from_millis(100);

/// A socket that is bound.
pub(super) enum Socket {
    Tcp(TcpListener, std::net::SocketAddr),
    Unix(UnixListener, UnixPath),
}

/// The path of a Unix socket, removed with it.
pub(super) struct UnixPath(PathBuf);

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Socket {
    /// Binds an address. A Unix socket is for its owner only; one that a host
    /// left behind that is no more is replaced.
    ///
    /// # Errors
    /// An address that cannot be bound.
    pub async fn bind(address: &AdminAddress) -> Result<Self> {
        match address {
            AdminAddress::Tcp(address) => {
                let listener = TcpListener::bind(address).await;
                let listener =
                    listener.with_context(|| format!("cannot listen on {address} for administration"))?;
                let bound = listener.local_addr()?;
                Ok(Socket::Tcp(listener, bound))
            }
            AdminAddress::Unix(path) => {
                remove_left_behind(path).await?;
                let cannot = || format!("cannot listen on {} for administration", path.display());
                let listener = UnixListener::bind(path).with_context(cannot)?;
                let owner_only = std::fs::Permissions::from_mode(0o600);
                std::fs::set_permissions(path, owner_only).with_context(cannot)?;
                Ok(Socket::Unix(listener, UnixPath(path.clone())))
            }
        }
    }

    /// The address, as the client takes it.
    pub fn address(&self) -> String {
        match self {
            Socket::Tcp(_, bound) => format!("http://{bound}"),
            Socket::Unix(_, UnixPath(path)) => format!("unix:{}", path.display()),
        }
    }

    /// Serves until told to stop, and then what is under way for a little
    /// longer.
    pub async fn serve(self, router: Router, mut stopped: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            // The next one waits in the system's queue for a place.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                () = told(&mut stopped) => break,
            };
            match accepted {
                Ok(stream) => {
                    let (router, stopped) = (router.clone(), stopped.clone());
                    connections.spawn(async move {
                        connection(stream, router, stopped).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection of the administration");
                    sleep(BACKOFF).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
        drop(self);
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(STOP_TIMEOUT, all).await;
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Socket::Tcp(listener, _) => Box::new(listener.accept().await?.0),
            Socket::Unix(listener, _) => Box::new(listener.accept().await?.0),
        })
    }
}

async fn connection(stream: Box<dyn Stream>, router: Router, mut stopped: watch::Receiver<bool>) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let serving = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        () = told(&mut stopped) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the administration broke");
    }
}

/// Waits for the word to stop; whoever would say it being gone is as good.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Removes a socket that nobody listens on any more, and nothing else.
async fn remove_left_behind(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(found) if !found.file_type().is_socket() => {
            bail!(
                "{} is there already, and is no socket; choose another path for admin.listen",
                path.display()
            )
        }
        Ok(_) => {}
    }
    if UnixStream::connect(path).await.is_ok() {
        bail!("another host is administered at {}; choose another path for admin.listen", path.display());
    }
    std::fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        // If it is gone, so much the better.
        let _ = std::fs::remove_file(&self.0);
    }
}
