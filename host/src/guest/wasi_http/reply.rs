//! A guest's response on its way to the exchange: head, body, trailers, as
//! they come and as the socket takes them. Polled by the exchange's own task
//! whenever the guest waits, and after it has returned.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use parking_lot::Mutex;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::guest::call::Stopped;
use crate::guest::wasi_http::error_code::status_of;
use crate::wire::error::{ClientFault, MessageError};
use crate::wire::exchange::Exchange;
use crate::wire::http1::fields::Line;
use crate::wire::http1::response::{Response, may_be_trailer};
use crate::wire::http1::response_head::check_status;

/// What a response fails with whose body the guest began and did not finish.
const UNFINISHED: MessageError = MessageError::Parse("the body was not finished");

/// What a guest answers with: a response, or why there is none.
pub type Answered = Result<http::Response<WasiBody>, Error>;

/// Where a guest puts its answer. Clones are the same.
#[derive(Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Answered>>>);

/// An answer that goes to an exchange.
pub struct Reply {
    exchange: Exchange,
    stage: Stage,
    /// The piece of body that came last. It is held back until it is known
    /// whether it is all: a body in one piece needs no chunks.
    held: Option<Bytes>,
    /// Whether it is the guest that it cannot go on without, and not the
    /// socket.
    waits_for_guest: bool,
}

enum Stage {
    Awaited(Slot),
    Body(WasiBody),
    Over(Outcome),
}

/// What became of an answer.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The response knows: it was ended, or it failed.
    Told,
    /// The guest gave an error code in place of a response, or of the rest of
    /// its body.
    Error(Arc<Error>),
    /// The guest was not asked, because the request cannot be told to it.
    Refused(ClientFault),
}

impl Slot {
    /// Puts the answer in.
    pub fn put(&self, answer: Answered) {
        *self.0.lock() = Some(answer);
    }

    fn take(&self) -> Option<Answered> {
        self.0.lock().take()
    }
}

impl Reply {
    /// What will be in `slot`, for `exchange`.
    pub fn new(exchange: Exchange, slot: Slot) -> Self {
        Reply { exchange, stage: Stage::Awaited(slot), held: None, waits_for_guest: true }
    }

    /// Goes on as far as the guest and the socket let it; ready when it is
    /// over. Dropping it leaves the response as far as it is.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        loop {
            self.waits_for_guest = true;
            match &mut self.stage {
                Stage::Over(outcome) => return Poll::Ready(outcome.clone()),
                Stage::Awaited(slot) => match slot.take() {
                    None => return Poll::Pending,
                    Some(answered) => self.stage = self.begun(answered),
                },
                Stage::Body(body) => {
                    let room = self.exchange.poll_room(cx);
                    if room.is_pending() {
                        self.waits_for_guest = false;
                        return Poll::Pending;
                    }
                    let frame = match room {
                        Poll::Ready(Err(_)) => {
                            // Nobody takes it; the response knows why.
                            self.stage = Stage::Over(Outcome::Told);
                            continue;
                        }
                        _ => Pin::new(body).poll_frame(cx),
                    };
                    match self.take(frame) {
                        Ok(Poll::Ready(None)) => {}
                        Ok(Poll::Ready(Some(outcome))) => self.stage = Stage::Over(outcome),
                        Ok(Poll::Pending) => return Poll::Pending,
                        Err(error) => self.stage = self.failed(error),
                    }
                }
            }
        }
    }

    /// Goes on without the guest, which has returned: what it has left open
    /// will not be finished.
    pub async fn rest(mut self) -> Outcome {
        poll_fn(|cx| match self.poll(cx) {
            Poll::Pending if self.waits_for_guest => {
                if let Stage::Body(_) = self.stage {
                    self.stage = self.failed(UNFINISHED);
                }
                Poll::Ready(Outcome::Told)
            }
            polled => polled,
        })
        .await
    }

    fn begun(&self, answered: Answered) -> Stage {
        match answered {
            Err(error) => Stage::Over(Outcome::Error(Arc::new(error))),
            Ok(response) => {
                let (head, body) = response.into_parts();
                match set_head(&self.exchange, head.status.as_u16(), &head.headers) {
                    Ok(()) => Stage::Body(body),
                    Err(error) => self.failed(error),
                }
            }
        }
    }

    /// Takes what the body gave; some outcome if that was its end.
    fn take(
        &mut self,
        frame: Poll<Option<Result<Frame<Bytes>, Error>>>,
    ) -> Result<Poll<Option<Outcome>>, MessageError> {
        match frame {
            Poll::Pending => {
                self.put_held()?;
                self.exchange.with_response(Response::flush_headers)?;
                Ok(Poll::Pending)
            }
            Poll::Ready(None) => {
                self.exchange.end(self.held.take().map(Vec::from))?;
                Ok(Poll::Ready(Some(Outcome::Told)))
            }
            Poll::Ready(Some(Err(error))) => Ok(Poll::Ready(Some(Outcome::Error(Arc::new(error))))),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    if !data.is_empty() {
                        self.put_held()?;
                        self.held = Some(data);
                    }
                    Ok(Poll::Ready(None))
                }
                Err(frame) => {
                    self.put_held()?;
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let lines = lines_of(&trailers).filter(|(name, _)| may_be_trailer(name)).collect();
                    self.exchange.with_response(|response| {
                        // Trailers need chunks, which a head without a body
                        // yet does not promise.
                        response.flush_headers()?;
                        response.add_trailers(lines)
                    })?;
                    self.exchange.end(None)?;
                    Ok(Poll::Ready(Some(Outcome::Told)))
                }
            },
        }
    }

    fn put_held(&mut self) -> Result<(), MessageError> {
        match self.held.take() {
            Some(held) => self.exchange.write(held.into(), false),
            None => Ok(()),
        }
    }

    fn failed(&self, error: MessageError) -> Stage {
        self.exchange.with_response(|response| response.fail(error, false));
        Stage::Over(Outcome::Told)
    }
}

/// What an answer of `wasi:http` came to.
pub fn judged(outcome: Outcome) -> Result<(), Stopped> {
    match outcome {
        Outcome::Told => Ok(()),
        Outcome::Error(code) => Err(Stopped::ErrorCode { status: status_of(&code), what: code.to_string() }),
        Outcome::Refused(fault) => Err(Stopped::Untold(fault)),
    }
}

/// Sets what the guest wants as the head. It is fixed with the first piece of
/// body, or without one.
fn set_head(exchange: &Exchange, status: u16, headers: &HeaderMap) -> Result<(), MessageError> {
    check_status(status)?;
    exchange.with_response(|response| {
        let (fields, limits) = response.open_fields()?;
        for (name, value) in lines_of(headers) {
            fields.push(&name, value, limits)?;
        }
        response.status = status;
        Ok(())
    })
}

fn lines_of(map: &HeaderMap) -> impl Iterator<Item = Line> {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
}
