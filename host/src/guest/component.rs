//! A component, from its file to something that can be instantiated in
//! microseconds: read, recognised, compiled, linked. Whatever does not fit is
//! refused here, with its name, and never at the first request.

use std::path::Path;

use anyhow::{Context as _, Result};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi_http::p2::bindings::ProxyIndices;
use wasmtime_wasi_http::p3::bindings::ServiceIndices;

use crate::guest::api::bindings::exports::innkeeper::http::{
    check_continue_handler, check_expectation_handler, client_error_handler, connect_handler, handler,
    upgrade_handler,
};
use crate::guest::contract::{Contract, Surface};
use crate::guest::engine::Engine;
use crate::guest::instance::HostState;
use crate::guest::node_http::start::Program;
use crate::guest::{linking, node_http, plain};

/// The beginnings of the imports by which it sends requests to other servers.
const CLIENTS: [&str; 3] =
    ["innkeeper:http/client@0.1.0", "wasi:http/outgoing-handler@0.2.", "wasi:http/client@0.3."];

/// The import by which it opens buckets of keys and values, but for the draft.
const KEYVALUE: &str = "wasi:keyvalue/store@";

/// A component that was compiled and linked.
pub struct Guest {
    engine: Engine,
    pre: InstancePre<HostState>,
    callee: Callee,
    asks_others: bool,
    keeps_values: bool,
}

/// What is called in an instance, by contract.
pub(super) enum Callee {
    /// Our own contract's exports.
    Innkeeper(Box<Entries>),
    /// `wasi:http/incoming-handler`.
    WasiHttp02(ProxyIndices),
    /// `wasi:http/handler`.
    WasiHttp03(ServiceIndices),
    /// A Node program's start and listeners.
    JcoNode(Box<Program>),
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

/// An engine, and what every component of it may import.
#[derive(Clone)]
pub struct Linked {
    engine: Engine,
    linker: Linker<HostState>,
}

impl Linked {
    /// Links the contracts and WASI, once for all components.
    ///
    /// # Errors
    /// None but wasmtime's own.
    pub fn new(engine: Engine) -> Result<Self> {
        Ok(Linked { linker: linking::linker(&engine)?, engine })
    }
}

impl Guest {
    /// Compiles and links a component with this `surface`; `path` is what it is
    /// called in errors.
    ///
    /// # Errors
    /// Bytes that are no component, a missing export, an import that the host
    /// does not have; each is named.
    pub(super) fn load(linked: &Linked, surface: &Surface, bytes: &[u8], path: &Path) -> Result<Self> {
        surface.check().with_context(|| path.display().to_string())?;
        let component = compile(&linked.engine, bytes, path)?;
        let does_not_fit = || format!("{} does not fit this host", path.display());
        let of_node = surface.imports.iter().any(|name| name.starts_with(node_http::NODE));
        let pre = if of_node {
            node_http::denied::link(&linked.linker, &component)
                .and_then(|linker| linker.instantiate_pre(&component))
        } else {
            linked.linker.instantiate_pre(&component)
        };
        let pre = pre.map_err(plain).with_context(does_not_fit)?;
        let callee = Callee::find(&pre, surface).map_err(plain).with_context(does_not_fit)?;
        let asks_others = surface.imports.iter().any(|name| is_client(name));
        let keeps_values = surface.imports.iter().any(|name| name.starts_with(KEYVALUE));
        Ok(Guest { engine: linked.engine.clone(), pre, callee, asks_others, keeps_values })
    }

    /// Whether it is made to send requests to other servers.
    pub fn asks_others(&self) -> bool {
        self.asks_others
    }

    /// Whether it is made to keep keys and values.
    pub fn keeps_values(&self) -> bool {
        self.keeps_values
    }

    /// Which of the optional exports it has; the standard contracts have none.
    pub fn exports(&self) -> Exports {
        let Callee::Innkeeper(entries) = &self.callee else { return Exports::default() };
        let Entries { upgrade, connect, check_continue, check_expectation, client_error, .. } = &**entries;
        Exports {
            upgrade: upgrade.is_some(),
            connect: connect.is_some(),
            check_continue: check_continue.is_some(),
            check_expectation: check_expectation.is_some(),
            client_error: client_error.is_some(),
        }
    }

    /// Where its instances live.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What is instantiated for a request.
    pub(super) fn pre(&self) -> &InstancePre<HostState> {
        &self.pre
    }

    /// What is called in an instance.
    pub(super) fn callee(&self) -> &Callee {
        &self.callee
    }
}

impl Callee {
    fn find(pre: &InstancePre<HostState>, surface: &Surface) -> wasmtime::Result<Self> {
        Ok(match Contract::of(surface) {
            Contract::WasiHttp02 => Callee::WasiHttp02(ProxyIndices::new(pre)?),
            Contract::WasiHttp03 => Callee::WasiHttp03(ServiceIndices::new(pre)?),
            Contract::JcoNode => Callee::JcoNode(Box::new(Program::find(pre)?)),
            _ => Callee::Innkeeper(Box::new(Entries::find(pre, &surface.exports)?)),
        })
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
pub fn inspect(path: &Path) -> Result<Facts> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let surface = Surface::read(&bytes, path)?;
    Ok(Facts {
        bytes: bytes.len() as u64,
        contract: Contract::of(&surface),
        imports: surface.imports,
        exports: surface.exports,
    })
}

fn is_client(import: &str) -> bool {
    CLIENTS.iter().any(|client| import.starts_with(client))
}

fn compile(engine: &Engine, bytes: &[u8], path: &Path) -> Result<Component> {
    Component::new(engine.inner(), bytes)
        .map_err(plain)
        .with_context(|| format!("cannot compile {}", path.display()))
}
