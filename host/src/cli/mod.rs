//! The command line: one file for each subcommand, and one for what their
//! flags have in common.

mod check;
mod completions;
mod inspect;
mod limits;
mod reload;
mod schema;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Serve(Box<serve::Serve>),
    Inspect(inspect::Inspect),
    Check(check::Check),
    Schema(schema::Schema),
    Completions(completions::Completions),
}

impl Cli {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// Whatever keeps it from its purpose, with the remedy where there is one.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(serve) => serve.run(),
            Command::Inspect(inspect) => inspect.run(),
            Command::Check(check) => check.run(),
            Command::Schema(schema) => schema.run(),
            Command::Completions(completions) => completions.run(),
        }
    }
}
