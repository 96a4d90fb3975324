//! `innkeeper exchanges` and `innkeeper cut`: what is in flight, and ending it.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use reqwest::Method;

use super::access::AdminFlags;
use super::output::{plain, short_time, table};
use crate::admin::views::{CutView, ExchangeView};
use crate::config::Name;

/// List the exchanges in flight, those of the oldest connections first.
#[derive(Debug, Args)]
pub struct Exchanges {
    /// Only those of this app.
    #[arg(long)]
    app: Option<Name>,

    /// How many at most.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Exchanges {
    pub fn run(self) -> Result<ExitCode> {
        let Exchanges { app, limit, flags } = self;
        flags.run(async |session| {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(app.map(|app| ("app", app.to_string())));
            let answer = session.client.ask_for(&["v1", "exchanges"], &query).await?;
            session.tell(&answer, |exchanges: Vec<ExchangeView>| list(&exchanges))
        })
    }
}

fn list(exchanges: &[ExchangeView]) -> String {
    let mut table = table(["ID", "CONNECTION", "APP", "VERSION", "AGE", "PEER", "REQUEST"]);
    for exchange in exchanges {
        let request = format!("{} {}", plain(&exchange.method), plain(&exchange.url));
        table.add_row([
            exchange.id.to_string(),
            exchange.connection.to_string(),
            exchange.app.clone().unwrap_or_else(|| "-".to_owned()),
            exchange.version.clone().unwrap_or_else(|| "-".to_owned()),
            short_time(exchange.age_seconds),
            exchange.peer.clone(),
            if exchange.tunnel { format!("{request} (tunnel)") } else { request },
        ]);
    }
    table.trim_fmt()
}

/// Cut an exchange, or a connection with what is in flight on it.
#[derive(Debug, Args)]
pub struct Cut {
    /// What is to be cut. An exchange takes its connection with it.
    #[arg(value_enum)]
    what: Cuttable,

    /// Its number; `innkeeper exchanges` lists both.
    id: u64,

    #[command(flatten)]
    flags: AdminFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Cuttable {
    Exchange,
    Connection,
}

impl Cut {
    pub fn run(self) -> Result<ExitCode> {
        let Cut { what, id, flags } = self;
        flags.run(async |session| {
            let kind = match what {
                Cuttable::Exchange => "exchanges",
                Cuttable::Connection => "connections",
            };
            let answer = session.client.ask(Method::DELETE, &["v1", kind, &id.to_string()]).await?;
            session.tell(&answer, |cut: CutView| format!("connection {} is cut", cut.connection))
        })
    }
}
