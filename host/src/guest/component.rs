//! A component, from its file to something that can be instantiated in
//! microseconds: read, recognised, compiled, linked. Whatever does not fit is
//! refused here, with its name, and never at the first request.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use wasmtime::component::{Component, InstancePre, Linker};

use crate::guest::api;
use crate::guest::api::bindings::exports::innkeeper::http::{
    check_continue_handler, check_expectation_handler, client_error_handler, connect_handler, handler,
    upgrade_handler,
};
use crate::guest::engine::Engine;
use crate::guest::instance::HostState;
use crate::guest::plain;

/// The export that makes a component an app.
const HANDLER: &str = "innkeeper:http/handler@0.1.0";

/// The import by which it sends requests to other servers.
const CLIENT: &str = "innkeeper:http/client@0.1.0";

/// A component that was compiled and linked.
pub struct Guest {
    pre: InstancePre<HostState>,
    entries: Entries,
    asks_others: bool,
}

/// Where the functions of a component are that the host calls.
pub(super) struct Entries {
    pub(super) handler: handler::GuestIndices,
    pub(super) upgrade: Option<upgrade_handler::GuestIndices>,
    pub(super) connect: Option<connect_handler::GuestIndices>,
    pub(super) check_continue: Option<check_continue_handler::GuestIndices>,
    pub(super) check_expectation: Option<check_expectation_handler::GuestIndices>,
    pub(super) client_error: Option<client_error_handler::GuestIndices>,
}

/// Which of the optional exports a component has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exports {
    /// `upgrade-handler`.
    pub upgrade: bool,
    /// `connect-handler`.
    pub connect: bool,
    /// `check-continue-handler`.
    pub check_continue: bool,
    /// `check-expectation-handler`.
    pub check_expectation: bool,
    /// `client-error-handler`.
    pub client_error: bool,
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

/// What every component of an engine may import.
pub struct Linked {
    linker: Linker<HostState>,
}

impl Linked {
    /// Links the contract and WASI, once for all components.
    ///
    /// # Errors
    /// None but wasmtime's own.
    pub fn new(engine: &Engine) -> Result<Self> {
        Ok(Linked { linker: api::linker(engine)? })
    }
}

impl Guest {
    /// Compiles and links a component; `path` is what it is called in errors.
    ///
    /// # Errors
    /// Bytes that are no component, a missing export, an import that the host
    /// does not have; each is named.
    pub fn load(engine: &Engine, linked: &Linked, bytes: &[u8], path: &Path) -> Result<Self> {
        let component = compile(engine, bytes, path)?;
        check_exports(engine, &component).with_context(|| path.display().to_string())?;
        let does_not_fit = || format!("{} does not fit this host", path.display());
        let pre = linked.linker.instantiate_pre(&component).map_err(plain).with_context(does_not_fit)?;
        let exported = exports(engine, &component);
        let entries = Entries::find(&pre, &exported).map_err(plain).with_context(does_not_fit)?;
        let ty = component.component_type();
        let asks_others = ty.imports(engine.inner()).any(|(name, _)| name == CLIENT);
        Ok(Guest { pre, entries, asks_others })
    }

    /// Whether it is made to send requests to other servers.
    pub fn asks_others(&self) -> bool {
        self.asks_others
    }

    /// Which of the optional exports it has.
    pub fn exports(&self) -> Exports {
        let Entries { upgrade, connect, check_continue, check_expectation, client_error, .. } = &self.entries;
        Exports {
            upgrade: upgrade.is_some(),
            connect: connect.is_some(),
            check_continue: check_continue.is_some(),
            check_expectation: check_expectation.is_some(),
            client_error: client_error.is_some(),
        }
    }

    /// What is instantiated for a request.
    pub(super) fn pre(&self) -> &InstancePre<HostState> {
        &self.pre
    }

    /// What is called in an instance.
    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }
}

impl Entries {
    /// Finds what is `exported`; it has to be as in the contract.
    fn find(pre: &InstancePre<HostState>, exported: &[String]) -> wasmtime::Result<Self> {
        let has =
            |name: &str| exported.iter().any(|export| export == &format!("innkeeper:http/{name}@0.1.0"));
        macro_rules! find {
            ($interface:ident, $name:literal) => {
                has($name).then(|| $interface::GuestIndices::new(pre)).transpose()?
            };
        }
        Ok(Entries {
            handler: handler::GuestIndices::new(pre)?,
            upgrade: find!(upgrade_handler, "upgrade-handler"),
            connect: find!(connect_handler, "connect-handler"),
            check_continue: find!(check_continue_handler, "check-continue-handler"),
            check_expectation: find!(check_expectation_handler, "check-expectation-handler"),
            client_error: find!(client_error_handler, "client-error-handler"),
        })
    }
}

/// Says what a component consists of, without linking it.
///
/// # Errors
/// A file that cannot be read or is no component.
pub fn inspect(engine: &Engine, path: &Path) -> Result<Facts> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let component = compile(engine, &bytes, path)?;
    let ty = component.component_type();
    let exports = exports(engine, &component);
    let contract = if exports.iter().any(|name| name == HANDLER) {
        Contract::Innkeeper
    } else if exports.iter().any(|name| name.starts_with("wasi:http/")) {
        Contract::WasiHttp
    } else {
        Contract::Unknown
    };
    Ok(Facts {
        bytes: bytes.len() as u64,
        imports: ty.imports(engine.inner()).map(|(name, _)| name.to_owned()).collect(),
        exports,
        contract,
    })
}

/// Whether bytes begin as a component does, which costs nothing to say; `path`
/// is what they are called in errors.
///
/// # Errors
/// A core module, and what is no WebAssembly.
pub fn recognise(bytes: &[u8], path: &Path) -> Result<()> {
    match bytes.get(..8) {
        // The layer field tells a component (1) from a core module (0).
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', _, _, 0, 0]) => bail!(
            "{} is a core WebAssembly module, not a component; build it for the target wasm32-wasip2",
            path.display()
        ),
        _ => bail!("{} is not WebAssembly", path.display()),
    }
}

fn exports(engine: &Engine, component: &Component) -> Vec<String> {
    component.component_type().exports(engine.inner()).map(|(name, _)| name.to_owned()).collect()
}

fn compile(engine: &Engine, bytes: &[u8], path: &Path) -> Result<Component> {
    recognise(bytes, path)?;
    Component::new(engine.inner(), bytes)
        .map_err(plain)
        .with_context(|| format!("cannot compile {}", path.display()))
}

fn check_exports(engine: &Engine, component: &Component) -> Result<()> {
    let exports = exports(engine, component);
    if exports.iter().any(|name| name == HANDLER) {
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
