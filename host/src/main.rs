//! The `innkeeper` program: reads the command line, runs it, and says what
//! went wrong.

use std::process::ExitCode;

use clap::Parser as _;
use innkeeper::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
