//! What of the network a guest may reach through WASI: TCP connections to the
//! addresses that its operator granted, the names among them, so many at a time
//! and nothing else.

pub mod concurrent;

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{HasData, HasSelf, Linker, Resource};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    self, Host, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress};
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket;
use wasmtime_wasi::p2::{DynPollable, SocketError, TcpSocket};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtxView, WasiSocketsView as _};

use crate::config::{Limits, TcpGrant};
use crate::guest::instance::HostState;
use crate::wire::ledger::{Charge, Ledger};

/// The addresses that an app may connect to, and the names that it may look up.
pub struct Network {
    tcp: Arc<[SocketAddr]>,
    names: Arc<[String]>,
    /// Sockets that all instances together may have.
    sockets: Arc<Semaphore>,
    /// The same for all instances of the tenant.
    outbound: Arc<Ledger>,
    sockets_per_instance_max: usize,
}

/// The sockets that one instance has had at a time, which count for all until
/// it is gone.
#[derive(Debug, Default)]
pub struct Sockets {
    permits: Vec<(OwnedSemaphorePermit, Charge)>,
}

impl Network {
    /// Looks the names up: what they mean is decided here, once, and not when
    /// a guest asks.
    ///
    /// # Errors
    /// A name that has no address.
    pub fn new(grants: &[TcpGrant], limits: &Limits, outbound: Arc<Ledger>) -> anyhow::Result<Self> {
        let mut tcp = Vec::new();
        for TcpGrant { host, port } in grants {
            let addresses = (host.as_str(), *port).to_socket_addrs();
            tcp.extend(addresses.with_context(|| format!("tcp={host}:{port}: cannot look up {host}"))?);
        }
        let names = grants.iter().map(|grant| &grant.host).filter(|host| host.parse::<IpAddr>().is_err());
        Ok(Network {
            tcp: tcp.into(),
            names: names.cloned().collect(),
            sockets: Arc::new(Semaphore::new(limits.tcp_sockets_max as usize)),
            outbound,
            sockets_per_instance_max: limits.tcp_sockets_per_instance_max as usize,
        })
    }

    /// Whether a name may be looked up. An address needs no looking up.
    fn may_look_up(&self, name: &str) -> bool {
        name.parse::<IpAddr>().is_ok() || self.names.iter().any(|granted| granted == name)
    }

    /// Opens a guest's sandbox as far as that.
    pub fn grant(&self, builder: &mut WasiCtxBuilder) {
        builder.allow_udp(false).allow_tcp(!self.tcp.is_empty()).allow_ip_name_lookup(!self.names.is_empty());
        if self.tcp.is_empty() {
            return;
        }
        let granted = self.tcp.clone();
        builder.socket_addr_check(move |address, usage| {
            let granted = match usage {
                SocketAddrUse::TcpConnect => granted.contains(&address),
                // WASI binds a socket to no address in particular before it
                // connects it. That alone lets nobody in: listening is a use of
                // its own.
                SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
                _ => false,
            };
            Box::pin(async move { granted })
        });
    }
}

impl HostState {
    /// Whether this instance may have one socket more than there are in its
    /// table: each is a descriptor, of which there are only so many.
    fn admit_socket(&mut self) -> bool {
        let live = self.table.iter_mut().filter(|entry| entry.is::<TcpSocket>()).count();
        if live < self.sockets.permits.len() {
            return true;
        }
        let network = self.network();
        if live >= network.sockets_per_instance_max {
            return false;
        }
        let Ok(permit) = network.sockets.clone().try_acquire_owned() else { return false };
        let mut charge = Charge::new(network.outbound.clone());
        let admitted = charge.add(1);
        if admitted {
            self.sockets.permits.push((permit, charge));
        }
        admitted
    }
}

/// Puts a look-up of granted names in place of WASI's, which knows only all
/// names or none: a name that is looked up is a message to whoever serves it.
/// And a bound on sockets, of which WASI has none.
///
/// # Errors
/// None but wasmtime's own.
pub fn restrict(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    tcp_create_socket::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)?;
    ip_name_lookup::add_to_linker::<_, GrantedNames>(linker, |state| Lookup {
        names: state.network().names.clone(),
        sockets: state.sockets(),
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

impl tcp_create_socket::Host for HostState {
    fn create_tcp_socket(
        &mut self,
        family: network::IpAddressFamily,
    ) -> Result<Resource<TcpSocket>, SocketError> {
        if !self.admit_socket() {
            return Err(ErrorCode::NewSocketLimit.into());
        }
        self.sockets().create_tcp_socket(family)
    }
}

impl network::Host for HostState {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets().convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets().network_error_code(error)
    }
}

impl network::HostNetwork for HostState {
    fn drop(&mut self, network: Resource<network::Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets(), network)
    }
}

struct GrantedNames;

impl HasData for GrantedNames {
    type Data<'a> = Lookup<'a>;
}

struct Lookup<'a> {
    names: Arc<[String]>,
    sockets: WasiSocketsCtxView<'a>,
}

impl network::Host for Lookup<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        self.sockets.convert_error_code(error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets.network_error_code(error)
    }
}

impl network::HostNetwork for Lookup<'_> {
    fn drop(&mut self, network: Resource<network::Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets, network)
    }
}

impl Host for Lookup<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<network::Network>,
        name: String,
    ) -> Result<Resource<ResolveAddressStream>, SocketError> {
        if name.parse::<IpAddr>().is_err() && !self.names.contains(&name) {
            return Err(ErrorCode::AccessDenied.into());
        }
        self.sockets.resolve_addresses(network, name)
    }
}

impl HostResolveAddressStream for Lookup<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        self.sockets.resolve_next_address(stream)
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        self.sockets.subscribe(stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        HostResolveAddressStream::drop(&mut self.sockets, stream)
    }
}
