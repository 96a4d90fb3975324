//! The book in `docs/`, and the READMEs: which pages there are, and what they
//! have in fences. What becomes of a snippet is a matter of its language:
//! [`guests`] builds those in Rust, [`shell`] takes commands apart, [`curl`]
//! does what a reader would do with `curl`, [`links`] looks where links lead.

pub mod curl;
pub mod guests;
pub mod links;
pub mod printed;
pub mod shell;

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Where the book is, from the root of the repository.
pub const FOLDER: &str = "docs";

/// The pages beside the book whose snippets a reader copies too.
const BESIDE: &[&str] = &["README.md", "guest-sdk/README.md"];

/// A page: its path from the root of the repository, and its text.
#[derive(Clone, Debug)]
pub struct Page {
    /// With `/` between folders.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// What stands in one pair of fences.
#[derive(Clone, Debug)]
pub struct Snippet {
    /// The page that it is on.
    pub page: String,
    /// Which one of the page it is, from 1.
    pub number: usize,
    /// The line of its first fence, from 1.
    pub line: usize,
    /// What stands behind the fence, such as `rust`; empty if nothing does.
    pub language: String,
    /// The lines between the fences, without the indentation of the first
    /// fence.
    pub text: String,
}

/// Every page of the book, and those beside it, in the order of their paths.
///
/// # Errors
///
/// If they cannot be read.
pub fn pages() -> Result<Vec<Page>> {
    let mut paths: Vec<_> = BESIDE.iter().map(|path| workspace::root().join(path)).collect();
    collect(&workspace::root().join(FOLDER), &mut paths)?;
    paths.sort();
    paths.into_iter().map(page).collect()
}

/// Every snippet of every page, in order.
///
/// # Errors
///
/// If a page cannot be read, or has a fence without its other half.
pub fn snippets() -> Result<Vec<Snippet>> {
    let mut all = Vec::new();
    for page in pages()? {
        all.extend(page.snippets()?);
    }
    Ok(all)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    Ok(())
}

fn page(path: PathBuf) -> Result<Page> {
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let path = path.strip_prefix(workspace::root()).unwrap_or(&path);
    Ok(Page { path: path.to_string_lossy().into_owned(), text })
}

impl Page {
    /// What it has in fences, in order.
    ///
    /// # Errors
    ///
    /// If a fence has no other half.
    pub fn snippets(&self) -> Result<Vec<Snippet>> {
        let mut found = Vec::new();
        let mut lines = self.text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let Some((indent, language)) = fence(line) else { continue };
            let mut text = String::new();
            loop {
                let Some((_, line)) = lines.next() else {
                    bail!("{}:{}: this fence is never closed", self.path, at + 1);
                };
                if line.trim() == "```" {
                    break;
                }
                text.push_str(line.get(indent..).unwrap_or_default());
                text.push('\n');
            }
            found.push(Snippet {
                page: self.path.clone(),
                number: found.len() + 1,
                line: at + 1,
                language: language.to_owned(),
                text,
            });
        }
        Ok(found)
    }
}

/// How far a fence is indented, and what stands behind it.
fn fence(line: &str) -> Option<(usize, &str)> {
    let language = line.trim_start().strip_prefix("```")?;
    Some((line.len() - line.trim_start().len(), language.trim()))
}

impl fmt::Display for Snippet {
    /// Its place, as editors open it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.page, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page { path: "docs/page.md".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn what_stands_in_fences() {
        let page = page("one\n```rust\nlet a;\n\n  b\n```\n- two\n\n  ```sh\n  ls\n  ```\n");
        let found = page.snippets().expect("the fences are closed");
        let told: Vec<_> =
            found.iter().map(|it| (it.to_string(), it.language.as_str(), it.text.as_str())).collect();
        assert_eq!(
            told,
            [
                ("docs/page.md:2".to_owned(), "rust", "let a;\n\n  b\n"),
                ("docs/page.md:9".to_owned(), "sh", "ls\n")
            ]
        );
    }

    #[test]
    fn a_fence_that_is_never_closed() {
        let error = page("```\nlet a;\n").snippets().expect_err("it is open");
        assert_eq!(error.to_string(), "docs/page.md:1: this fence is never closed");
    }
}
