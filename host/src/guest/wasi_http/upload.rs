//! A request's body on its way to an instance that another task runs: only the
//! exchange's own task may touch its exchange, so it passes on what is asked
//! for, piece by piece, and nothing ahead.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::wire::exchange::Exchange;

use super::request::RequestBody;

type Piece = Option<Result<Frame<Bytes>, Error>>;

/// The exchange's end.
pub struct Upload {
    body: RequestBody,
    pipe: Arc<Mutex<Pipe>>,
}

/// The instance's end.
struct Download(Arc<Mutex<Pipe>>);

#[derive(Default)]
struct Pipe {
    /// Whether the instance waits for a piece.
    wanted: bool,
    piece: Option<Piece>,
    /// The exchange's end is gone.
    cut: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Upload {
    /// Begins to pass on the body of `exchange`; gives the end that the
    /// instance reads.
    pub fn new(exchange: &Exchange) -> (Self, WasiBody) {
        let pipe = Arc::<Mutex<Pipe>>::default();
        let download = Download(pipe.clone()).boxed_unsync();
        (Upload { body: RequestBody::new(exchange), pipe }, download)
    }

    /// Passes on what is asked for, as far as it is there.
    pub fn poll(&mut self, cx: &mut Context<'_>) {
        {
            let mut pipe = self.pipe.lock();
            if !pipe.wanted || pipe.piece.is_some() {
                pipe.writer = Some(cx.waker().clone());
                return;
            }
        }
        if let Poll::Ready(piece) = Pin::new(&mut self.body).poll_frame(cx) {
            let mut pipe = self.pipe.lock();
            pipe.wanted = false;
            pipe.piece = Some(piece);
            pipe.writer = Some(cx.waker().clone());
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut pipe = self.pipe.lock();
        pipe.cut = true;
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Piece> {
        let mut pipe = self.0.lock();
        if let Some(piece) = pipe.piece.take() {
            return Poll::Ready(piece);
        }
        if pipe.cut {
            return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
        }
        pipe.wanted = true;
        pipe.reader = Some(cx.waker().clone());
        if let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
        Poll::Pending
    }
}
