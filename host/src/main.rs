//! The `innkeeper` program: reads the command line, runs it, and says what
//! went wrong.

use std::process::ExitCode;

use clap::Parser as _;
use innkeeper::cli::Cli;

/// An exchange allocates a few dozen small things, often on one thread and
/// freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
