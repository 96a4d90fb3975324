//! `cargo xtask node-cases`: the scripted cases, from the command line.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use innkeeper_harness::node_cases::{CASES, Outcome, Played, count, document, load, play_all};
use innkeeper_harness::workspace::root;

/// Play the scripted HTTP cases against the real binary
#[derive(clap::Args)]
pub struct Args {
    /// Files of cases [default: tests/node-cases/cases.json]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only the cases of these ids
    #[arg(long, value_name = "ID", num_args = 1..)]
    id: Vec<String>,
    /// Write docs/node-compat.md from the outcome
    #[arg(long, conflicts_with_all = ["id", "files"])]
    write_docs: bool,
}

/// Plays them, and fails if one of them does.
pub fn play(args: &Args) -> Result<()> {
    let default = [root().join(CASES)];
    let files = if args.files.is_empty() { default.as_slice() } else { args.files.as_slice() };
    let mut cases = Vec::new();
    for file in files {
        cases.extend(load(file)?);
    }
    if !args.id.is_empty() {
        if let Some(unknown) = args.id.iter().find(|id| !cases.iter().any(|case| case.id == **id)) {
            bail!("no case has the id `{unknown}`");
        }
        cases.retain(|case| args.id.contains(&case.id));
    }

    let played = play_all(cases, report)?;
    if args.write_docs {
        let path = root().join(document::PATH);
        fs::write(&path, document::render(&played))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let (passed, failed, skipped) = count(&played);
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 {
        bail!("{failed} cases failed");
    }
    Ok(())
}

fn report(played: &Played) {
    if let Outcome::Failed(why) = &played.outcome {
        // One call: cases end at the same time.
        println!("{} failed: {}\n{why}\n", played.case.id, played.case.title);
    }
}
