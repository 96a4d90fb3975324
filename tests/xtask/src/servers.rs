//! The servers that tests have the host talk to: nginx, Node and Redis, those
//! that are there, and for nginx and Redis Debian's. Debian's Node is not always
//! recent enough.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use innkeeper_harness::servers::{NGINX, NODE, REDIS};

use crate::debian::install;

/// The oldest Node that the tests are for.
const NODE_MIN: u32 = 20;

/// The executables.
pub struct Servers {
    /// nginx.
    pub nginx: PathBuf,
    /// Node.
    pub node: PathBuf,
}

/// Both; installs nginx where that can be done without asking.
///
/// # Errors
///
/// If one is not there, with what to do about it.
pub fn servers() -> Result<Servers> {
    let remedy = format!(
        "tests need nginx and Node {NODE_MIN} or later: install them (nginx on Debian, Ubuntu: `apt-get install \
         nginx-light`; Node: https://nodejs.org), or name their executables in {} and {}, or leave the tests out with \
         `cargo xtask test --servers off`",
        NGINX.variable, NODE.variable
    );
    let node = NODE.find()?.context("there is no Node").with_context(|| remedy.clone())?;
    check_version(&node).with_context(|| remedy.clone())?;
    if NGINX.find()?.is_none() {
        install("nginx-light").with_context(|| remedy.clone())?;
    }
    let nginx = NGINX.find()?.context("there is no nginx").with_context(|| remedy)?;
    Ok(Servers { nginx, node })
}

/// Redis; installs it where that can be done without asking.
///
/// # Errors
///
/// If it is not there, with what to do about it.
pub fn redis() -> Result<PathBuf> {
    if REDIS.find()?.is_none() {
        install("redis-server")?;
    }
    REDIS.find()?.with_context(|| {
        format!(
            "tests need Redis: install it (Debian, Ubuntu: `apt-get install redis-server`), or name its executable in \
             {}, or leave the tests out with `cargo xtask test --servers off`",
            REDIS.variable
        )
    })
}

fn check_version(node: &Path) -> Result<()> {
    let told = Command::new(node).arg("--version").output().context("cannot ask Node for its version")?;
    let told = String::from_utf8_lossy(&told.stdout);
    let major = told.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(NODE_MIN..) => Ok(()),
        _ => bail!("{} is Node {}", node.display(), told.trim()),
    }
}
