//! What the operator has configured for the app (`wasi:config`), its secrets
//! among it. With the feature `config`.
//!
//! `--config-value currency=EUR` on the command line, `config` and
//! `config_secrets` in the file. It is the same for all requests of a version of
//! the app; a change means new instances.
//!
//! ```
//! # use innkeeper_guest::{IncomingMessage, Result, ServerResponse, config, handler};
//! #[handler]
//! fn price(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     let currency = config::get("currency")?.unwrap_or_else(|| "EUR".to_owned());
//!     Ok(res.end(format!("12 {currency}\n"))?)
//! }
//! # fn main() {}
//! ```

use std::fmt;

#[cfg(target_family = "wasm")]
use crate::bindings::config::wasi::config::store;

#[cfg(not(target_family = "wasm"))]
use crate::native::config as store;

/// Why the configuration could not be read, in the host's words. Innkeeper has
/// it in memory, where that does not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(String);

/// The value of a key; none if the operator says nothing about it.
///
/// # Errors
/// If the configuration cannot be read.
pub fn get(key: &str) -> Result<Option<String>, ConfigError> {
    link();
    Ok(store::get(key)?)
}

/// All keys with their values, in no order that means anything.
///
/// # Errors
/// If the configuration cannot be read.
pub fn all() -> Result<Vec<(String, String)>, ConfigError> {
    link();
    Ok(store::get_all()?)
}

/// Tells the linker of the import; see `next`.
fn link() {
    #[cfg(target_family = "wasm")]
    crate::bindings::config::__link_custom_section_describing_imports();
}

impl From<store::Error> for ConfigError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Upstream(what) | store::Error::Io(what) => ConfigError(what),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the configuration cannot be read: {}", self.0)
    }
}

impl std::error::Error for ConfigError {}
