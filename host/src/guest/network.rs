//! What of the network a guest may reach through WASI: TCP connections to the
//! addresses that its operator granted, and nothing else.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

use crate::config::TcpGrant;

/// The addresses that an app may connect to.
pub struct Network {
    tcp: Arc<[SocketAddr]>,
    /// Whether one of them was granted by name, which a guest has to look up.
    names: bool,
}

impl Network {
    /// Looks the names up: what they mean is decided here, once, and not when
    /// a guest asks.
    ///
    /// # Errors
    /// A name that has no address.
    pub fn new(grants: &[TcpGrant]) -> Result<Self> {
        let mut tcp = Vec::new();
        let mut names = false;
        for TcpGrant { host, port } in grants {
            let addresses = (host.as_str(), *port).to_socket_addrs();
            tcp.extend(addresses.with_context(|| format!("tcp={host}:{port}: cannot look up {host}"))?);
            names |= host.parse::<std::net::IpAddr>().is_err();
        }
        Ok(Network { tcp: tcp.into(), names })
    }

    /// Opens a guest's sandbox as far as that.
    pub fn grant(&self, builder: &mut WasiCtxBuilder) {
        builder.allow_udp(false).allow_tcp(!self.tcp.is_empty()).allow_ip_name_lookup(self.names);
        if self.tcp.is_empty() {
            return;
        }
        let granted = self.tcp.clone();
        builder.socket_addr_check(move |address, usage| {
            let granted = matches!(usage, SocketAddrUse::TcpConnect) && granted.contains(&address);
            Box::pin(async move { granted })
        });
    }
}
