//! `innkeeper inspect`.

use std::path::PathBuf;
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Args;

use crate::guest::component::inspect;

/// Say what a component consists of: size, contract, exports, imports.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The component's file.
    component: PathBuf,
}

impl Inspect {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let facts = inspect(&self.component)?;
        println!("file:      {}", self.component.display());
        println!("size:      {} ({} bytes)", ByteSize(facts.bytes), facts.bytes);
        println!("contract:  {}", facts.contract.name());
        print_list("exports", &facts.exports);
        print_list("imports", &facts.imports);
        Ok(ExitCode::SUCCESS)
    }
}

fn print_list(title: &str, names: &[String]) {
    println!("{title}:");
    for name in names {
        println!("  {name}");
    }
    if names.is_empty() {
        println!("  none");
    }
}
