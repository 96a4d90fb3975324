//! `innkeeper openapi`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::output::say;
use crate::admin;

/// Print the OpenAPI document of the administration; no host is needed for it.
#[derive(Debug, Args)]
pub struct Openapi {}

impl Openapi {
    pub fn run(self) -> Result<ExitCode> {
        say(&serde_json::to_string_pretty(&admin::openapi())?)?;
        Ok(ExitCode::SUCCESS)
    }
}
