//! Where a Chromium is. What is done without one is for the caller to say:
//! `cargo xtask test` installs one, the test of it fails.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::workspace::on_path;

/// The environment variable that names the executable; `cargo xtask test`
/// sets it for the tests.
pub const VARIABLE: &str = "CHROMIUM";

/// What it is called where it was installed by a distribution or by hand.
const NAMES: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// The one that [`VARIABLE`] names, or the first on PATH.
///
/// # Errors
///
/// If the variable names no file.
pub fn find() -> Result<Option<PathBuf>> {
    if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
        if !path.is_file() {
            bail!("{VARIABLE} is {}, which is no file: name a Chromium or unset it", path.display());
        }
        return Ok(Some(path));
    }
    Ok(NAMES.iter().find_map(|name| on_path(name)))
}
