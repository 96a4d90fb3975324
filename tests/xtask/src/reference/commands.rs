//! The command line's page: what `innkeeper --help` and that of each
//! subcommand print. The texts are those that the tests compare with the
//! binary, so that none has to be built for a page.

use std::fs;

use anyhow::{Context, Result};
use innkeeper_harness::workspace;

use super::{Page, WRITTEN};

/// Where the help texts are, from the root of the repository.
const GOLDEN: &str = "tests/harness/golden";

pub fn page() -> Result<Page> {
    let folder = workspace::root().join(GOLDEN);
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("help") && name.ends_with(".txt")).collect();
    names.sort();
    let mut text = format!("# The command line\n\n{WRITTEN}\n\n");
    // The text of `innkeeper` itself has no name behind it and is the first.
    names.sort_by_key(|name| name != "help.txt");
    for name in names {
        let path = folder.join(&name);
        let help = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let command = name.trim_start_matches("help").trim_end_matches(".txt").replace('-', " ");
        text.push_str(&format!("## `innkeeper{command}`\n\n```help\n{}\n```\n\n", help.trim_end()));
    }
    Ok(Page { name: "cli.md".to_owned(), text: format!("{}\n", text.trim_end()) })
}
