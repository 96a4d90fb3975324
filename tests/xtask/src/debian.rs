//! Programs of others that tests need, from Debian.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use innkeeper_harness::workspace::{on_path, run};

/// Installs a package where that can be done without asking: as root on a
/// Debian-like system. Elsewhere it does nothing.
///
/// # Errors
///
/// If `apt-get` fails.
pub fn install(package: &str) -> Result<()> {
    let debian = Path::new("/etc/debian_version").is_file() && on_path("apt-get").is_some();
    if !debian || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    println!("── {package} is not to be found: installing Debian's");
    run(Command::new("apt-get").arg("update"))?;
    run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-y",
        "--no-install-recommends",
        package,
    ]))
}
