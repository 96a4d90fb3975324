//! The browser that the tests drive: the one that is there, or Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use innkeeper_harness::chromium::{VARIABLE, find};
use innkeeper_harness::workspace::{on_path, run};

/// The executable; installs it where that can be done without asking.
///
/// # Errors
///
/// If there is none and it cannot be installed, with what to do about it.
pub fn chromium() -> Result<PathBuf> {
    let remedy = format!(
        "a test needs Chromium: install one (Debian, Ubuntu: `apt-get install chromium`), or name its executable in \
         {VARIABLE}, or leave the test out with `cargo xtask test --browser off`"
    );
    if let Some(path) = find()? {
        return Ok(path);
    }
    if can_install() {
        install().with_context(|| remedy.clone())?;
    }
    find()?.context(remedy)
}

fn can_install() -> bool {
    let debian = Path::new("/etc/debian_version").is_file() && on_path("apt-get").is_some();
    debian && rustix::process::geteuid().is_root()
}

fn install() -> Result<()> {
    println!("── Chromium is not to be found: installing Debian's");
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-y",
        "--no-install-recommends",
        "chromium",
    ]))
}
