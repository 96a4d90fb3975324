//! The standard contract, `wasi:http`: `wasmtime-wasi-http` has its types and
//! host functions; here they meet the exchange. The request goes in as the
//! `http` crate's (`request`), the response comes out as that (`reply`), and
//! both bodies stream through it, on the exchange's own task.

pub(super) mod call;
pub(super) mod concurrent;
pub(super) mod error_code;
pub(super) mod outgoing;
mod outgoing_code;
pub(super) mod reply;
pub(super) mod request;
mod sending;
pub(super) mod shared;
mod stream_error;
mod upload;
pub(super) mod worker;

use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingRequest, HostIncomingResponse, HostOutgoingRequest,
    HostOutgoingResponse, HostResponseOutparam,
};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView, p3};

use crate::guest::instance::HostState;

/// Links `wasi:http` 0.2.
///
/// # Errors
/// None but wasmtime's own.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    stream_error::link(linker)
}

/// Links `wasi:http` 0.3.
///
/// # Errors
/// None but wasmtime's own.
pub fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    p3::add_to_linker(linker)
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Whether a guest has kept something of its exchange, or of a request of its
/// own, beyond the call: such an instance is not for the next exchange.
pub(super) fn keeps_something(table: &mut ResourceTable) -> bool {
    table.iter_mut().any(|entry| {
        entry.is::<HostIncomingRequest>()
            || entry.is::<HostIncomingBody>()
            || entry.is::<HostFutureTrailers>()
            || entry.is::<HostResponseOutparam>()
            || entry.is::<HostOutgoingResponse>()
            || entry.is::<HostOutgoingBody>()
            || entry.is::<HostOutgoingRequest>()
            || entry.is::<HostFutureIncomingResponse>()
            || entry.is::<HostIncomingResponse>()
            || entry.is::<p3::Request>()
            || entry.is::<p3::Response>()
    })
}
