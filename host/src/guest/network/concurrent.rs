//! The same for WASI 0.3: names and the number of sockets are bounded as in
//! 0.2, by functions in place of WASI's own.

use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::{self, ErrorCode, Host, HostWithStore};
use wasmtime_wasi::p3::bindings::sockets::types::{self, HostTcpSocket as _, IpAddress};
use wasmtime_wasi::sockets::{TcpSocket, WasiSockets, WasiSocketsView as _};

use crate::guest::instance::HostState;

/// The instance of the linker that has sockets; any other 0.3 finds it, too.
const SOCKETS: &str = "wasi:sockets/types@0.3.0";

/// Bounds what 0.3 has of the network.
///
/// # Errors
/// None but wasmtime's own.
pub fn restrict(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    ip_name_lookup::add_to_linker::<_, GrantedNames>(linker, |state| state)?;
    let mut sockets = linker.instance(SOCKETS)?;
    sockets.func_wrap("[static]tcp-socket.create", |mut store, (family,): (types::IpAddressFamily,)| {
        Ok((create(store.data_mut(), family)?,))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

fn create(
    state: &mut HostState,
    family: types::IpAddressFamily,
) -> wasmtime::Result<Result<Resource<TcpSocket>, types::ErrorCode>> {
    if !state.admit_socket() {
        return Ok(Err(types::ErrorCode::Other(Some("no more sockets: the operator's limit".to_owned()))));
    }
    match state.sockets().create(family) {
        Ok(socket) => Ok(Ok(socket)),
        Err(error) => TrappableError::downcast(error).map(Err),
    }
}

struct GrantedNames;

impl HasData for GrantedNames {
    type Data<'a> = &'a mut HostState;
}

impl Host for &mut HostState {}

impl HostWithStore<HostState> for GrantedNames {
    async fn resolve_addresses(
        accessor: &Accessor<HostState, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<IpAddress>, ErrorCode>> {
        if !accessor.with(|mut access| access.get().network().may_look_up(&name)) {
            return Ok(Err(ErrorCode::AccessDenied));
        }
        let sockets = accessor.with_getter::<WasiSockets>(HostState::sockets);
        WasiSockets::resolve_addresses(&sockets, name).await
    }
}
