//! `socket`: the connection as a guest sees it (Node: `net.Socket`). Its bytes
//! are the guest's only if the exchange is a tunnel, which the exchange checks.

use std::future::poll_fn;
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;

use crate::guest::api::bindings::innkeeper::http::types::{ErrorCode, HostSocket};
use crate::guest::api::{Of, Socket, read_size};
use crate::guest::instance::HostState;
use crate::wire::exchange::Exchange;

impl HostState {
    fn look_socket<T: Default>(
        &self,
        socket: &Resource<Socket>,
        look: impl FnOnce(&Exchange) -> T,
    ) -> Result<T> {
        Ok(self.table.get(socket)?.0.look(look))
    }

    fn change_socket(
        &self,
        socket: &Resource<Socket>,
        change: impl FnOnce(&crate::wire::socket::Socket) -> std::io::Result<()>,
    ) -> Result<Result<(), ErrorCode>> {
        let changed = self.table.get(socket)?.0.get();
        Ok(changed.and_then(|exchange| change(exchange.socket()).map_err(|_| ErrorCode::Destroyed)))
    }
}

impl HostSocket for HostState {
    fn remote_address(&mut self, socket: Resource<Socket>) -> Result<String> {
        self.look_socket(&socket, |exchange| exchange.socket().peer().ip().to_string())
    }

    fn remote_port(&mut self, socket: Resource<Socket>) -> Result<u16> {
        self.look_socket(&socket, |exchange| exchange.socket().peer().port())
    }

    fn local_address(&mut self, socket: Resource<Socket>) -> Result<String> {
        self.look_socket(&socket, |exchange| exchange.socket().local().ip().to_string())
    }

    fn local_port(&mut self, socket: Resource<Socket>) -> Result<u16> {
        self.look_socket(&socket, |exchange| exchange.socket().local().port())
    }

    fn encrypted(&mut self, _socket: Resource<Socket>) -> Result<bool> {
        // Listeners speak plain TCP; TLS ends in front of the host.
        Ok(false)
    }

    fn bytes_read(&mut self, socket: Resource<Socket>) -> Result<u64> {
        self.look_socket(&socket, |exchange| exchange.socket().bytes_read())
    }

    fn bytes_written(&mut self, socket: Resource<Socket>) -> Result<u64> {
        self.look_socket(&socket, |exchange| exchange.socket().bytes_written())
    }

    fn exchanges(&mut self, socket: Resource<Socket>) -> Result<u64> {
        self.look_socket(&socket, Exchange::number)
    }

    fn set_timeout(&mut self, socket: Resource<Socket>, milliseconds: u32) -> Result<()> {
        let timeout = Duration::from_millis(milliseconds.into());
        self.look_socket(&socket, |exchange| exchange.set_idle_timeout(timeout))
    }

    fn set_no_delay(&mut self, socket: Resource<Socket>, enable: bool) -> Result<Result<(), ErrorCode>> {
        self.change_socket(&socket, |socket| socket.set_no_delay(enable))
    }

    fn set_keep_alive(
        &mut self,
        socket: Resource<Socket>,
        enable: bool,
        initial_delay_milliseconds: u32,
    ) -> Result<Result<(), ErrorCode>> {
        let initial_delay = Duration::from_millis(initial_delay_milliseconds.into());
        self.change_socket(&socket, |socket| socket.set_keep_alive(enable, initial_delay))
    }

    async fn read(
        &mut self,
        socket: Resource<Socket>,
        max: u32,
    ) -> Result<Result<Option<Vec<u8>>, ErrorCode>> {
        let exchange = match self.table.get(&socket)?.0.get() {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error)),
        };
        let max = match read_size(max) {
            Ok(max) => max,
            Err(error) => return Ok(Err(error)),
        };
        let mut piece = Vec::new();
        let read = poll_fn(|cx| exchange.poll_tunnel_read(cx, &mut piece, max)).await;
        Ok(read.map(|count| (count > 0).then_some(piece)).map_err(ErrorCode::from))
    }

    async fn write(&mut self, socket: Resource<Socket>, bytes: Vec<u8>) -> Result<Result<(), ErrorCode>> {
        let exchange = match self.table.get(&socket)?.0.get() {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = exchange.write_tunnel(bytes, false) {
            return Ok(Err(error.into()));
        }
        Ok(poll_fn(|cx| exchange.poll_room(cx)).await.map_err(ErrorCode::from))
    }

    fn try_write(&mut self, socket: Resource<Socket>, bytes: Vec<u8>) -> Result<Result<bool, ErrorCode>> {
        let exchange = self.table.get(&socket)?.0.get();
        Ok(exchange.and_then(|exchange| {
            exchange.write_tunnel(bytes, true)?;
            Ok(exchange.flush_if_full())
        }))
    }

    async fn flush(&mut self, socket: Resource<Socket>) -> Result<Result<(), ErrorCode>> {
        let exchange = match self.table.get(&socket)?.0.get() {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error)),
        };
        Ok(poll_fn(|cx| exchange.poll_tunnel_flush(cx)).await.map_err(ErrorCode::from))
    }

    fn end(&mut self, socket: Resource<Socket>, bytes: Option<Vec<u8>>) -> Result<Result<(), ErrorCode>> {
        let exchange = self.table.get(&socket)?.0.get();
        Ok(exchange.and_then(|exchange| exchange.end_tunnel(bytes).map_err(ErrorCode::from)))
    }

    fn subscribe(&mut self, socket: Resource<Socket>) -> Result<Resource<DynPollable>> {
        let held = self.table.get(&socket)?.0.clone();
        HostState::subscribe(self, held, Of::Tunnel)
    }

    fn subscribe_writable(&mut self, socket: Resource<Socket>) -> Result<Resource<DynPollable>> {
        let held = self.table.get(&socket)?.0.clone();
        HostState::subscribe(self, held, Of::Response)
    }

    fn destroy(&mut self, socket: Resource<Socket>) -> Result<()> {
        self.look_socket(&socket, Exchange::destroy)
    }

    fn destroy_soon(&mut self, socket: Resource<Socket>, grace_milliseconds: u32) -> Result<()> {
        let grace = Duration::from_millis(grace_milliseconds.into());
        self.look_socket(&socket, |exchange| exchange.destroy_soon(grace))
    }

    fn drop(&mut self, socket: Resource<Socket>) -> Result<()> {
        self.table.delete(socket)?;
        Ok(())
    }
}
