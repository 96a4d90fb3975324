//! `innkeeper drain`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use reqwest::Method;
use tokio::time::sleep;

use super::access::AdminFlags;
use crate::admin::views::HostView;
use crate::cli::client::{AskError, Client};

/// Time between two looks at whether the host is gone.
const LOOK: Duration = Duration::from_millis(100);

/// Have the host drain and end, as SIGTERM would.
#[derive(Debug, Args)]
pub struct Drain {
    /// Return when the host has ended its administration, which it does last.
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Drain {
    pub fn run(self) -> Result<ExitCode> {
        let Drain { wait, flags } = self;
        flags.run(async |session| {
            let answer = session.client.ask(Method::POST, &["v1", "drain"]).await?;
            session.tell(&answer, |host: HostView| {
                format!("draining: {} exchanges in flight, {} waiting", host.exchanges.used, host.queued)
            })?;
            if wait {
                gone(&session.client).await?;
                session.remark("the host has ended")?;
            }
            Ok(())
        })
    }
}

/// Waits until the host does not answer any more.
async fn gone(client: &Client) -> Result<(), AskError> {
    loop {
        match client.ask(Method::GET, &["livez"]).await {
            Ok(_) => sleep(LOOK).await,
            Err(AskError::Unreachable { .. } | AskError::Broken { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
