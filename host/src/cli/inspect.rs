//! `innkeeper inspect`.

use std::path::PathBuf;
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Args;

use crate::config::{Cache, Limits};
use crate::guest::component::{Contract, inspect};
use crate::guest::engine::Engine;

/// Say what a component consists of: size, contract, exports, imports.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The component's file.
    component: PathBuf,
}

impl Inspect {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let limits = Limits { instances_max: 1, ..Limits::default() };
        let engine = Engine::new(&limits, &Cache::Default)?;
        let facts = inspect(&engine, &self.component)?;
        println!("file:      {}", self.component.display());
        println!("size:      {} ({} bytes)", ByteSize(facts.bytes), facts.bytes);
        let contract = match facts.contract {
            Contract::Innkeeper => "innkeeper:http/handler@0.1.0",
            Contract::WasiHttp => "wasi:http (not served by this version)",
            Contract::Unknown => "none that this host serves",
        };
        println!("contract:  {contract}");
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
