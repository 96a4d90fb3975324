//! The tools of each language: looked for, and installed if they are missing
//! and that was not forbidden. What a tool prints goes to the author as it is.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// What Rust compiles to.
pub const TARGET: &str = "wasm32-wasip2";

/// What a virtual environment is stamped with once all is installed.
const STAMP: &str = ".venv/innkeeper.stamp";

/// Whether tools may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// As needed.
    Allowed,
    /// Never: what is missing is an error that has the command.
    Forbidden,
}

/// Sees to it that Rust can compile for [`TARGET`].
///
/// # Errors
/// A target that is missing and cannot be added.
pub fn rust_target(folder: &Path, install: Install) -> Result<()> {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).current_dir(folder).output();
    let Ok(listed) = listed else {
        // Without rustup the compiler itself says what it lacks.
        return Ok(());
    };
    if String::from_utf8_lossy(&listed.stdout).lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    installed(
        Command::new("rustup").args(["target", "add", TARGET]).current_dir(folder),
        &format!("Rust cannot compile for {TARGET} yet"),
        install,
    )
}

/// Sees to it that the packages of a `package.json` are there.
///
/// # Errors
/// Packages that are missing and cannot be installed.
pub fn node_modules(folder: &Path, install: Install) -> Result<()> {
    if folder.join("node_modules").is_dir() {
        return Ok(());
    }
    let how = if folder.join("package-lock.json").is_file() { "ci" } else { "install" };
    let mut npm = Command::new("npm");
    npm.args([how, "--no-audit", "--no-fund"]).current_dir(folder);
    installed(&mut npm, "the project's packages are not installed", install)
}

/// Sees to it that the virtual environment `.venv` has what `requirements.txt`
/// says now, and gives the path of one of its programs.
///
/// # Errors
/// Packages that are missing and cannot be installed.
pub fn venv(folder: &Path, program: &str, install: Install) -> Result<PathBuf> {
    let wanted = fs::read(folder.join("requirements.txt")).context("cannot read requirements.txt")?;
    let program = folder.join(".venv/bin").join(program);
    let stamp = folder.join(STAMP);
    if program.is_file() && fs::read(&stamp).is_ok_and(|known| known == wanted) {
        return Ok(program);
    }
    let missing = "the project's packages are not installed in .venv";
    if !folder.join(".venv/bin/pip").is_file() {
        let mut python = Command::new("python3");
        installed(python.args(["-m", "venv", ".venv"]).current_dir(folder), missing, install)?;
    }
    let mut pip = Command::new(folder.join(".venv/bin/pip"));
    pip.args(["install", "--disable-pip-version-check", "-r", "requirements.txt"]).current_dir(folder);
    installed(&mut pip, missing, install)?;
    if !program.is_file() {
        bail!("requirements.txt does not bring {}; add componentize-py to it", program.display());
    }
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(program)
}

fn installed(command: &mut Command, missing: &str, install: Install) -> Result<()> {
    if install == Install::Forbidden {
        bail!("{missing}; this installs it: {}", line_of(command));
    }
    eprintln!("{missing}: {}", line_of(command));
    run(command)
}

/// Runs a tool to its end; what it prints goes to standard error.
///
/// # Errors
/// A tool that is not there, or fails.
pub fn run(command: &mut Command) -> Result<()> {
    captured(command.stdout(Stdio::from(std::io::stderr()))).map(drop)
}

/// Runs a tool to its end, and gives what it prints on standard output, if
/// that was not sent elsewhere. Errors of its own it shows itself.
///
/// # Errors
/// A tool that is not there, or fails.
pub fn captured(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        let remedy = if error.kind() == ErrorKind::NotFound { remedy(&program) } else { "" };
        anyhow::Error::new(error).context(format!("cannot run `{program}`{remedy}"))
    })?;
    if !output.status.success() {
        bail!("`{}` failed ({})", line_of(command), output.status);
    }
    Ok(output.stdout)
}

fn remedy(program: &str) -> &'static str {
    match program {
        "cargo" | "rustup" => "; install Rust: https://rustup.rs",
        "npm" => "; install Node.js 20 or later: https://nodejs.org",
        "python3" => "; install Python 3.10 or later",
        _ => "",
    }
}

/// The command as one would type it.
fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_installed_is_an_error_with_the_command() {
        let folder = tempfile::tempdir().expect("there is room");
        let error = node_modules(folder.path(), Install::Forbidden).expect_err("there is none");
        assert!(error.to_string().ends_with("this installs it: npm install --no-audit --no-fund"), "{error}");
        fs::write(folder.path().join("requirements.txt"), "componentize-py\n").expect("there is room");
        let error = venv(folder.path(), "componentize-py", Install::Forbidden).expect_err("there is none");
        assert!(error.to_string().ends_with("this installs it: python3 -m venv .venv"), "{error}");
    }

    #[test]
    fn a_tool_that_is_not_there_or_fails_is_named() {
        let error = run(&mut Command::new("/nowhere/tool")).expect_err("it is not there");
        assert!(error.to_string().contains("cannot run `/nowhere/tool`"), "{error}");
        let error = run(Command::new("false").arg("x")).expect_err("it fails");
        assert!(error.to_string().starts_with("`false x` failed"), "{error}");
    }
}
