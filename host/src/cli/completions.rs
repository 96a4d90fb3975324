//! `innkeeper completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

/// Print the completion script of a shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell to complete in.
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        generate(self.shell, &mut super::Cli::command(), "innkeeper", &mut std::io::stdout());
        Ok(ExitCode::SUCCESS)
    }
}
