//! Builds the components in `languages`, which are not written in Rust, with
//! their languages' own tools from the registries: npm and pip. Each is built
//! in a copy below `target/languages`; its tools are installed again when its
//! lock file has changed, and it is built again when anything of it has.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::Hasher as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// One component: a folder of `languages`.
#[derive(Clone, Copy, Debug)]
struct Language {
    name: &'static str,
    /// What names the versions of its tools.
    lock: &'static str,
    /// The program that has to be there.
    tool: &'static str,
    install: &'static [&'static [&'static str]],
    build: &'static [&'static str],
}

const NPM_INSTALL: &[&[&str]] = &[&["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]];
const NPM_BUILD: &[&str] = &["npm", "run", "--silent", "build"];

/// All of them.
const LANGUAGES: [Language; 3] = [
    Language {
        name: "fetch",
        lock: "package-lock.json",
        tool: "npm",
        install: NPM_INSTALL,
        build: NPM_BUILD,
    },
    Language {
        name: "express",
        lock: "package-lock.json",
        tool: "npm",
        install: NPM_INSTALL,
        build: NPM_BUILD,
    },
    Language {
        name: "python",
        lock: "requirements.txt",
        tool: "python3",
        install: &[
            &["python3", "-m", "venv", "venv"],
            &["venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"],
        ],
        build: &[
            "venv/bin/componentize-py",
            "--quiet",
            "--wit-path",
            "wit",
            "--world",
            "service",
            "componentize",
            "app",
            "--output",
            "python.wasm",
        ],
    },
];

/// Builds all of them.
///
/// # Errors
///
/// If a tool is not there and cannot be installed, with what to do about it.
pub fn build_all() -> Result<()> {
    LANGUAGES.iter().try_for_each(|language| language.component().map(drop))
}

/// The component of one folder.
///
/// # Errors
///
/// Those of [`build_all`], and if there is no folder of that name.
pub fn component(name: &str) -> Result<PathBuf> {
    let language = LANGUAGES.iter().find(|language| language.name == name);
    language.with_context(|| format!("no folder of languages is called `{name}`"))?.component()
}

impl Language {
    fn component(&self) -> Result<PathBuf> {
        if workspace::on_path(self.tool).is_none() {
            bail!(
                "`{}` is built with {}, which is not on PATH: install Node 20 and Python 3.10 or later, or leave \
                 these tests out with `cargo xtask test --languages off`",
                self.name,
                self.tool
            );
        }
        let source = workspace::root().join("languages").join(self.name);
        let folder = workspace::root().join("target/languages").join(self.name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // From the copy to the component: another process may build the same.
        let lock = folder.join(".lock");
        let lock = File::create(&lock).with_context(|| format!("cannot make {}", lock.display()))?;
        lock.lock().context("cannot wait for another build of the same component")?;

        let mut files = Vec::new();
        list(&source, Path::new(""), &mut files)?;
        files.sort();
        let installed = digest(&source, &[PathBuf::from(self.lock)])?;
        let built = digest(&source, &files)?;
        let component = folder.join(format!("{}.wasm", self.name));
        if stamp(&folder, "built").is_some_and(|stamp| stamp == built) && component.is_file() {
            return Ok(component);
        }
        // What the tools have added to the last copy is not to be in this one.
        let wit = folder.join("wit");
        if wit.is_dir() {
            fs::remove_dir_all(&wit).with_context(|| format!("cannot remove {}", wit.display()))?;
        }
        for file in &files {
            copy(&source.join(file), &folder.join(file))?;
        }
        if stamp(&folder, "installed").is_none_or(|stamp| stamp != installed) {
            for command in self.install {
                run(command, &folder)?;
            }
            fs::write(folder.join(".installed"), &installed).context("cannot write what is installed")?;
        }
        run(self.build, &folder)?;
        if !component.is_file() {
            bail!("the build of `{}` made no {}", self.name, component.display());
        }
        fs::write(folder.join(".built"), &built).context("cannot write what was built")?;
        Ok(component)
    }
}

fn run(command: &[&str], folder: &Path) -> Result<()> {
    let Some((program, args)) = command.split_first() else { return Ok(()) };
    workspace::run(Command::new(program).args(args).current_dir(folder))
}

/// Files below a folder, by their paths in it. What a build by hand has left
/// there is none of them.
fn list(source: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let path = source.join(folder);
    let cannot = || format!("cannot list {}", path.display());
    for entry in fs::read_dir(&path).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = folder.join(entry.file_name());
        let left = ["node_modules", "venv", "__pycache__"].iter().any(|left| entry.file_name() == *left);
        if entry.path().is_dir() && !left {
            list(source, &name, files)?;
        } else if entry.path().is_file() && name.extension().is_none_or(|extension| extension != "wasm") {
            files.push(name);
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let cannot = || format!("cannot copy {} to {}", from.display(), to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    fs::copy(from, to).map(drop).with_context(cannot)
}

/// Tells whether anything of these files has changed.
fn digest(source: &Path, files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        let path = source.join(file);
        hasher.write(file.to_string_lossy().as_bytes());
        hasher.write(&fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn stamp(folder: &Path, what: &str) -> Option<String> {
    fs::read_to_string(folder.join(format!(".{what}"))).ok()
}
