//! The bytes of a connection to a server: TCP, or TLS over it. Counts them;
//! knows nothing of HTTP.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BufMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::io::poll_read_buf;

/// A connection to a server.
#[derive(Debug)]
pub struct Stream {
    transport: Transport,
    peer: SocketAddr,
    local: SocketAddr,
    bytes_read: u64,
    bytes_written: u64,
}

#[derive(Debug)]
enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// A connection without TLS.
    ///
    /// # Errors
    /// What the system says about its addresses.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        let (peer, local) = (stream.peer_addr()?, stream.local_addr()?);
        Ok(Stream { transport: Transport::Tcp(stream), peer, local, bytes_read: 0, bytes_written: 0 })
    }

    /// A connection with TLS.
    ///
    /// # Errors
    /// Those of [`Stream::tcp`].
    pub fn tls(stream: TlsStream<TcpStream>) -> io::Result<Self> {
        let (peer, local) = (stream.get_ref().0.peer_addr()?, stream.get_ref().0.local_addr()?);
        let transport = Transport::Tls(Box::new(stream));
        Ok(Stream { transport, peer, local, bytes_read: 0, bytes_written: 0 })
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
        matches!(self.transport, Transport::Tls(_))
    }

    /// Bytes received so far, without TLS's own.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Bytes sent so far, without TLS's own.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// Reads at most `max` bytes to the end of `into`; 0 is the server's end.
    /// Room is made only when there may be something to read.
    pub fn poll_read<B: BufMut>(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut B,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        let mut into = into.limit(max);
        let read = match &mut self.transport {
            Transport::Tcp(stream) => {
                // A wait holds no buffer.
                ready!(stream.poll_read_ready(cx))?;
                poll_read_buf(Pin::new(stream), cx, &mut into)
            }
            Transport::Tls(stream) => poll_read_buf(Pin::new(stream.as_mut()), cx, &mut into),
        };
        if let Poll::Ready(Ok(count)) = &read {
            self.bytes_read += *count as u64;
        }
        read
    }

    /// Writes what is taken now.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, slices),
        };
        if let Poll::Ready(Ok(count)) = &written {
            self.bytes_written += *count as u64;
        }
        written
    }

    /// Sends what TLS still holds back.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tcp(_) => Poll::Ready(Ok(())),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    /// Ends this side.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }

    /// Whether the server has neither ended its side nor said anything, as far
    /// as is known now.
    pub fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(&mut cx, &mut one).is_pending(),
            // What TLS says for itself, such as a session's ticket, is read on
            // the way.
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_read(&mut cx, &mut one).is_pending(),
        }
    }

    /// Says whether small segments leave at once.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_no_delay(&self, enable: bool) -> io::Result<()> {
        self.socket().set_nodelay(enable)
    }

    /// Asks for TCP keep-alive probes after so much idle time, or for none; zero
    /// for the system's own time.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_keep_alive(&self, enable: bool, initial_delay: Duration) -> io::Result<()> {
        let socket = SockRef::from(self.socket());
        if enable && !initial_delay.is_zero() {
            // The system counts in seconds, and takes no more than so many.
            let delay = initial_delay.clamp(Duration::from_secs(1), KEEP_ALIVE_DELAY_MAX);
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(delay))?;
        }
        socket.set_keepalive(enable)
    }

    fn socket(&self) -> &TcpStream {
        match &self.transport {
            Transport::Tcp(stream) => stream,
            Transport::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// The longest time before the first TCP keep-alive probe that Linux takes.
const KEEP_ALIVE_DELAY_MAX: Duration = Duration::from_secs(32_767);

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_shutdown(cx)
    }
}
