//! An accepted socket, shared by whoever reads, writes or watches it. Counts
//! bytes and remembers when something last moved; knows nothing of HTTP.

use std::any::Any;
use std::cell::RefCell;
use std::io::{self, IoSlice, Read as _};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use parking_lot::Mutex;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::coop::poll_proceed;
use tokio::time::Instant;

/// The longest time before the first TCP keep-alive probe that Linux takes.
const KEEP_ALIVE_DELAY_MAX: Duration = Duration::from_secs(32_767);

/// Bytes that [`Socket::poll_read_few`] reads at most.
const FEW_BYTES: usize = 8 * 1024;

/// One accepted socket. All methods take `&self`: the connection is driven by
/// one task at a time, but several of its futures look at the socket.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    opened: Instant,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    /// Milliseconds from `opened` to the last byte in either direction; kept
    /// only while somebody asks, for a look at the clock is not free.
    moved: AtomicU64,
    moves_watched: AtomicBool,
    destroyed: AtomicBool,
    cut: Notify,
    /// What is held for as long as the connection is its holder's.
    seat: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
    holder: AtomicUsize,
}

impl Socket {
    /// Takes over an accepted socket.
    ///
    /// # Errors
    /// What the system says about its addresses: the peer may be gone already.
    pub fn new(stream: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        let local = stream.local_addr()?;
        stream.set_nodelay(true)?;
        Ok(Socket {
            stream,
            peer,
            local,
            opened: Instant::now(),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            moves_watched: AtomicBool::new(false),
            destroyed: AtomicBool::new(false),
            cut: Notify::new(),
            seat: Mutex::new(None),
            holder: AtomicUsize::new(0),
        })
    }

    /// The peer's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address that the peer connected to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// When the connection was accepted.
    pub fn opened(&self) -> Instant {
        self.opened
    }

    /// Bytes received so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Bytes sent so far.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// Keeps [`Socket::moved`] up to date from now on.
    pub fn watch_moves(&self) {
        if !self.moves_watched.swap(true, Ordering::Relaxed) {
            self.touch();
        }
    }

    /// When the last byte came or went, since it is watched.
    pub fn moved(&self) -> Instant {
        self.opened + Duration::from_millis(self.moved.load(Ordering::Relaxed))
    }

    /// Reads at most `max` bytes to the end of `into`; 0 is the peer's FIN.
    pub fn poll_read<B: BufMut>(
        &self,
        cx: &mut Context<'_>,
        into: &mut B,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        // A peer that sends as fast as we read must not keep the thread.
        let budget = ready!(poll_proceed(cx));
        loop {
            match self.try_read(into, max) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.poll_readable(cx))?,
                result => {
                    budget.made_progress();
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// Like [`Socket::poll_read`], but makes room in `into` only when there is
    /// something to read: a wait holds no memory.
    pub fn poll_read_when_there(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_readable(cx))?;
        into.reserve(max);
        let read = self.poll_read(cx, into, max);
        if read.is_pending() {
            *into = Vec::new();
        }
        read
    }

    /// Like [`Socket::poll_read`], but `WouldBlock` instead of waiting.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_read<B: BufMut>(&self, into: &mut B, max: usize) -> io::Result<usize> {
        let count = self.stream.try_read_buf(&mut into.limit(max))?;
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        self.touch();
        Ok(count)
    }

    /// Reads a few bytes, such as a head, into a buffer of just their size; an
    /// empty one is the peer's FIN. Learns in the same call that there was no
    /// more, which saves the next one.
    pub fn poll_read_few(&self, cx: &mut Context<'_>) -> Poll<io::Result<BytesMut>> {
        thread_local! {
            static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; FEW_BYTES]);
        }
        loop {
            ready!(self.poll_readable(cx))?;
            let mut few = BytesMut::new();
            let read = SCRATCH.with_borrow_mut(|scratch| {
                self.stream.try_io(Interest::READABLE, || {
                    let count = (&*SockRef::from(&self.stream)).read(scratch)?;
                    few.extend_from_slice(scratch.get(..count).unwrap_or_default());
                    let drained = count > 0 && count < scratch.len();
                    // So tokio forgets that the socket was readable, unless it
                    // has become so again in the meantime.
                    if drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
                })
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && few.is_empty() => {}
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                _ => {
                    self.bytes_read.fetch_add(few.len() as u64, Ordering::Relaxed);
                    self.touch();
                    return Poll::Ready(Ok(few));
                }
            }
        }
    }

    /// Ready when there is something to read, a FIN or an error.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(cx)
    }

    /// Writes what the socket takes now, or `WouldBlock`.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = self.stream.try_write_vectored(slices)?;
        self.bytes_written.fetch_add(count as u64, Ordering::Relaxed);
        self.touch();
        Ok(count)
    }

    /// Ready when the socket takes more.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }

    /// Waits until the peer has reset the connection. Bytes and a FIN do not
    /// wake it. Can be dropped at any time.
    pub async fn reset_by_peer(&self) {
        // An error of the readiness system itself means as much as a reset.
        let _ = self.stream.ready(Interest::ERROR).await;
    }

    /// Waits until the peer's FIN has come, or a reset. Bytes do not wake it,
    /// read or unread. Can be dropped at any time.
    pub async fn closed_by_peer(&self) {
        // Of all that readiness can mean, `PRIORITY` has the FIN without the
        // bytes; urgent data, its other half, is never registered for.
        let _ = self.stream.ready(Interest::PRIORITY).await;
    }

    /// Sends a FIN after what was written.
    pub fn shutdown_write(&self) {
        // It fails if the connection is gone, which is as good.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
    }

    /// Marks the connection as to be dropped; whoever drives it does.
    pub fn destroy(&self) {
        self.destroyed.store(true, Ordering::Relaxed);
    }

    /// Drops the connection from outside of the task that drives it, and wakes
    /// that.
    pub fn cut(&self) {
        self.destroy();
        self.cut.notify_one();
        // It fails if the connection is gone, which is as good.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
    }

    /// Waits for [`Socket::cut`]. Can be dropped at any time.
    pub async fn was_cut(&self) {
        self.cut.notified().await;
    }

    /// Whether [`Socket::destroy`] was called.
    pub fn is_destroyed(&self) -> bool {
        self.destroyed.load(Ordering::Relaxed)
    }

    /// Whether the connection is held by this holder; see [`Socket::seat`].
    pub fn is_held_by(&self, holder: usize) -> bool {
        self.holder.load(Ordering::Relaxed) == holder
    }

    /// Keeps `seat` until the connection ends or has another holder, which is
    /// whatever number the caller tells holders apart by; 0 is nobody.
    pub fn seat(&self, holder: usize, seat: Arc<dyn Any + Send + Sync>) {
        *self.seat.lock() = Some(seat);
        self.holder.store(holder, Ordering::Relaxed);
    }

    /// Makes the close a reset, so that the peer cannot take it for the end
    /// of a body.
    pub fn reset_on_close(&self) {
        // It fails if the connection is gone, which is as good.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Node's `setNoDelay`.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_no_delay(&self, enable: bool) -> io::Result<()> {
        self.stream.set_nodelay(enable)
    }

    /// Node's `setKeepAlive`; a zero delay leaves the system's own.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_keep_alive(&self, enable: bool, initial_delay: Duration) -> io::Result<()> {
        set_keep_alive(&self.stream, enable, initial_delay)
    }

    fn touch(&self) {
        if !self.moves_watched.load(Ordering::Relaxed) {
            return;
        }
        let moved = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(moved, Ordering::Relaxed);
    }
}

/// Asks for TCP keep-alive probes after so much idle time, or for none; zero for
/// the system's own time.
///
/// # Errors
/// What the system says.
pub fn set_keep_alive(stream: &TcpStream, enable: bool, initial_delay: Duration) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_keepalive(enable)?;
    if enable && !initial_delay.is_zero() {
        // The system counts in seconds, and takes 0 for an error.
        let initial_delay = initial_delay.clamp(Duration::from_secs(1), KEEP_ALIVE_DELAY_MAX);
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(initial_delay))?;
    }
    Ok(())
}
