//! The administration: an HTTP API of its own, on an address of its own. Here:
//! its life. What it offers is in one file for each subject; `api` lists it
//! all, for the router and for the OpenAPI document alike.

mod api;
mod auth;
mod apps;
mod versions;
mod tenants;
mod live;
mod logs;
mod host;
mod serve;
pub mod views;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin::auth::{Problem, Tokens};
use crate::admin::serve::Socket;
use crate::config::AdminConfig;
use crate::deploy::DeployError;
use crate::server::Steering;

pub use api::openapi;

/// An administration that listens, and does not serve yet.
pub struct Admin {
    socket: Socket,
    state: Arc<AdminState>,
}

/// One that serves.
pub struct Administration {
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// What every request to it has at hand.
pub(crate) struct AdminState {
    steering: Arc<Steering>,
    tokens: Tokens,
}

/// Makes a change, whether the client that wanted it waits for that or goes
/// away: what is written down must come into effect.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let changed = tokio::spawn(change).await;
    changed.map_err(|error| DeployError::Broken(error.to_string()))?
}

impl Admin {
    /// Binds the address, and reads the operator's token or makes it.
    ///
    /// # Errors
    /// An address that cannot be bound, a token file that others can read.
    pub async fn bind(config: &AdminConfig, steering: Arc<Steering>) -> Result<Self> {
        let store = steering.deployer().store().context("the administration needs `state`")?.clone();
        let tokens = Tokens::new(&config.token_file, store)?;
        let socket = Socket::bind(&config.listen).await?;
        Ok(Admin { socket, state: Arc::new(AdminState { steering, tokens }) })
    }

    /// Where it listens, as the client takes it.
    pub fn address(&self) -> String {
        self.socket.address()
    }

    /// Begins to serve.
    pub fn serve(self) -> Administration {
        let (stop, stopped) = watch::channel(false);
        Administration { stop, serving: tokio::spawn(self.socket.serve(api::router(self.state), stopped)) }
    }
}

impl Administration {
    /// Ends it: answers what was asked already.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        // It ends by itself, in bounded time.
        let _ = self.serving.await;
    }
}
