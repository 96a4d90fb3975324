//! A connection to another server: TCP, or TLS over it. Knows nothing of HTTP.
//! `connect` makes it; whoever carries a request drives it, in place, from the
//! task of its guest: nothing here waits for anything by itself.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BufMut;
use socket2::SockRef;
use tokio::io::{AsyncBufRead as _, AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::wire::http1::body::Room;
use crate::wire::socket::set_keep_alive;

/// Pieces of at most 4 KiB that [`Stream::is_alive`] looks through for messages
/// of TLS itself. A server sends a few session tickets; one that sends without
/// end would keep the thread.
const TLS_PIECES_MAX: usize = 8;

/// One connection. Dropping it closes it; without [`Stream::poll_shutdown`]
/// before, a server that speaks TLS sees it cut.
#[derive(Debug)]
pub struct Stream {
    io: Io,
    peer: SocketAddr,
    local: SocketAddr,
    bytes_read: u64,
    bytes_written: u64,
}

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    /// In a box, for it is some twenty times as large.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Takes over a connection without TLS.
    ///
    /// # Errors
    /// What the system says about its addresses: the server may be gone
    /// already.
    pub fn plain(tcp: TcpStream) -> io::Result<Self> {
        let (peer, local) = (tcp.peer_addr()?, tcp.local_addr()?);
        Ok(Stream { io: Io::Plain(tcp), peer, local, bytes_read: 0, bytes_written: 0 })
    }

    /// Takes over a connection whose handshake is done.
    ///
    /// # Errors
    /// Those of [`Stream::plain`].
    pub fn tls(tls: TlsStream<TcpStream>) -> io::Result<Self> {
        let (tcp, _) = tls.get_ref();
        let (peer, local) = (tcp.peer_addr()?, tcp.local_addr()?);
        Ok(Stream { io: Io::Tls(Box::new(tls)), peer, local, bytes_read: 0, bytes_written: 0 })
    }

    /// The server's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The host's own.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether it is TLS.
    pub fn encrypted(&self) -> bool {
        matches!(self.io, Io::Tls(_))
    }

    /// Bytes read so far; with TLS, those inside of it.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Bytes taken to be sent so far; with TLS, those inside of it.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// Appends at least one and at most `max` bytes, which must not be 0, and
    /// returns how many; 0 is the server's FIN. Makes room in `into` only when
    /// there is something to read: a wait holds no memory.
    ///
    /// # Errors
    /// What the system says, and what is wrong with TLS
    /// ([`super::tls::fault`] tells them apart). A FIN that TLS does not
    /// announce is `UnexpectedEof`: anybody on the way could have cut there.
    pub fn poll_read<B: Room>(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut B,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let count = match &mut self.io {
            Io::Plain(tcp) => {
                ready!(tcp.poll_read_ready(cx))?;
                into.make(max);
                let mut room = (&mut *into).limit(max);
                // It is of no consequence that this future is dropped: it has
                // no state.
                let read = pin!(tcp.read_buf(&mut room)).poll(cx);
                if read.is_pending() {
                    into.give_back();
                }
                ready!(read)?
            }
            Io::Tls(tls) => {
                let there = ready!(Pin::new(&mut **tls).poll_fill_buf(cx))?;
                let count = there.len().min(max);
                into.put_slice(there.get(..count).unwrap_or_default());
                Pin::new(tls).consume(count);
                count
            }
        };
        self.bytes_read += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Takes bytes to be sent, as many as there is room for. With TLS they may
    /// still have to be flushed.
    ///
    /// # Errors
    /// Those of [`Stream::poll_read`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let count = match &mut self.io {
            Io::Plain(tcp) => ready!(Pin::new(tcp).poll_write_vectored(cx, slices))?,
            Io::Tls(tls) => ready!(Pin::new(tls).poll_write_vectored(cx, slices))?,
        };
        self.bytes_written += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Sends what TLS has taken and not yet sent.
    ///
    /// # Errors
    /// Those of [`Stream::poll_read`].
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(_) => Poll::Ready(Ok(())),
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    /// Sends a FIN after what was written, with TLS an announced one. Reading
    /// goes on.
    ///
    /// # Errors
    /// Those of [`Stream::poll_read`].
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }

    /// Node's `setNoDelay`. Connections are made with it on.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_no_delay(&self, enable: bool) -> io::Result<()> {
        self.tcp().set_nodelay(enable)
    }

    /// Node's `setKeepAlive`; a zero delay leaves the system's own.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_keep_alive(&self, enable: bool, initial_delay: Duration) -> io::Result<()> {
        set_keep_alive(self.tcp(), enable, initial_delay)
    }

    /// Whether a connection on which nothing is awaited can be used: nothing
    /// was sent that nobody asked for, and no FIN. Asks the system and waits
    /// for nothing.
    pub fn is_alive(&mut self) -> bool {
        match &mut self.io {
            Io::Plain(tcp) => is_silent(tcp),
            Io::Tls(tls) => is_silent_inside(tls),
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        match &self.io {
            Io::Plain(tcp) => tcp,
            Io::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// Whether there is nothing to read: neither bytes nor a FIN nor an error.
fn is_silent(tcp: &TcpStream) -> bool {
    // Not by tokio's readiness, which learns of a FIN only when the runtime has
    // turned once more.
    let peeked = SockRef::from(tcp).peek(&mut [std::mem::MaybeUninit::uninit()]);
    matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// The same inside of TLS, whose own messages, such as session tickets, are
/// taken in.
fn is_silent_inside(tls: &mut TlsStream<TcpStream>) -> bool {
    let (tcp, session) = tls.get_mut();
    for _ in 0..TLS_PIECES_MAX {
        match session.process_new_packets() {
            Ok(state) if state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed() => {}
            _ => return false,
        }
        match session.read_tls(&mut &*SockRef::from(&*tcp)) {
            Ok(1..) => {}
            Ok(0) => return false,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
    false
}

/// For hyper, which speaks HTTP/2 on it.
impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match &mut self.io {
            Io::Plain(tcp) => ready!(Pin::new(tcp).poll_read(cx, buffer))?,
            Io::Tls(tls) => ready!(Pin::new(tls).poll_read(cx, buffer))?,
        }
        self.bytes_read += (buffer.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Stream::poll_write(&mut self, cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Stream::poll_write(&mut self, cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_flush(&mut self, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_shutdown(&mut self, cx)
    }
}

#[cfg(test)]
mod tests;
