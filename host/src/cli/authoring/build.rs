//! `innkeeper build`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bytesize::ByteSize;
use clap::Args;
use serde_json::json;

use super::building::{self, Options, Profile};
use super::project::Project;
use super::tools::Install;
use crate::guest::component::inspect;

/// Build a component: a project in Rust, JavaScript or Python, by the tools of
/// its language, which are installed if they are missing. What they print goes
/// to standard error; standard output has the component's file, size and
/// contract.
#[derive(Debug, Args)]
pub struct Build {
    /// The project's folder.
    #[arg(default_value = ".")]
    folder: PathBuf,

    /// Rust: compile quickly and with the lines of the sources, instead of for
    /// speed.
    #[arg(long)]
    debug: bool,

    #[command(flatten)]
    flags: BuildFlags,

    /// The result as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// What is said of a build wherever there is one.
#[derive(Debug, Args)]
pub struct BuildFlags {
    /// Say what is missing and how it is installed, and install nothing.
    #[arg(long)]
    no_install: bool,

    /// Python: the world of `wit` that the component is of, if there are
    /// several.
    #[arg(long)]
    world: Option<String>,
}

impl Build {
    pub fn run(self) -> Result<ExitCode> {
        let project = Project::find(&self.folder)?;
        let profile = if self.debug { Profile::Debug } else { Profile::Release };
        let component = building::build(&project, &self.flags.options(profile))?;
        let facts = inspect(&component)?;
        if self.json {
            let told = json!({
                "component": component,
                "bytes": facts.bytes,
                "contract": facts.contract.name(),
                "language": project.language.name(),
            });
            println!("{told}");
        } else {
            println!("component: {}", component.display());
            println!("size:      {} ({} bytes)", ByteSize(facts.bytes), facts.bytes);
            println!("contract:  {}", facts.contract.name());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl BuildFlags {
    /// What is to be done.
    pub fn options(&self, profile: Profile) -> Options {
        let install = if self.no_install { Install::Forbidden } else { Install::Allowed };
        Options { profile, install, world: self.world.clone() }
    }
}
