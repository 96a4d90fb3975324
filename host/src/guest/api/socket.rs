//! `socket`: a connection as a guest sees it (Node: `net.Socket`). The bytes of
//! the one that its exchange came on are the guest's only if the exchange is a
//! tunnel, which the exchange checks; those of one that it asked for, only after
//! an upgrade or CONNECT, which the request checks.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;

use crate::guest::api::bindings::innkeeper::http::types::{ErrorCode, HostSocket};
use crate::guest::api::{Held, Of, OfOwn, Socket, read_size};
use crate::guest::instance::HostState;
use crate::outbound::request::{Below, ClientRequest};
use crate::wire::exchange::Exchange;

type Own = Resource<Socket>;
type Told<T> = Result<Result<T, ErrorCode>>;

/// What is behind a handle.
enum Behind<'a> {
    /// Nothing any more.
    Nothing,
    Exchange(&'a Exchange),
    Request(&'a ClientRequest),
}

impl HostState {
    fn connection(&self, socket: &Own) -> Result<Behind<'_>> {
        Ok(match self.table.get(socket)? {
            Socket::Exchange(Held(Some(exchange))) => Behind::Exchange(exchange),
            Socket::Request(Some(request)) => Behind::Request(request),
            Socket::Exchange(Held(None)) | Socket::Request(None) => Behind::Nothing,
        })
    }
}

impl Behind<'_> {
    /// A fact of either connection, or the default of one that is gone.
    fn fact<T: Default>(
        &self,
        of_exchange: impl FnOnce(&Exchange) -> T,
        of_request: impl FnOnce(Below) -> T,
    ) -> T {
        match self {
            Behind::Nothing => T::default(),
            Behind::Exchange(exchange) => of_exchange(exchange),
            Behind::Request(request) => request.below().map(of_request).unwrap_or_default(),
        }
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.fact(|exchange| Some(exchange.socket().peer()), |below| Some(below.peer))
    }

    fn local(&self) -> Option<SocketAddr> {
        self.fact(|exchange| Some(exchange.socket().local()), |below| Some(below.local))
    }

    fn write(&self, bytes: Vec<u8>, bounded: bool) -> Result<(), ErrorCode> {
        match self {
            Behind::Nothing => Err(ErrorCode::Destroyed),
            Behind::Exchange(exchange) => Ok(exchange.write_tunnel(bytes, bounded)?),
            Behind::Request(request) => Ok(request.write_tunnel(bytes, bounded)?),
        }
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, ErrorCode>> {
        match self {
            Behind::Nothing => Poll::Ready(Err(ErrorCode::Destroyed)),
            Behind::Exchange(exchange) => exchange.poll_tunnel_read(cx, into, max).map_err(ErrorCode::from),
            Behind::Request(request) => request.poll_tunnel_read(cx, into, max).map_err(ErrorCode::from),
        }
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        match self {
            Behind::Nothing => Poll::Ready(Err(ErrorCode::Destroyed)),
            Behind::Exchange(exchange) => exchange.poll_room(cx).map_err(ErrorCode::from),
            Behind::Request(request) => request.poll_tunnel_room(cx).map_err(ErrorCode::from),
        }
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        match self {
            Behind::Nothing => Poll::Ready(Err(ErrorCode::Destroyed)),
            Behind::Exchange(exchange) => exchange.poll_tunnel_flush(cx).map_err(ErrorCode::from),
            Behind::Request(request) => request.poll_tunnel_flush(cx).map_err(ErrorCode::from),
        }
    }
}

impl HostSocket for HostState {
    fn remote_address(&mut self, socket: Own) -> Result<String> {
        Ok(self.connection(&socket)?.peer().map(|peer| peer.ip().to_string()).unwrap_or_default())
    }

    fn remote_port(&mut self, socket: Own) -> Result<u16> {
        Ok(self.connection(&socket)?.peer().map_or(0, |peer| peer.port()))
    }

    fn local_address(&mut self, socket: Own) -> Result<String> {
        Ok(self.connection(&socket)?.local().map(|local| local.ip().to_string()).unwrap_or_default())
    }

    fn local_port(&mut self, socket: Own) -> Result<u16> {
        Ok(self.connection(&socket)?.local().map_or(0, |local| local.port()))
    }

    fn encrypted(&mut self, socket: Own) -> Result<bool> {
        // Listeners speak plain TCP; TLS ends in front of the host.
        Ok(self.connection(&socket)?.fact(|_| false, |below| below.encrypted))
    }

    fn bytes_read(&mut self, socket: Own) -> Result<u64> {
        Ok(self
            .connection(&socket)?
            .fact(|exchange| exchange.socket().bytes_read(), |below| below.bytes_read))
    }

    fn bytes_written(&mut self, socket: Own) -> Result<u64> {
        let connection = self.connection(&socket)?;
        Ok(connection.fact(|exchange| exchange.socket().bytes_written(), |below| below.bytes_written))
    }

    fn exchanges(&mut self, socket: Own) -> Result<u64> {
        Ok(self.connection(&socket)?.fact(Exchange::number, |below| below.requests))
    }

    fn set_timeout(&mut self, socket: Own, milliseconds: u32) -> Result<()> {
        let timeout = Duration::from_millis(milliseconds.into());
        match self.connection(&socket)? {
            Behind::Nothing => {}
            Behind::Exchange(exchange) => exchange.set_idle_timeout(timeout),
            Behind::Request(request) => request.set_timeout((milliseconds > 0).then_some(timeout)),
        }
        Ok(())
    }

    fn set_no_delay(&mut self, socket: Own, enable: bool) -> Told<()> {
        Ok(match self.connection(&socket)? {
            Behind::Nothing => Err(ErrorCode::Destroyed),
            Behind::Exchange(exchange) => {
                exchange.socket().set_no_delay(enable).map_err(|_| ErrorCode::Destroyed)
            }
            Behind::Request(request) => {
                request.set_no_delay(enable);
                Ok(())
            }
        })
    }

    fn set_keep_alive(&mut self, socket: Own, enable: bool, initial_delay_milliseconds: u32) -> Told<()> {
        let initial_delay = Duration::from_millis(initial_delay_milliseconds.into());
        Ok(match self.connection(&socket)? {
            Behind::Nothing => Err(ErrorCode::Destroyed),
            Behind::Exchange(exchange) => {
                exchange.socket().set_keep_alive(enable, initial_delay).map_err(|_| ErrorCode::Destroyed)
            }
            Behind::Request(request) => {
                request.set_socket_keep_alive(enable, initial_delay);
                Ok(())
            }
        })
    }

    async fn read(&mut self, socket: Own, max: u32) -> Told<Option<Vec<u8>>> {
        let connection = self.connection(&socket)?;
        let max = match read_size(max) {
            Ok(max) => max,
            Err(error) => return Ok(Err(error)),
        };
        let mut piece = Vec::new();
        let read = poll_fn(|cx| connection.poll_read(cx, &mut piece, max)).await;
        Ok(read.map(|count| (count > 0).then_some(piece)))
    }

    async fn write(&mut self, socket: Own, bytes: Vec<u8>) -> Told<()> {
        let connection = self.connection(&socket)?;
        if let Err(error) = connection.write(bytes, false) {
            return Ok(Err(error));
        }
        Ok(poll_fn(|cx| connection.poll_room(cx)).await)
    }

    fn try_write(&mut self, socket: Own, bytes: Vec<u8>) -> Told<bool> {
        let connection = self.connection(&socket)?;
        if let Err(error) = connection.write(bytes, true) {
            return Ok(Err(error));
        }
        Ok(Ok(match connection {
            Behind::Nothing => false,
            Behind::Exchange(exchange) => exchange.flush_if_full(),
            Behind::Request(request) => request.is_tunnel_full(),
        }))
    }

    async fn flush(&mut self, socket: Own) -> Told<()> {
        let connection = self.connection(&socket)?;
        Ok(poll_fn(|cx| connection.poll_flush(cx)).await)
    }

    fn end(&mut self, socket: Own, bytes: Option<Vec<u8>>) -> Told<()> {
        Ok(match self.connection(&socket)? {
            Behind::Nothing => Err(ErrorCode::Destroyed),
            Behind::Exchange(exchange) => exchange.end_tunnel(bytes).map_err(ErrorCode::from),
            Behind::Request(request) => request.end_tunnel(bytes).map_err(ErrorCode::from),
        })
    }

    fn subscribe(&mut self, socket: Own) -> Result<Resource<DynPollable>> {
        match self.table.get(&socket)? {
            Socket::Exchange(held) => {
                let held = held.clone();
                HostState::subscribe(self, held, Of::Tunnel)
            }
            Socket::Request(request) => {
                let request = request.clone();
                self.subscribe_own(request, OfOwn::Tunnel)
            }
        }
    }

    fn subscribe_writable(&mut self, socket: Own) -> Result<Resource<DynPollable>> {
        match self.table.get(&socket)? {
            Socket::Exchange(held) => {
                let held = held.clone();
                HostState::subscribe(self, held, Of::Response)
            }
            Socket::Request(request) => {
                let request = request.clone();
                self.subscribe_own(request, OfOwn::TunnelRoom)
            }
        }
    }

    fn destroy(&mut self, socket: Own) -> Result<()> {
        match self.connection(&socket)? {
            Behind::Nothing => {}
            Behind::Exchange(exchange) => exchange.destroy(),
            Behind::Request(request) => request.destroy(),
        }
        Ok(())
    }

    fn destroy_soon(&mut self, socket: Own, grace_milliseconds: u32) -> Result<()> {
        let grace = Duration::from_millis(grace_milliseconds.into());
        match self.connection(&socket)? {
            Behind::Nothing => {}
            Behind::Exchange(exchange) => exchange.destroy_soon(grace),
            // What was written still goes out; nobody lingers for a server.
            Behind::Request(request) => _ = request.end_tunnel(None),
        }
        Ok(())
    }

    fn drop(&mut self, socket: Own) -> Result<()> {
        self.table.delete(socket)?;
        Ok(())
    }
}
