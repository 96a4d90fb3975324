//! A project: a folder with the sources of a component, and the language that
//! they are in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use super::packages;

/// A folder with sources.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder, as an absolute path.
    pub folder: PathBuf,
    /// What they are in.
    pub language: Language,
}

/// A language that projects are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, with the crate `innkeeper-guest`.
    Rust,
    /// JavaScript: a fetch handler, on the standard `wasi:http`.
    Js,
    /// Python, on the standard `wasi:http`.
    Python,
}

impl Language {
    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Js => "js",
            Language::Python => "python",
        }
    }
}

impl Project {
    /// Finds out what a folder has.
    ///
    /// # Errors
    /// A folder that is not there, or has nothing that is known.
    pub fn find(folder: &Path) -> Result<Self> {
        let cannot = || format!("cannot look at {}", folder.display());
        let folder = folder.canonicalize().with_context(cannot)?;
        fs::read_dir(&folder).with_context(cannot)?;
        let has = |name: &str| folder.join(name).is_file();
        let language = if has("Cargo.toml") {
            Language::Rust
        } else if has("package.json") {
            Language::Js
        } else if has("app.py") && has("requirements.txt") {
            Language::Python
        } else {
            bail!(
                "{} has no project: no Cargo.toml, no package.json, and no app.py with a requirements.txt; \
                 `innkeeper new NAME` makes one",
                folder.display()
            );
        };
        Ok(Project { folder, language })
    }

    /// The folders that it is built of: its own, and in Rust those of packages
    /// that it depends on and that are on this machine.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders = match self.language {
            Language::Rust => packages::folders(&self.folder),
            Language::Js | Language::Python => Vec::new(),
        };
        folders.push(self.folder.clone());
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str]) -> Result<Language> {
        let folder = tempfile::tempdir().expect("there is room");
        for file in files {
            fs::write(folder.path().join(file), "").expect("there is room");
        }
        Project::find(folder.path()).map(|project| project.language)
    }

    #[test]
    fn a_language_is_told_by_its_files() {
        assert_eq!(found(&["Cargo.toml", "package.json"]).ok(), Some(Language::Rust));
        assert_eq!(found(&["package.json"]).ok(), Some(Language::Js));
        assert_eq!(found(&["app.py", "requirements.txt"]).ok(), Some(Language::Python));
    }

    #[test]
    fn without_a_project_it_is_said_what_is_missing() {
        let error = found(&["app.py"]).expect_err("there is no requirements.txt");
        assert!(error.to_string().contains("no app.py with a requirements.txt"), "{error}");
        assert!(Project::find(Path::new("/nowhere/at/all")).is_err());
    }
}
