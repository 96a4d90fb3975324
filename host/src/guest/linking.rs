//! What a component may import: WASI as far as it is granted, the contract,
//! and the standard interfaces beside it. Once for all components of an
//! engine.

use anyhow::{Context as _, Result};
use wasmtime::component::Linker;

use crate::guest::engine::Engine;
use crate::guest::instance::HostState;
use crate::guest::network::{concurrent, restrict};
use crate::guest::{api, config, keyvalue, logging, node_http, plain, wasi_http};

/// Everything that an app of this engine may import.
///
/// # Errors
/// None but wasmtime's own, on a name that is defined twice.
pub fn linker(engine: &Engine) -> Result<Linker<HostState>> {
    let mut linker = Linker::new(engine.inner());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)
        .and_then(|()| restrict(&mut linker))
        .map_err(plain)
        .context("cannot link WASI")?;
    api::link(&mut linker).map_err(plain).context("cannot link innkeeper:http")?;
    wasi_http::link(&mut linker).map_err(plain).context("cannot link wasi:http")?;
    node_http::link(&mut linker).map_err(plain).context("cannot link jco:node/http")?;
    config::link(&mut linker).map_err(plain).context("cannot link wasi:config")?;
    logging::link(&mut linker).map_err(plain).context("cannot link wasi:logging")?;
    keyvalue::link(&mut linker).map_err(plain).context("cannot link wasi:keyvalue")?;
    if engine.has_concurrency() {
        wasmtime_wasi::p3::add_to_linker(&mut linker).map_err(plain).context("cannot link WASI 0.3")?;
        concurrent::restrict(&mut linker).map_err(plain).context("cannot link WASI 0.3")?;
        wasi_http::link_concurrent(&mut linker).map_err(plain).context("cannot link wasi:http 0.3")?;
    }
    Ok(linker)
}
