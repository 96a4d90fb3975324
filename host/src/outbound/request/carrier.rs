//! What carries a request: a connection of HTTP/1.1, or a stream of HTTP/2. The
//! one place that knows both.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::outbound::agent::{Connection, Seat};
use crate::outbound::client::Way;
use crate::outbound::draft::Draft;
use crate::outbound::error::OutboundError;
use crate::outbound::http1::head::ResponseHead;
use crate::outbound::http2::Http2Exchange;
use crate::outbound::origin::Origin;
use crate::outbound::stream::Stream;
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::HeadLimits;

/// What carries a request.
#[derive(Debug)]
pub(super) enum Carrier {
    Http1(Box<Connection>),
    Http2(Http2Exchange, Arc<Seat>),
}

/// The connection below a request, as its guest may know it.
#[derive(Debug, Clone, Copy)]
pub struct Below {
    /// The server's address.
    pub peer: SocketAddr,
    /// The host's own.
    pub local: SocketAddr,
    /// Whether it is TLS.
    pub encrypted: bool,
    /// Whether it had served before.
    pub reused: bool,
    /// Requests begun on it so far, this one included.
    pub requests: u64,
    /// Bytes received on it so far, as far as they are this request's to
    /// know: 0 in HTTP/2.
    pub bytes_read: u64,
    /// Bytes sent on it so far.
    pub bytes_written: u64,
}

impl Below {
    /// What is known of a stream.
    fn of(stream: &Stream, reused: bool, requests: u64) -> Self {
        Below {
            peer: stream.peer(),
            local: stream.local(),
            encrypted: stream.encrypted(),
            reused,
            requests,
            bytes_read: stream.bytes_read(),
            bytes_written: stream.bytes_written(),
        }
    }

    /// Takes over what the stream has counted since.
    pub(super) fn count(&mut self, stream: &Stream) {
        (self.bytes_read, self.bytes_written) = (stream.bytes_read(), stream.bytes_written());
    }
}

macro_rules! of_both {
    ($carrier:expr, $method:ident($($argument:expr),*)) => {
        match $carrier {
            Carrier::Http1(connection) => connection.http1.$method($($argument),*),
            Carrier::Http2(exchange, _) => exchange.$method($($argument),*),
        }
    };
}

impl Carrier {
    /// Begins a request whose head is fixed.
    pub(super) fn begin(
        way: Way,
        draft: &Draft,
        origin: &Origin,
        keep_alive: bool,
    ) -> Result<(Self, Below), OutboundError> {
        match way {
            Way::Connection(mut connection) => {
                let reused = connection.http1.is_used();
                connection.http1.begin(draft, keep_alive);
                let requests = connection.http1.requests();
                let below = Below::of(connection.http1.stream(), reused, requests);
                Ok((Carrier::Http1(connection), below))
            }
            Way::Shared(http2, seat) => {
                let below = Below {
                    peer: http2.peer(),
                    local: http2.local(),
                    encrypted: http2.encrypted(),
                    reused: http2.requests() > 0,
                    requests: http2.requests() + 1,
                    bytes_read: 0,
                    bytes_written: 0,
                };
                Ok((Carrier::Http2(http2.begin(draft, origin)?, seat), below))
            }
        }
    }

    /// The seat of its connection.
    pub(super) fn seat(&self) -> &Seat {
        match self {
            Carrier::Http1(connection) => &connection.seat,
            Carrier::Http2(_, seat) => seat,
        }
    }

    pub(super) fn put(&mut self, draft: &mut Draft) {
        of_both!(self, put(draft));
    }

    pub(super) fn put_end(&mut self, draft: &Draft) {
        of_both!(self, put_end(draft));
    }

    pub(super) fn unsent(&self) -> usize {
        of_both!(self, unsent())
    }

    pub(super) fn forget_unsent(&mut self) {
        of_both!(self, forget_unsent());
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>> {
        of_both!(self, poll_flush(cx, moved))
    }

    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &str,
        limits: HeadLimits,
        body_bytes_max: u64,
    ) -> Poll<Result<ResponseHead, OutboundError>> {
        of_both!(self, poll_head(cx, method, limits, body_bytes_max))
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, OutboundError>> {
        of_both!(self, poll_read(cx, into, max))
    }

    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        of_both!(self, poll_readable(cx))
    }

    pub(super) fn is_complete(&self) -> bool {
        of_both!(self, is_complete())
    }

    pub(super) fn trailers(&self) -> Vec<Line> {
        of_both!(self, trailers())
    }

    pub(super) fn take_replay(&mut self, method: &str) -> Option<Vec<Vec<u8>>> {
        of_both!(self, take_replay(method))
    }
}
