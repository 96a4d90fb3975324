//! `innkeeper check`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::config::{Cache, Limits};
use crate::guest::component::{Guest, Linked};
use crate::guest::engine::Engine;

/// Load and link a component as `serve` would; exit with 0 if it fits, with 1
/// and the reason if not.
#[derive(Debug, Args)]
pub struct Check {
    /// The component's file.
    component: PathBuf,
}

impl Check {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // One instance is enough to check with, and needs no room.
        let limits = Limits { instances_max: 1, ..Limits::default() };
        let engine = Engine::new(&limits, &Cache::Default)?;
        let bytes = std::fs::read(&self.component)
            .with_context(|| format!("cannot read {}", self.component.display()))?;
        Guest::load(&engine, &Linked::new(&engine)?, &bytes, &self.component)?;
        println!("{}: fits", self.component.display());
        Ok(ExitCode::SUCCESS)
    }
}
