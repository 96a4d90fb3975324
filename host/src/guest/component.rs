//! A component, from its file to something that can be instantiated in
//! microseconds: read, recognised, compiled, linked. Whatever does not fit is
//! refused here, with its name, and never at the first request.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use wasmtime::component::Component;

use crate::guest::api;
use crate::guest::api::bindings::AppPre;
use crate::guest::engine::Engine;
use crate::guest::instance::HostState;
use crate::guest::plain;

/// The export that makes a component an app.
const HANDLER: &str = "innkeeper:http/handler@0.1.0";

/// A component that was compiled and linked.
pub struct Guest {
    pre: AppPre<HostState>,
}

/// What a component consists of, for `innkeeper inspect`.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Bytes of the file.
    pub bytes: u64,
    /// Names of the imports, in order.
    pub imports: Vec<String>,
    /// Names of the exports, in order.
    pub exports: Vec<String>,
    /// The contract by which it would be served.
    pub contract: Contract,
}

/// How a component answers requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// `innkeeper:http/handler`.
    Innkeeper,
    /// `wasi:http/incoming-handler`: not served by this version.
    WasiHttp,
    /// None that is known.
    Unknown,
}

impl Guest {
    /// Compiles and links a component.
    ///
    /// # Errors
    /// A file that cannot be read or is no component, a missing export, an
    /// import that the host does not have; each is named.
    pub fn load(engine: &Engine, path: &Path) -> Result<Self> {
        let component = compile(engine, path)?;
        check_exports(engine, &component).with_context(|| path.display().to_string())?;
        let linker = api::linker(engine)?;
        let pre = linker
            .instantiate_pre(&component)
            .and_then(AppPre::new)
            .map_err(plain)
            .with_context(|| format!("{} does not fit this host", path.display()))?;
        Ok(Guest { pre })
    }

    /// What is instantiated for a request.
    pub(super) fn pre(&self) -> &AppPre<HostState> {
        &self.pre
    }
}

/// Says what a component consists of, without linking it.
///
/// # Errors
/// A file that cannot be read or is no component.
pub fn inspect(engine: &Engine, path: &Path) -> Result<Facts> {
    let component = compile(engine, path)?;
    let ty = component.component_type();
    let exports: Vec<_> = ty.exports(engine.inner()).map(|(name, _)| name.to_owned()).collect();
    let contract = if exports.iter().any(|name| name == HANDLER) {
        Contract::Innkeeper
    } else if exports.iter().any(|name| name.starts_with("wasi:http/")) {
        Contract::WasiHttp
    } else {
        Contract::Unknown
    };
    Ok(Facts {
        bytes: std::fs::metadata(path)?.len(),
        imports: ty.imports(engine.inner()).map(|(name, _)| name.to_owned()).collect(),
        exports,
        contract,
    })
}

fn compile(engine: &Engine, path: &Path) -> Result<Component> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    match bytes.get(..8) {
        // The layer field tells a component (1) from a core module (0).
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => {}
        Some([0, b'a', b's', b'm', _, _, 0, 0]) => bail!(
            "{} is a core WebAssembly module, not a component; build it for the target wasm32-wasip2",
            path.display()
        ),
        _ => bail!("{} is not WebAssembly", path.display()),
    }
    Component::new(engine.inner(), &bytes)
        .map_err(plain)
        .with_context(|| format!("cannot compile {}", path.display()))
}

fn check_exports(engine: &Engine, component: &Component) -> Result<()> {
    let ty = component.component_type();
    let exports: Vec<_> = ty.exports(engine.inner()).map(|(name, _)| name).collect();
    if exports.contains(&HANDLER) {
        return Ok(());
    }
    if let Some(other) = exports.iter().find(|name| name.starts_with("innkeeper:http/handler")) {
        bail!(
            "it exports {other}, but this host speaks {HANDLER}; rebuild it with a matching innkeeper-guest"
        );
    }
    if let Some(other) = exports.iter().find(|name| name.starts_with("wasi:http/")) {
        bail!("it exports {other}, which this version does not serve; it serves {HANDLER}");
    }
    bail!("it does not export {HANDLER}; use #[innkeeper_guest::handler] on its handler")
}
