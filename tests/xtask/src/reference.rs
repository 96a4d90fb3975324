//! `cargo xtask reference`: the pages of `docs/reference`, made of what they
//! describe, so that they cannot say something else: the contract's of its
//! WIT, the command line's of the help texts that the tests hold. A test fails
//! when one is out of date.

mod commands;
mod contract;
mod types;

use std::fs;

use anyhow::{Context, Result};
use innkeeper_harness::workspace;

/// Where the pages are, from the root of the repository.
const FOLDER: &str = "docs/reference";

/// What every page begins with below its heading.
const WRITTEN: &str = "Written by `cargo xtask reference`; a test fails when it is out of date.";

/// A page: its name in the folder, and its text.
struct Page {
    name: String,
    text: String,
}

/// Writes all pages.
pub fn write() -> Result<()> {
    for Page { name, text } in pages()? {
        let path = workspace::root().join(FOLDER).join(&name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{FOLDER}/{name}");
    }
    Ok(())
}

fn pages() -> Result<Vec<Page>> {
    let mut pages = contract::pages()?;
    pages.push(commands::page()?);
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use innkeeper_harness::golden;

    use super::*;

    #[test]
    fn the_reference_is_current() {
        let pages = pages().expect("the pages can be made");
        for Page { name, text } in &pages {
            golden::check(&format!("{FOLDER}/{name}"), text);
        }
        let folder = fs::read_dir(workspace::root().join(FOLDER)).expect("the folder is there");
        let names = folder.map(|entry| entry.expect("it can be listed").file_name());
        let gone: Vec<_> =
            names.filter(|name| !pages.iter().any(|page| *name == page.name.as_str())).collect();
        assert!(gone.is_empty(), "nothing writes these any more: {gone:?}");
    }
}
