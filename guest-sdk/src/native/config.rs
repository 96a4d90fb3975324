//! `wasi:config/store`: what the test says.

use super::world;

/// As the host has it; nothing here fails.
#[derive(Debug)]
#[allow(dead_code, reason = "the bindings have it")]
pub enum Error {
    Upstream(String),
    Io(String),
}

pub fn get(key: &str) -> Result<Option<String>, Error> {
    Ok(get_all()?.into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value))
}

pub fn get_all() -> Result<Vec<(String, String)>, Error> {
    Ok(world::config())
}
