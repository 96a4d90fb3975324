//! The body of a request on its way to hyper: a queue with a guest's task at
//! one end and hyper's at the other. It has no bound of its own; whoever fills
//! it asks how much is left in it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame};
use parking_lot::Mutex;
use thiserror::Error;

/// Bytes that hyper is given at a time. It holds up to so many more than the
/// server lets it send.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// The guest's end.
#[derive(Debug)]
pub(super) struct Upload(Arc<Mutex<State>>);

/// hyper's end.
#[derive(Debug)]
pub(super) struct UploadBody(Arc<Mutex<State>>);

/// The guest's end is gone before the body was complete.
#[derive(Debug, Error)]
#[error("the request was given up")]
pub(super) struct GivenUp;

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    trailers: Option<HeaderMap>,
    ended: bool,
    given_up: bool,
    /// Whether hyper has taken anything since somebody asked.
    moved: bool,
    /// Whether hyper takes nothing more.
    closed: bool,
    /// Waits for pieces.
    reader: Option<Waker>,
    /// Waits for room.
    writer: Option<Waker>,
}

/// Both ends of a body.
pub(super) fn upload() -> (Upload, UploadBody) {
    let state = Arc::new(Mutex::new(State::default()));
    (Upload(state.clone()), UploadBody(state))
}

impl Upload {
    /// Appends a piece.
    pub(super) fn put(&self, piece: Bytes) {
        self.change(|state| {
            state.bytes += piece.len();
            state.pieces.push_back(piece);
        });
    }

    /// Ends it.
    pub(super) fn end(&self, trailers: Option<HeaderMap>) {
        self.change(|state| {
            state.trailers = trailers;
            state.ended = true;
        });
    }

    /// Bytes that hyper has not taken.
    pub(super) fn unsent(&self) -> usize {
        self.0.lock().bytes
    }

    /// Forgets them.
    pub(super) fn forget(&self) {
        let mut state = self.0.lock();
        state.pieces.clear();
        state.bytes = 0;
    }

    /// Ends it as a failure if it is not all with hyper, which then resets the
    /// stream: what is there must not look like the whole.
    pub(super) fn give_up(&self) {
        self.change(|state| {
            if !state.ended || state.bytes > 0 {
                state.given_up = true;
            }
        });
    }

    /// Whether hyper has taken anything since this was last asked.
    pub(super) fn take_moved(&self) -> bool {
        std::mem::take(&mut self.0.lock().moved)
    }

    /// Ready when hyper has taken all bytes; false if it will not.
    pub(super) fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.0.lock();
        if state.bytes == 0 {
            return Poll::Ready(true);
        }
        if state.closed {
            return Poll::Ready(false);
        }
        keep(&mut state.writer, cx);
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock();
        change(&mut state);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        let mut state = self.0.lock();
        if state.given_up {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        let frame = match state.take_piece() {
            Some(piece) => Some(Ok(Frame::data(piece))),
            None if state.ended => state.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))),
            None => {
                keep(&mut state.reader, cx);
                return Poll::Pending;
            }
        };
        state.moved = true;
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        state.ended && state.pieces.is_empty() && state.trailers.is_none() && !state.given_up
    }
}

impl Drop for UploadBody {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn take_piece(&mut self) -> Option<Bytes> {
        let first = self.pieces.front_mut()?;
        let piece = first.split_to(first.len().min(PIECE_BYTES_MAX));
        if first.is_empty() {
            self.pieces.pop_front();
        }
        self.bytes -= piece.len();
        Some(piece)
    }
}

fn keep(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}
