//! Links of a page that lead to other pages and files of the repository, and
//! whether there is something where they lead.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Page;
use crate::workspace;

/// The targets of a page's links, outside of fences and of code in a line,
/// that are no URLs.
#[must_use]
pub fn local(page: &Page) -> Vec<String> {
    let prose = prose(&page.text);
    let mut targets = Vec::new();
    for (at, _) in prose.match_indices("](") {
        let target = prose.get(at + 2..).and_then(|rest| rest.split(')').next());
        targets.extend(target.filter(|target| !target.contains("://")).map(str::to_owned));
    }
    targets
}

/// What is wrong with a link of this page; none if it leads somewhere.
#[must_use]
pub fn fault(page: &Page, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let own = workspace::root().join(&page.path);
    let path = if file.is_empty() { own } else { own.parent().map(|folder| folder.join(file))? };
    if !path.exists() {
        return Some(format!("{}: `{target}` leads to no file", page.path));
    }
    let missing = !anchor.is_empty() && !anchors(&path).contains(anchor);
    missing.then(|| format!("{}: `{target}` leads to no heading", page.path))
}

/// The file that a link of this page leads to, from the root of the
/// repository.
#[must_use]
pub fn resolved(page: &Page, target: &str) -> PathBuf {
    let file = target.split('#').next().unwrap_or_default();
    let mut path = PathBuf::from(&page.path);
    path.pop();
    for part in Path::new(file).components() {
        match part {
            std::path::Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

/// The names that headings of a page can be linked by, as GitHub and mdBook
/// make them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    prose(&text)
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
        .map(anchor)
        .collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}

/// Without what is in fences; code in lines stays, for headings have some.
fn prose(text: &str) -> String {
    let mut inside = false;
    let kept = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    kept.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page { path: "docs/page.md".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn links_and_where_they_lead() {
        let page =
            page("[a](../README.md) [b](https://x.example) [c](none.md)\n```\n[d](e)\n```\n# F `g`!\n");
        assert_eq!(local(&page), ["../README.md", "none.md"]);
        assert_eq!(fault(&page, "../README.md#serve-it"), None);
        assert!(fault(&page, "../README.md#nowhere").is_some());
        assert!(fault(&page, "none.md").is_some());
        assert_eq!(anchor("F `g`!"), "f-g");
        assert_eq!(resolved(&page, "../README.md#x"), Path::new("README.md"));
    }
}
