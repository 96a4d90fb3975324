//! The command line: one file for each subcommand, and one for what their
//! flags have in common. Those that speak to a host are in `admin`, those for
//! authors of handlers in `authoring`.

mod admin;
mod authoring;
mod check;
mod client;
mod component;
mod completions;
mod inspect;
mod limits;
mod outbound;
mod keyvalue;
mod reload;
mod schema;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::admin::output::ClosedOutput;

/// An HTTP server that keeps guests: sandboxed WebAssembly components behind
/// Node's http interface.
#[derive(Debug, Parser)]
#[command(name = "innkeeper", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(authoring::build::Build),
    Dev(Box<authoring::dev::Dev>),
    Serve(Box<serve::Serve>),
    New(authoring::new::New),
    Inspect(inspect::Inspect),
    Check(check::Check),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Deploy(Box<admin::deploy::Deploy>),
    Activate(admin::versions::Activate),
    Rollback(admin::versions::Rollback),
    Apps(admin::apps::Apps),
    Delete(admin::apps::Delete),
    Tenants(admin::tenants::Tenants),
    Quota(admin::tenants::Quota),
    Logs(admin::logs::Logs),
    Top(admin::top::Top),
    Exchanges(admin::live::Exchanges),
    Cut(admin::live::Cut),
    Drain(admin::drain::Drain),
    Token(admin::token::Token),
    Openapi(admin::openapi::Openapi),
}

impl Cli {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Whatever keeps it from its purpose, with the remedy where there is one.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let ran = match self.command {
            Command::Build(build) => build.run(),
            Command::Dev(dev) => dev.run(),
            Command::Serve(serve) => serve.run(),
            Command::New(new) => new.run(),
            Command::Inspect(inspect) => inspect.run(),
            Command::Check(check) => check.run(),
            Command::Schema(schema) => schema.run(),
            Command::Completions(completions) => completions.run(),
            Command::Deploy(deploy) => deploy.run(),
            Command::Activate(activate) => activate.run(),
            Command::Rollback(rollback) => rollback.run(),
            Command::Apps(apps) => apps.run(),
            Command::Delete(delete) => delete.run(),
            Command::Tenants(tenants) => tenants.run(),
            Command::Quota(quota) => quota.run(),
            Command::Logs(logs) => logs.run(),
            Command::Top(top) => top.run(),
            Command::Exchanges(exchanges) => exchanges.run(),
            Command::Cut(cut) => cut.run(),
            Command::Drain(drain) => drain.run(),
            Command::Token(token) => token.run(),
            Command::Openapi(openapi) => openapi.run(),
        };
        match ran {
            // Nobody reads any more: whoever it was has all that they wanted.
            Err(error) if error.is::<ClosedOutput>() => Ok(ExitCode::SUCCESS),
            ran => ran,
        }
    }
}
