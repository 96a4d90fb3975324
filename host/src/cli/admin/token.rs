//! `innkeeper token`: who may administer what.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use reqwest::Method;

use super::access::AdminFlags;
use super::output::{plain, table};
use crate::admin::views::{NewTokenView, TokenSpec, TokenView};
use crate::config::Name;

/// Make, list and revoke tokens for the administration.
#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Make(Make),
    List(List),
    Revoke(Revoke),
}

/// Make a token, and print it: it is not shown again.
#[derive(Debug, Args)]
struct Make {
    /// The tenant whose apps it is for; an operator's if not given.
    #[arg(long)]
    tenant: Option<Name>,

    /// What it is for.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    label: String,

    #[command(flatten)]
    flags: AdminFlags,
}

/// List tokens, without what opens.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    flags: AdminFlags,
}

/// Revoke a token: it opens nothing any more.
#[derive(Debug, Args)]
struct Revoke {
    /// The token's id; `innkeeper token list` has it.
    id: String,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Token {
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Make(make) => make.run(),
            Command::List(list) => list.run(),
            Command::Revoke(revoke) => revoke.run(),
        }
    }
}

impl Make {
    fn run(self) -> Result<ExitCode> {
        let Make { tenant, label, flags } = self;
        flags.run(async |session| {
            let spec = TokenSpec { tenant: tenant.map(String::from), label };
            let answer = session.client.ask_with(Method::POST, &["v1", "tokens"], &spec).await?;
            // The token alone, so that it can go into a file or a variable.
            session.tell(&answer, |made: NewTokenView| made.token)
        })
    }
}

impl List {
    fn run(self) -> Result<ExitCode> {
        self.flags.run(async |session| {
            let answer = session.client.ask(Method::GET, &["v1", "tokens"]).await?;
            session.tell(&answer, |tokens: Vec<TokenView>| {
                let mut table = table(["ID", "FOR", "LABEL", "CREATED"]);
                for token in tokens {
                    let whose =
                        token.tenant.map_or("operator".to_owned(), |tenant| format!("tenant {tenant}"));
                    table.add_row([token.id, whose, plain(&token.label), token.created]);
                }
                table.trim_fmt()
            })
        })
    }
}

impl Revoke {
    fn run(self) -> Result<ExitCode> {
        let Revoke { id, flags } = self;
        flags.run(async |session| {
            session.client.ask(Method::DELETE, &["v1", "tokens", &id]).await?;
            session.remark(&format!("token {id} is revoked"))
        })
    }
}
