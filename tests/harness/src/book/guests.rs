//! Builds what pages have in Rust: one package, made of the snippets, in
//! `target/book`. A snippet with a handler is an example of it, which is a
//! component; others are modules of its library. All have every feature of the
//! SDK, and the crates that the book names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Snippet;
use crate::guests::{TARGET, ensure_target};
use crate::workspace;

/// What stands in every module that is a snippet: one that shows a function
/// does not call it.
const ALLOWED: &str = "#![allow(dead_code, reason = \"a snippet shows a function and does not call it\")]\n";

/// Whether a snippet is a whole guest: one that can be served.
#[must_use]
pub fn is_whole(snippet: &Snippet) -> bool {
    snippet.text.lines().any(|line| line.starts_with("#[handler"))
}

/// Whether a snippet has tests, which run without a host.
#[must_use]
pub fn has_tests(snippet: &Snippet) -> bool {
    snippet.text.contains("#[test]")
}

/// The name that a snippet has in the package: of its page and its number, so
/// that a page may grow by lines without a new build.
#[must_use]
pub fn name(snippet: &Snippet) -> String {
    let page = snippet.page.trim_end_matches(".md").to_lowercase();
    let page: String = page.chars().map(|char| if char.is_alphanumeric() { char } else { '_' }).collect();
    format!("{page}_{}", snippet.number)
}

/// Builds all of these; the components of those that are whole, by name.
///
/// # Errors
///
/// If one does not compile; cargo has told which and why.
pub fn build(snippets: &[Snippet]) -> Result<BTreeMap<String, PathBuf>> {
    ensure_target()?;
    let folder = workspace::root().join("target/book");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = File::create(folder.join(".lock")).context("cannot make the lock of the book")?;
    lock.lock().context("cannot wait for another build of the book")?;
    lay_out(&folder, snippets)?;

    let cargo = |arguments: &[&str]| {
        let mut command = workspace::cargo();
        command.args(arguments).arg("--manifest-path").arg(folder.join("Cargo.toml"));
        command.arg("--target-dir").arg(folder.join("target"));
        workspace::run(&mut command)
    };
    cargo(&["build", "--lib", "--examples", "--target", TARGET])?;
    if snippets.iter().any(has_tests) {
        cargo(&["test", "--quiet", "--tests"])?;
    }

    let made = folder.join("target").join(TARGET).join("debug/examples");
    let mut built = BTreeMap::new();
    for snippet in snippets.iter().filter(|snippet| is_whole(snippet)) {
        let path = made.join(format!("{}.wasm", name(snippet)));
        if !path.is_file() {
            bail!("the guest of {snippet} made no {}", path.display());
        }
        built.insert(name(snippet), path);
    }
    Ok(built)
}

/// Writes the package: what is there and has not changed stays as it is, so
/// that cargo has nothing to do for it.
fn lay_out(folder: &Path, snippets: &[Snippet]) -> Result<()> {
    let mut manifest = include_str!("guests.toml")
        .replace("{root}", &workspace::root().to_string_lossy())
        .replace("{features}", &features()?);
    let mut library = ALLOWED.to_owned();
    let mut wanted = vec!["lib.rs".to_owned()];
    for snippet in snippets {
        let name = name(snippet);
        let file = format!("{name}.rs");
        let target = |kind, file: &str| format!("\n[[{kind}]]\nname = \"{name}\"\npath = \"src/{file}\"\n");
        let text = format!("{ALLOWED}{}", snippet.text);
        if is_whole(snippet) {
            manifest.push_str(&format!("{}crate-type = [\"cdylib\"]\n", target("example", &file)));
        } else if !has_tests(snippet) {
            library.push_str(&format!("mod {name};\n"));
        }
        if has_tests(snippet) {
            // In a file of its own: cargo warns of one that two targets have.
            let tests = format!("{name}_tests.rs");
            manifest.push_str(&target("test", &tests));
            write(&folder.join("src").join(&tests), &text)?;
            wanted.push(tests);
        }
        write(&folder.join("src").join(&file), &text)?;
        wanted.push(file);
    }
    write(&folder.join("src/lib.rs"), &library)?;
    // The files that a page embeds.
    write(&folder.join("site/index.html"), "<p>Welcome to the inn.</p>\n")?;
    write(&folder.join("Cargo.toml"), &manifest)?;
    // The versions of the repository, and none that came out since.
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    if write(&folder.join("Cargo.lock.repository"), &lock)? {
        write(&folder.join("Cargo.lock"), &lock)?;
    }
    for entry in fs::read_dir(folder.join("src")).context("cannot list the book's guests")? {
        let entry = entry.context("cannot list the book's guests")?;
        if !wanted.iter().any(|file| entry.file_name() == file.as_str()) {
            fs::remove_file(entry.path()).context("cannot remove a guest that is on no page")?;
        }
    }
    Ok(())
}

/// The features of the SDK, as a list in TOML has them.
fn features() -> Result<String> {
    let path = workspace::root().join("guest-sdk/Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("cannot read {}", path.display()))?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let names: Vec<_> =
        features.into_iter().flat_map(toml::Table::keys).map(|name| format!("\"{name}\"")).collect();
    Ok(names.join(", "))
}

/// Whether it had to be written.
fn write(path: &Path, text: &str) -> Result<bool> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(false);
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}
