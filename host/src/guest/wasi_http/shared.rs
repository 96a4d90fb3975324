//! An exchange that shares its instance with others (WASI 0.3, pooled): its own
//! task moves the bytes, and a worker runs the instance for all of them.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_channel::oneshot;
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::guest::call::{Stopped, instance_of};
use crate::guest::instance::Instances;
use crate::guest::wasi_http::concurrent::answer_of;
use crate::guest::wasi_http::reply::{Outcome, Reply, Slot, judged};
use crate::guest::wasi_http::request::request_with;
use crate::guest::wasi_http::upload::Upload;
use crate::guest::wasi_http::worker::{Job, Ticket, Worker};
use crate::wire::exchange::Exchange;
use crate::wire::http1::head::BodyFraming;

/// A place in a worker. Dropped before its exchange was answered, it ends the
/// worker as soon as no other exchange needs it: a call cannot be taken back
/// from a guest.
struct Place {
    worker: Arc<Worker>,
    ticket: Arc<Ticket>,
    answered: bool,
}

/// The body of a response, whose end counts only while its worker is well.
struct Guarded {
    body: WasiBody,
    worker: Arc<Worker>,
}

/// Has an instance that may have other exchanges, too, answer `exchange`.
/// Dropping the future gives the exchange up; see [`Place`].
///
/// # Errors
/// Why the instance ended before the exchange was answered.
pub async fn answer(instances: &Arc<Instances>, exchange: &Exchange) -> Result<(), Stopped> {
    let (mut upload, body) = if exchange.head().framing == BodyFraming::None {
        (None, Empty::new().map_err(|never| match never {}).boxed_unsync())
    } else {
        let (upload, body) = Upload::new(exchange);
        (Some(upload), body)
    };
    let request = request_with(exchange, body).map_err(Stopped::Untold)?;
    let (answers, answered) = oneshot::channel();
    let ticket = Arc::new(Ticket::new(exchange.id()));
    let job = Job { request, answers, ticket: ticket.clone() };
    let worker = match instances.workers().hand(job) {
        Ok(worker) => worker,
        Err(job) => {
            let cpu = instances.cpu();
            let instance = instance_of(instances, &cpu).await?;
            Worker::start(instances, instance, cpu, *job)
        }
    };
    let mut place = Place { worker, ticket, answered: false };
    let slot = Slot::default();
    let mut reply = Reply::new(exchange.clone(), slot.clone());
    let mut answered = pin!(answered);
    let mut given = false;
    let outcome = poll_fn(|cx| {
        if let Some(upload) = &mut upload {
            upload.poll(cx);
        }
        if !given {
            match answered.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                // The worker has ended, or is about to say so.
                Poll::Ready(Err(_)) => return place.worker.poll_end(cx, &place.ticket).map(Err),
                Poll::Ready(Ok(answer)) => {
                    given = true;
                    let guard = |body| Guarded { body, worker: place.worker.clone() }.boxed_unsync();
                    match answer_of(answer) {
                        Ok(answer) => slot.put(answer.map(|response| response.map(guard))),
                        Err(error) => slot.put(Err(Error::InternalError(Some(format!("{error:#}"))))),
                    }
                }
            }
        }
        Poll::Ready(match ready!(reply.poll(cx)) {
            Outcome::Error(_) if place.worker.is_over() => {
                return place.worker.poll_end(cx, &place.ticket).map(Err);
            }
            outcome => judged(outcome),
        })
    })
    .await;
    poll_fn(|cx| place.worker.poll_leave(cx)).await;
    place.answered = true;
    exchange.note_cpu(place.ticket.cpu());
    outcome
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.leave(&self.ticket, self.answered);
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // An instance that ends takes all of its streams with it, and they end
        // as if that were meant.
        if !matches!(frame, Some(Ok(ref frame)) if frame.is_data()) && self.worker.is_over() {
            return Poll::Ready(Some(Err(Error::HttpResponseIncomplete)));
        }
        Poll::Ready(frame)
    }
}
