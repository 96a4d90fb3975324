//! A connection that speaks another protocol: after a 101, or a CONNECT that
//! was granted. Bytes as they are, in both directions.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};

use super::{ClientRequest, Inner, Stage};
use crate::outbound::agent::Seat;
use crate::outbound::error::OutboundError;
use crate::outbound::stream::Stream;
use crate::wire::error::MessageError;
use crate::wire::http1::output::Output;
use crate::wire::http1::response::HIGH_WATER_MARK;

/// Bytes read ahead to see whether there are any.
const FEW_BYTES: usize = 8 * 1024;

/// The connection.
#[derive(Debug)]
pub(super) struct Tunnel {
    stream: Stream,
    /// Received, and not yet read.
    buffer: BytesMut,
    out: Output,
    ended: bool,
    /// Whether the FIN is out.
    shut: bool,
    /// Whether the peer has ended its side.
    peer_ended: bool,
    /// Whether a handle was given to the guest.
    given: bool,
    _seat: Seat,
}

impl Tunnel {
    pub(super) fn new(stream: Stream, buffer: BytesMut, seat: Seat) -> Self {
        let out = Output::default();
        let (ended, shut, peer_ended, given) = (false, false, false, false);
        Tunnel { stream, buffer, out, ended, shut, peer_ended, given, _seat: seat }
    }

    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(super) fn unsent(&self) -> usize {
        self.out.len()
    }

    /// Sends until all is sent, the FIN too if this side has ended.
    fn poll_flush(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>> {
        let (stream, out) = (&mut self.stream, &mut self.out);
        let before = out.len();
        let flushed = out.flush_with(|slices| match stream.poll_write(cx, slices) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        });
        *moved |= out.len() < before;
        if !flushed? {
            return Poll::Pending;
        }
        ready!(stream.poll_flush(cx))?;
        if self.ended && !self.shut {
            ready!(stream.poll_shutdown(cx))?;
            self.shut = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl Inner {
    pub(super) fn drive_tunnel(&mut self, cx: &mut Context<'_>) {
        let Stage::Tunnel(tunnel) = &mut self.stage else { return };
        let mut moved = false;
        let flushed = tunnel.poll_flush(cx, &mut moved);
        if moved {
            self.clock.note_move();
        }
        if let Poll::Ready(Err(_)) = flushed {
            self.fail(OutboundError::HangUp);
        }
    }

    fn tunnel(&mut self) -> Result<&mut Tunnel, OutboundError> {
        self.check_alive()?;
        match &mut self.stage {
            Stage::Tunnel(tunnel) => Ok(tunnel),
            _ => Err(MessageError::Denied("this connection carries HTTP; its bytes are the host's").into()),
        }
    }
}

/// What a guest does with a tunnel.
impl ClientRequest {
    /// Waits for the answer to an upgrade or CONNECT; true if the connection is
    /// the guest's now, which it is told once. The bytes that came with the
    /// head are given beside.
    ///
    /// # Errors
    /// Those of `upgraded`.
    pub fn poll_tunnel(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, OutboundError>> {
        let mut inner = self.0.lock();
        if !ready!(inner.poll_head(cx))? {
            return Poll::Ready(Ok(None));
        }
        let tunnel = inner.tunnel()?;
        if std::mem::replace(&mut tunnel.given, true) {
            let message = "the connection was given already".to_owned();
            return Poll::Ready(Err(MessageError::InvalidArg(message).into()));
        }
        let head = std::mem::take(&mut tunnel.buffer).to_vec();
        inner.given = true;
        Poll::Ready(Ok(Some(head)))
    }

    /// Whether the method is CONNECT.
    pub fn is_connect(&self) -> bool {
        self.0.lock().draft.method() == "CONNECT"
    }

    /// Appends between one and `max` bytes to `into` and returns how many; 0
    /// at the peer's end. Dropping it loses nothing.
    ///
    /// # Errors
    /// Those of `socket.read`.
    pub fn poll_tunnel_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, OutboundError>> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        let tunnel = inner.tunnel()?;
        if !tunnel.buffer.is_empty() {
            let count = tunnel.buffer.len().min(max);
            into.extend_from_slice(tunnel.buffer.get(..count).unwrap_or_default());
            tunnel.buffer.advance(count);
            return Poll::Ready(Ok(count));
        }
        if tunnel.peer_ended {
            return Poll::Ready(Ok(0));
        }
        match tunnel.stream.poll_read(cx, into, max) {
            Poll::Pending => inner.wait(cx, true).map_ok(|()| 0),
            Poll::Ready(Ok(count)) => {
                tunnel.peer_ended = count == 0;
                inner.clock.note_move();
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(_)) => {
                inner.fail(OutboundError::HangUp);
                Poll::Ready(Err(OutboundError::HangUp))
            }
        }
    }

    /// Ready when [`ClientRequest::poll_tunnel_read`] would be.
    pub fn poll_tunnel_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        let Ok(tunnel) = inner.tunnel() else { return Poll::Ready(()) };
        if tunnel.peer_ended || !tunnel.buffer.is_empty() {
            return Poll::Ready(());
        }
        match tunnel.stream.poll_read(cx, &mut tunnel.buffer, FEW_BYTES) {
            Poll::Pending => inner.poll_clock(cx, true).map(|_| ()),
            Poll::Ready(Ok(count)) => {
                tunnel.peer_ended = count == 0;
                inner.clock.note_move();
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) => {
                inner.fail(OutboundError::HangUp);
                Poll::Ready(())
            }
        }
    }

    /// Appends bytes to what goes out. `bounded` refuses them when the buffer
    /// is at its bound, for callers that do not wait afterwards.
    ///
    /// # Errors
    /// Those of `socket.write` and `try-write`; then nothing was appended.
    pub fn write_tunnel(&self, bytes: Vec<u8>, bounded: bool) -> Result<(), OutboundError> {
        let mut inner = self.0.lock();
        let max = inner.client.limits().outbound_buffer_bytes_max;
        let tunnel = inner.tunnel()?;
        if tunnel.ended {
            return Err(MessageError::WriteAfterEnd.into());
        }
        if bounded && tunnel.out.len().saturating_add(bytes.len()) > max {
            return Err(OutboundError::Limit("outbound_buffer_bytes_max"));
        }
        inner.take_memory(bytes.len())?;
        inner.tunnel()?.out.put_owned(bytes);
        Ok(())
    }

    /// Ends this side, with last bytes or without; a FIN follows them.
    ///
    /// # Errors
    /// Those of `socket.end`.
    pub fn end_tunnel(&self, bytes: Option<Vec<u8>>) -> Result<(), OutboundError> {
        let is_bare = bytes.is_none();
        {
            let mut inner = self.0.lock();
            if is_bare && inner.tunnel()?.ended {
                return Err(MessageError::AlreadyFinished.into());
            }
        }
        if let Some(bytes) = bytes {
            self.write_tunnel(bytes, false)?;
        }
        self.0.lock().tunnel()?.ended = true;
        Ok(())
    }

    /// Ready when all that was written is with the system.
    ///
    /// # Errors
    /// Those of `socket.flush`.
    pub fn poll_tunnel_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        self.poll_tunnel_below(cx, 0)
    }

    /// Ready when the buffer has room.
    ///
    /// # Errors
    /// Those of `socket.write`.
    pub fn poll_tunnel_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        self.poll_tunnel_below(cx, HIGH_WATER_MARK)
    }

    fn poll_tunnel_below(&self, cx: &mut Context<'_>, bytes: usize) -> Poll<Result<(), OutboundError>> {
        let mut inner = self.0.lock();
        inner.drive(cx);
        if inner.tunnel()?.out.len() <= bytes {
            return Poll::Ready(Ok(()));
        }
        inner.wait(cx, true)
    }

    /// Whether the buffer of a tunnel is full.
    pub fn is_tunnel_full(&self) -> bool {
        self.0.lock().tunnel().is_ok_and(|tunnel| tunnel.out.len() > HIGH_WATER_MARK)
    }
}
