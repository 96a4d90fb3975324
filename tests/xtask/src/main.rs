//! The repository's tasks. `cargo xtask --help` lists them; what they share
//! with the tests is in `tests/harness`.

mod bench;
mod chromium;
mod debian;
mod node_cases;
mod reference;
mod run;
mod servers;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use innkeeper_harness::guests;

/// Tasks of the Innkeeper repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and serve an example on 127.0.0.1:8080
    Run(run::Args),
    /// Build the examples and test guests, and print where they are
    Guests,
    /// Check and test everything, as CI does
    Test(test::Args),
    /// Play the scripted HTTP cases against the real binary
    NodeCases(node_cases::Args),
    /// Write docs/reference from the contract and the help texts
    Reference,
    /// Measure the host beside its baselines, and write docs/benchmarks.md
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Run(args) => run::run(&args),
        Task::Guests => print_guests(),
        Task::Test(args) => test::test(&args),
        Task::NodeCases(args) => node_cases::play(&args),
        Task::Reference => reference::write(),
        Task::Bench(args) => bench::bench(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_guests() -> Result<()> {
    for (name, path) in guests::all()? {
        println!("{name} {}", path.display());
    }
    Ok(())
}
