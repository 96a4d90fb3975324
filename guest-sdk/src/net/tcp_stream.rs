//! [`TcpStream`]: a blocking client connection over `wasi:sockets`.

use std::io;
use std::net::{Shutdown, SocketAddr};

use super::address;
use crate::Pollable;
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};
use crate::bindings::wasi::sockets::instance_network::instance_network;
use crate::bindings::wasi::sockets::network::{ErrorCode, IpAddressFamily, Network};
use crate::bindings::wasi::sockets::tcp::{ShutdownType, TcpSocket};
use crate::bindings::wasi::sockets::tcp_create_socket::create_tcp_socket;

/// A TCP connection to a server.
///
/// The operator grants each server with `--allow tcp=HOST:PORT`; others are
/// [`io::ErrorKind::PermissionDenied`]. Everything waits but
/// [`try_write`](Self::try_write); to wait for several things at once there
/// are [`subscribe`](Self::subscribe),
/// [`subscribe_writable`](Self::subscribe_writable) and [`poll`](crate::poll).
#[derive(Debug)]
pub struct TcpStream {
    // Dropped in this order: the streams are children of the socket.
    input: InputStream,
    output: OutputStream,
    socket: TcpSocket,
}

impl TcpStream {
    /// Connects to `host:port`, such as `127.0.0.1:5432` or `localhost:5432`.
    /// Of several addresses of a name the first one that answers is taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] if the operator has not granted it,
    /// [`io::ErrorKind::InvalidInput`] if it is not written like this,
    /// [`io::ErrorKind::NotFound`] if there is no such name,
    /// [`io::ErrorKind::ConnectionRefused`] and what else can happen on the
    /// way; of several addresses, the error of the last one.
    pub fn connect(address: impl ToString) -> io::Result<Self> {
        let network = instance_network();
        let mut last = io::ErrorKind::NotFound.into();
        for address in address::look_up(&network, &address.to_string())? {
            match Self::connect_to(&network, address) {
                Ok(stream) => return Ok(stream),
                Err(code) => last = address::error(code),
            }
        }
        Err(last)
    }

    fn connect_to(network: &Network, address: SocketAddr) -> Result<Self, ErrorCode> {
        let family = if address.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 };
        let socket = create_tcp_socket(family)?;
        socket.start_connect(network, address::to_wasi(address))?;
        loop {
            match socket.finish_connect() {
                Ok((input, output)) => return Ok(Self { input, output, socket }),
                Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
                Err(code) => return Err(code),
            }
        }
    }

    /// The next bytes, at least one and at most `max`; `None` once the peer
    /// has ended its side. Waits for bytes if there are none.
    ///
    /// # Errors
    /// That of the connection.
    pub fn read_piece(&self, max: u32) -> io::Result<Option<Vec<u8>>> {
        if max == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match self.input.blocking_read(max.into()) {
            Ok(piece) => Ok(Some(piece)),
            Err(StreamError::Closed) => Ok(None),
            Err(error) => Err(stream_error(error)),
        }
    }

    /// [`read_piece`](Self::read_piece), but an empty piece if there are no
    /// bytes now: that one was ready need not be true any more.
    pub(super) fn try_read_piece(&self, max: u32) -> io::Result<Option<Vec<u8>>> {
        match self.input.read(max.into()) {
            Ok(piece) => Ok(Some(piece)),
            Err(StreamError::Closed) => Ok(None),
            Err(error) => Err(stream_error(error)),
        }
    }

    /// Sends as many of the bytes as there is room for now, and returns how
    /// many; 0 if there is none, which
    /// [`subscribe_writable`](Self::subscribe_writable) ends. Never waits.
    ///
    /// # Errors
    /// That of the connection; [`io::ErrorKind::BrokenPipe`] if the peer takes
    /// nothing more, or after [`shutdown`](Self::shutdown).
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.output.check_write().map_err(stream_error)?;
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        if room > 0 {
            self.output.write(&bytes[..room]).map_err(stream_error)?;
        }
        Ok(room)
    }

    /// Ends one side of the connection, or both. What was written is still
    /// sent.
    ///
    /// # Errors
    /// That of the connection.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => ShutdownType::Receive,
            Shutdown::Write => ShutdownType::Send,
            Shutdown::Both => ShutdownType::Both,
        };
        self.socket.shutdown(how).map_err(address::error)
    }

    /// Ready when [`read_piece`](Self::read_piece) would return at once:
    /// bytes, the peer's end, or an error.
    pub fn subscribe(&self) -> Pollable {
        self.input.subscribe()
    }

    /// Ready when [`try_write`](Self::try_write) would find room, or fail.
    pub fn subscribe_writable(&self) -> Pollable {
        self.output.subscribe()
    }
}

/// 0 bytes are the peer's end.
impl io::Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let max = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let piece = self.read_piece(max)?.unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// 0 bytes are the peer's end.
impl io::Read for TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

/// A write waits for room and takes what fits; `flush` waits until the
/// operating system has taken everything.
impl io::Write for &TcpStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        loop {
            let taken = self.try_write(buffer)?;
            if taken > 0 || buffer.is_empty() {
                return Ok(taken);
            }
            self.subscribe_writable().block();
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.blocking_flush().map_err(stream_error)
    }
}

/// A write waits for room and takes what fits; `flush` waits until the
/// operating system has taken everything.
impl io::Write for TcpStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

/// WASI tells the cause as a text only. Behind its first line there may be the
/// host's stack.
fn stream_error(error: StreamError) -> io::Error {
    match error {
        StreamError::Closed => io::ErrorKind::BrokenPipe.into(),
        StreamError::LastOperationFailed(error) => {
            let text = error.to_debug_string();
            io::Error::other(text.lines().next().unwrap_or_default())
        }
    }
}
