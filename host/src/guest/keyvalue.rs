//! `wasi:keyvalue`: the buckets of an app as both drafts have them. They are
//! the same but for the cursor of a list, the numbers of `increment`, the shape
//! of `get-many`, and that only the later one has compare-and-swap.
//!
//! Functions wait for their back end as for a socket: what they wait is not
//! CPU time of the guest.

mod store;
mod atomics;
mod batch;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower, Resource};

use crate::guest::instance::HostState;
use crate::keyvalue::{Bucket, KeyValueError};

/// The drafts.
const DRAFT: &str = "0.2.0-draft";
const DRAFT2: &str = "0.2.0-draft2";

/// What a function tells of its failure.
#[derive(Debug, ComponentType, Lower)]
#[component(variant)]
enum Error {
    /// There is no such bucket; ours are granted or denied.
    #[component(name = "no-such-store")]
    #[expect(dead_code, reason = "the interface has it, for hosts that tell what is not granted")]
    NoSuchStore,
    /// The app may not open it.
    #[component(name = "access-denied")]
    AccessDenied,
    /// Something else, in words.
    #[component(name = "other")]
    Other(String),
}

/// Links both drafts.
///
/// # Errors
/// None but wasmtime's own, on a name that is defined twice.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    store::link(linker)?;
    atomics::link(linker)?;
    batch::link(linker)
}

/// The bucket behind a handle.
fn bucket(store: &mut StoreContextMut<'_, HostState>, handle: &Resource<Bucket>) -> wasmtime::Result<Bucket> {
    Ok(store.data_mut().table.get(handle)?.clone())
}

/// What came of a call, as its guest is told. Why a back end fails is the
/// operator's business, and only in the log.
fn told<T>(state: &HostState, outcome: Result<T, KeyValueError>) -> Result<T, Error> {
    outcome.map_err(|error| match error {
        KeyValueError::Denied => Error::AccessDenied,
        KeyValueError::Unavailable(cause) => {
            state.log().note_key_values(state.exchange(), &format!("keys and values fail: {cause:#}"));
            Error::Other("keys and values cannot be reached".to_owned())
        }
        error => Error::Other(error.to_string()),
    })
}
