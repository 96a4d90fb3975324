//! Where nginx, Node and Redis are, which tests have the host talk to. What is
//! done without them is for the caller to say: `cargo xtask test` leaves those
//! tests out or fails, the tests themselves fail.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::workspace::on_path;

/// A server that others make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// The environment variable that names the executable; `cargo xtask test`
    /// sets it for the tests.
    pub variable: &'static str,
    /// What it is called on PATH.
    pub name: &'static str,
    /// Where distributions put it that is not on everybody's PATH.
    usual: &'static str,
}

/// The web server.
pub const NGINX: Program = Program { variable: "NGINX_BIN", name: "nginx", usual: "/usr/sbin/nginx" };

/// Node.js, 20 or later.
pub const NODE: Program = Program { variable: "NODE_BIN", name: "node", usual: "/usr/bin/node" };

/// Redis, 6.2 or later.
pub const REDIS: Program =
    Program { variable: "REDIS_BIN", name: "redis-server", usual: "/usr/bin/redis-server" };

impl Program {
    /// The one that the variable names, or the first on PATH.
    ///
    /// # Errors
    ///
    /// If the variable names no file.
    pub fn find(self) -> Result<Option<PathBuf>> {
        let variable = self.variable;
        if let Some(path) = env::var_os(variable).map(PathBuf::from) {
            if !path.is_file() {
                bail!("{variable} is {}, which is no file: name {} or unset it", path.display(), self.name);
            }
            return Ok(Some(path));
        }
        let usual = || Some(PathBuf::from(self.usual)).filter(|path| path.is_file());
        Ok(on_path(self.name).or_else(usual))
    }
}
