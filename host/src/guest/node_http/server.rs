//! `server`: the program's `http.Server`. It listens on no socket of its own:
//! the requests of its app's routes are its requests, whatever port it asks
//! for. What it may do to connections is what the operator grants with server
//! control.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;

use crate::guest::instance::HostState;
use crate::guest::node_http::bindings::jco::node::http::{
    Error, HostServer, ListenOptions, ServerAddress, ServerOptions, TcpAddress,
};
use crate::guest::node_http::{ACCESS_DENIED, node_error};
use crate::wire::site::Control;
use crate::wire::timeouts::Timeout;

/// A server that a program has made.
pub struct Server {
    listener: u32,
    options: ServerOptions,
    /// The address that it was told to listen on.
    wanted: Option<SocketAddr>,
}

/// What the servers of an instance have come to.
#[derive(Debug, Default)]
pub struct Servers {
    /// The listener of the one that listens.
    listener: Option<u32>,
    /// Where the last exchange came in.
    local: Option<SocketAddr>,
}

type Told<T> = Result<Result<T, Error>>;

impl Servers {
    /// The listener of the server that listens, if one does.
    pub fn listener(&self) -> Option<u32> {
        self.listener
    }

    /// Notes where an exchange came in: that is what the server's address is.
    pub fn note_local(&mut self, local: SocketAddr) {
        self.local = Some(local);
    }
}

impl HostState {
    fn if_granted<T>(&self, work: impl FnOnce(&Control) -> T) -> Told<T> {
        Ok(match self.granted_control() {
            Some(control) => Ok(work(control)),
            None => Err(node_error(
                ACCESS_DENIED,
                "server-control is not granted; the operator grants it with --allow",
            )),
        })
    }

    /// The address of a server that listens: where requests come in, or, before
    /// the first of them, what it has asked for.
    fn address_of(&self, server: &Server) -> Option<ServerAddress> {
        let wanted = server.wanted?;
        let address = self.servers.local.unwrap_or(wanted);
        Some(ServerAddress::Tcp(TcpAddress {
            address: address.ip().to_string(),
            family: if address.is_ipv4() { "IPv4" } else { "IPv6" }.to_owned(),
            port: address.port(),
        }))
    }
}

impl HostServer for HostState {
    fn new(&mut self, options: ServerOptions, listener: u32) -> Result<Resource<Server>> {
        Ok(self.table.push(Server { listener, options, wanted: None })?)
    }

    fn listen(&mut self, own: Resource<Server>, options: ListenOptions) -> Told<ServerAddress> {
        let server = self.table.get(&own)?;
        if server.options.tls.is_some() {
            let message = "the host ends TLS for its apps; use createServer of node:http";
            return Ok(Err(node_error("ERR_METHOD_NOT_IMPLEMENTED", message)));
        }
        if let Some(path) = options.path {
            let message =
                format!("listen on the pipe {path:?}: requests come from the host; listen on a port");
            return Ok(Err(node_error("EACCES", message)));
        }
        let listener = server.listener;
        if self.servers.listener.is_some_and(|other| other != listener) {
            let message = "a server of this program listens already, and an app has one";
            return Ok(Err(node_error("EADDRINUSE", message)));
        }
        // A name is not looked up: nothing is bound.
        let host = options.host.and_then(|host| host.parse().ok());
        let wanted = SocketAddr::new(host.unwrap_or(IpAddr::from([0, 0, 0, 0])), options.port.unwrap_or(0));
        if let Some(control) = self.granted_control() {
            adjust(control, &server.options);
        }
        self.servers.listener = Some(listener);
        let server = self.table.get_mut(&own)?;
        server.wanted = Some(wanted);
        let server = self.table.get(&own)?;
        Ok(self.address_of(server).ok_or_else(|| node_error("EINVAL", "no address")))
    }

    fn close(&mut self, own: Resource<Server>) -> Told<bool> {
        if self.table.get(&own)?.wanted.is_none() {
            return Ok(Ok(false));
        }
        self.if_granted(Control::close)
    }

    fn close_all_connections(&mut self, _own: Resource<Server>) -> Told<()> {
        self.if_granted(Control::close_all)
    }

    fn close_idle_connections(&mut self, _own: Resource<Server>) -> Told<()> {
        self.if_granted(Control::close_idle)
    }

    fn get_connections(&mut self, _own: Resource<Server>) -> Told<u64> {
        self.if_granted(|control| control.connections() as u64)
    }

    fn address(&mut self, own: Resource<Server>) -> Result<Option<ServerAddress>> {
        let server = self.table.get(&own)?;
        Ok(self.address_of(server))
    }

    // Whether a program has something to wait for is nobody's business here:
    // an instance lives as long as its app's policy says.

    fn ref_(&mut self, _own: Resource<Server>) -> Result<()> {
        Ok(())
    }

    fn unref(&mut self, _own: Resource<Server>) -> Result<()> {
        Ok(())
    }

    fn drop(&mut self, own: Resource<Server>) -> Result<()> {
        // A program that forgets its server still has it listening.
        self.table.delete(own)?;
        Ok(())
    }
}

/// Sets the timeouts of the listening side that the program has asked for; all
/// other options are the operator's.
fn adjust(control: &Control, options: &ServerOptions) {
    let timeouts = control.timeouts();
    let set = |timeout: &Timeout, wanted: Option<u32>| {
        if let Some(milliseconds) = wanted {
            let wanted = (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()));
            // One that is longer than the operator's stays as it is.
            let _ = timeout.set(wanted);
        }
    };
    set(&timeouts.request, options.request_timeout);
    set(&timeouts.head, options.headers_timeout);
    set(&timeouts.keep_alive, options.keep_alive_timeout);
}
