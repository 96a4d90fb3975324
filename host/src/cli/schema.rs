//! `innkeeper schema`.

use std::process::ExitCode;

use clap::Args;

use crate::config::file;

/// Print the JSON Schema of configuration files, for editors.
#[derive(Debug, Args)]
pub struct Schema {}

impl Schema {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        println!("{}", serde_json::to_string_pretty(&file::schema())?);
        Ok(ExitCode::SUCCESS)
    }
}
