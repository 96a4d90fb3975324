//! Bodies that are too long to be kept: one that is sent, and the length of one
//! that is received.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

const BYTES: u64 = 1024 * 1024 * 1024;

/// 1 GiB, of one piece over and over.
pub struct Gibibyte {
    piece: Bytes,
    left: u64,
}

impl Gibibyte {
    /// Of this piece, of which it is a multiple.
    pub fn of(piece: Bytes) -> Self {
        Gibibyte { piece, left: BYTES }
    }
}

impl Body for Gibibyte {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left = self.left.saturating_sub(self.piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Reads a body to its end, and returns its length.
pub async fn count(mut body: Incoming) -> hyper::Result<u64> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(bytes)
}
