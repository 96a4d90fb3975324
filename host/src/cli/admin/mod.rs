//! The subcommands that speak to a host's administration, one file for each
//! subject. Here: what their flags have in common, and what each of them is
//! run in. How to ask is in `cli::client`.

pub mod access;
pub mod output;
pub mod deploy;
pub mod versions;
pub mod apps;
pub mod tenants;
pub mod logs;
pub mod top;
pub mod live;
pub mod drain;
pub mod token;
pub mod openapi;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use self::access::AdminFlags;
use self::output::say;
use super::client::{Answer, Client};

/// What a subcommand is run in.
pub struct Session {
    /// The host.
    pub client: Client,
    /// Whether its JSON is wanted instead of words.
    pub json: bool,
}

impl AdminFlags {
    /// Runs a subcommand against the host that the flags name.
    ///
    /// # Errors
    /// What the subcommand says, and flags that name no host or no token.
    pub fn run(self, work: impl AsyncFnOnce(Session) -> Result<()>) -> Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start")?;
        runtime.block_on(async {
            let json = self.json();
            work(Session { client: self.client()?, json }).await
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Session {
    /// Prints an answer: as it is, or in the words that are made of it.
    ///
    /// # Errors
    /// A closed standard output, a host of another version.
    pub fn tell<T: DeserializeOwned>(&self, answer: &Answer, words: impl FnOnce(T) -> String) -> Result<()> {
        if self.json {
            return say(answer.text.trim_end());
        }
        say(&words(answer.read()?))
    }

    /// Prints a line, unless JSON is wanted: then there is nothing to be said.
    ///
    /// # Errors
    /// A closed standard output.
    pub fn remark(&self, line: &str) -> Result<()> {
        if self.json { Ok(()) } else { say(line) }
    }
}
