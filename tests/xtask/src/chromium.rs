//! The browser that the tests drive: the one that is there, or Debian's.

use std::path::PathBuf;

use anyhow::{Context, Result};
use innkeeper_harness::chromium::{VARIABLE, find};

use crate::debian::install;

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
    install("chromium").with_context(|| remedy.clone())?;
    find()?.context(remedy)
}
