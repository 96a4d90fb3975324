//! Node programs that jco made components of: they import `jco:node/http` in
//! place of Node's `http` module. The component starts its server (`start`),
//! which listens nowhere but here (`server`); each exchange goes to the
//! listener whole and comes back whole (`call`), for the interface has no
//! streams. Requests of the program's own are in `outgoing`, its standard
//! streams in `tty`; what else of Node it imports is refused when it is called
//! (`denied`).

pub(super) mod bindings;
pub(super) mod start;
pub(super) mod call;
pub(super) mod server;
pub(super) mod denied;
mod outgoing;
mod tty;

use wasmtime::component::{HasSelf, Linker};

use crate::guest::instance::HostState;
use bindings::jco::node::{http, tty as terminals};

/// The beginning of the names of all that jco gives in place of Node.
pub const NODE: &str = "jco:node/";

/// What the program's errors are called that the host makes.
const ERROR: &str = "Error";

/// Node's word for what a permission is missing for.
const ACCESS_DENIED: &str = "ERR_ACCESS_DENIED";

/// Links `jco:node/http` and `jco:node/tty`.
///
/// # Errors
/// None but wasmtime's own.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    http::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    terminals::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

/// An error as the program sees it.
fn node_error(code: &str, message: impl Into<String>) -> http::Error {
    http::Error {
        name: ERROR.to_owned(),
        message: message.into(),
        code: Some(code.to_owned()),
        errno: None,
        syscall: None,
        hostname: None,
        address: None,
        port: None,
    }
}
