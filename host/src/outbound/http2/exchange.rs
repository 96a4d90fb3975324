//! A request and its response on a stream of HTTP/2. Offers what a connection
//! of HTTP/1.1 does (`http1`), and keeps the pieces of the body that can be
//! sent again.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::{Request, Response};

use super::Place;
use super::download::Download;
use super::failure::Failure;
use super::head;
use super::upload::{Upload, UploadBody, upload};
use crate::outbound::draft::{Draft, Framing, is_idempotent};
use crate::outbound::error::OutboundError;
use crate::outbound::http1::head::ResponseHead;
use crate::wire::http1::fields::Line;
use crate::wire::http1::head::HeadLimits;
use crate::wire::http1::syntax::content_length;

/// Bytes of body that are kept to be sent again.
const REPLAY_BYTES_MAX: usize = 64 * 1024;

/// A request and its response. Dropping it resets the stream, unless both are
/// complete.
#[derive(Debug)]
pub struct Http2Exchange {
    stage: Stage,
    upload: Upload,
    /// What of the body was put out, to put it out again; none once it is too
    /// much, or the server has answered.
    replay: Option<Vec<Bytes>>,
    replay_bytes: usize,
    /// Whether the connection had served before.
    reused: bool,
    /// Goes last.
    place: Place,
}

#[derive(Debug)]
enum Stage {
    /// hyper has not got it yet.
    Unsent(Box<Request<UploadBody>>),
    Waiting(Answer),
    /// Nobody has looked at the response.
    Answered(Box<Response<Incoming>>),
    Reading(Download),
    Failed(Failure),
    /// Between two others.
    Over,
}

type Answered = Result<Response<Incoming>, TrySendError<Request<UploadBody>>>;

/// The response to come.
struct Answer(Pin<Box<dyn Future<Output = Answered> + Send>>);

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Answer")
    }
}

impl Http2Exchange {
    pub(super) fn new(head: Request<()>, draft: &Draft, place: Place, reused: bool) -> Self {
        let (upload, body) = upload();
        if draft.framing() == Framing::None {
            upload.end(None);
        }
        let stage = Stage::Unsent(Box::new(head.map(|()| body)));
        Http2Exchange { stage, upload, replay: Some(Vec::new()), replay_bytes: 0, reused, place }
    }

    /// Moves what the guest has written to the stream.
    pub fn put(&mut self, draft: &mut Draft) {
        while let Some(piece) = draft.take_piece() {
            let piece = Bytes::from(piece);
            self.replay_bytes += piece.len();
            if self.replay_bytes > REPLAY_BYTES_MAX {
                self.replay = None;
            }
            if let Some(replay) = &mut self.replay {
                replay.push(piece.clone());
            }
            self.upload.put(piece);
        }
    }

    /// Puts the end of a request behind its body. Trailers go with a body of
    /// which the length is not said, as in HTTP/1.1.
    pub fn put_end(&mut self, draft: &Draft) {
        let trailers = Some(draft.trailers()).filter(|_| draft.framing() == Framing::Chunked);
        self.upload.end(trailers.and_then(head::trailers));
    }

    /// Bytes of body that hyper has not taken. It takes no more than the
    /// server's window and a little.
    pub fn unsent(&self) -> usize {
        self.upload.unsent()
    }

    /// Forgets them: the server takes nothing more.
    pub fn forget_unsent(&mut self) {
        self.upload.forget();
    }

    /// Sends until hyper has all of it; notes whether anything moved, beside.
    /// Dropping it loses nothing.
    ///
    /// # Errors
    /// `BrokenPipe` if the server takes nothing more; by then is known what it
    /// answers.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<io::Result<()>> {
        *moved |= self.send() | self.upload.take_moved();
        if ready!(self.upload.poll_taken(cx)) {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_answer(cx));
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Hands the request to hyper, if that was not done. What of the body is
    /// put out by then goes with the head.
    fn send(&mut self) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Unsent(request) => {
                let answer = self.place.sender().try_send_request(*request);
                self.stage = Stage::Waiting(Answer(Box::pin(answer)));
                true
            }
            stage => {
                self.stage = stage;
                false
            }
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Waiting(answer) = &mut self.stage else { return Poll::Ready(()) };
        self.stage = match ready!(answer.0.as_mut().poll(cx)) {
            Ok(response) => {
                self.place.note_answer();
                self.replay = None;
                Stage::Answered(Box::new(response))
            }
            Err(mut error) => {
                let kept = error.take_message().is_some();
                let failure = if kept { Failure::unsent() } else { Failure::of(error.error()) };
                Stage::Failed(self.place.note_failure(failure))
            }
        };
        Poll::Ready(())
    }

    /// The head of the response, of which the body is then ready to be read.
    /// Dropping it loses nothing.
    ///
    /// # Errors
    /// `HangUp` if the server resets the stream or the connection ends;
    /// `Parse`, `Limit`; `Connect` if the server does not speak HTTP/2.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &str,
        limits: HeadLimits,
        body_bytes_max: u64,
    ) -> Poll<Result<ResponseHead, OutboundError>> {
        self.send();
        ready!(self.poll_answer(cx));
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Answered(response) => match judge(&response, method, limits, body_bytes_max) {
                Ok(head) => {
                    self.stage = Stage::Reading(Download::new(response.into_body(), body_bytes_max, limits));
                    Poll::Ready(Ok(head))
                }
                Err(error) => {
                    self.stage = Stage::Failed(Failure::new(error.clone()));
                    Poll::Ready(Err(error))
                }
            },
            stage => {
                self.stage = stage;
                Poll::Ready(Err(self.failure()))
            }
        }
    }

    /// Appends at least one and at most `max` bytes of the body to `into`, and
    /// returns how many; 0 at its end. Dropping it loses nothing.
    ///
    /// # Errors
    /// `HangUp` if the stream or the connection breaks; `Parse`, `Limit`. After
    /// one, nothing more can be read.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, OutboundError>> {
        let Stage::Reading(download) = &mut self.stage else { return Poll::Ready(Err(self.failure())) };
        match ready!(download.poll_read(cx, into, max)) {
            Ok(count) => Poll::Ready(Ok(count)),
            Err(failure) => {
                let failure = self.place.note_failure(failure);
                let error = failure.error.clone();
                self.stage = Stage::Failed(failure);
                Poll::Ready(Err(error))
            }
        }
    }

    /// Ready when [`Http2Exchange::poll_read`] would be.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Reading(download) = &mut self.stage else { return Poll::Ready(()) };
        if let Err(failure) = ready!(download.poll_rest(cx)) {
            self.stage = Stage::Failed(self.place.note_failure(failure));
        }
        Poll::Ready(())
    }

    /// Whether the body, trailers included, was read to its end.
    pub fn is_complete(&self) -> bool {
        matches!(&self.stage, Stage::Reading(download) if download.is_complete())
    }

    /// The trailers; empty before the end.
    pub fn trailers(&self) -> Vec<Line> {
        match &self.stage {
            Stage::Reading(download) => download.trailers().to_vec(),
            _ => Vec::new(),
        }
    }

    /// Bytes of body received.
    pub fn received(&self) -> u64 {
        match &self.stage {
            Stage::Reading(download) => download.received(),
            _ => 0,
        }
    }

    /// What of the body to send again on another connection: the server has
    /// certainly not acted on the request; or the connection, which had served
    /// before, broke without an answer, and to do twice what `method` asks for
    /// does no harm (RFC 9110 9.2.2). None if the request is not to be sent
    /// again.
    pub fn take_replay(&mut self, method: &str) -> Option<Vec<Vec<u8>>> {
        let Stage::Failed(failure) = &self.stage else { return None };
        let may_be_repeated = failure.broken && self.reused && is_idempotent(method);
        if !failure.untouched && !may_be_repeated {
            return None;
        }
        let pieces = self.replay.take()?;
        self.upload.forget();
        Some(pieces.into_iter().map(Vec::from).collect())
    }

    fn failure(&self) -> OutboundError {
        match &self.stage {
            Stage::Failed(failure) => failure.error.clone(),
            _ => OutboundError::HangUp,
        }
    }
}

/// The head, if its body may follow.
fn judge(
    response: &Response<Incoming>,
    method: &str,
    limits: HeadLimits,
    body_bytes_max: u64,
) -> Result<ResponseHead, OutboundError> {
    let head = head::response(response, limits)?;
    let bodiless = method == "HEAD" || matches!(head.status, 204 | 304);
    let length = head.values("content-length").find_map(content_length).filter(|_| !bodiless);
    if length.is_some_and(|length| length > body_bytes_max) {
        return Err(OutboundError::Limit("outbound_response_body_bytes_max"));
    }
    Ok(head)
}

impl Drop for Http2Exchange {
    fn drop(&mut self) {
        // First the response: without a body under way hyper then tells the
        // server that the request is cancelled, rather than that it failed.
        self.stage = Stage::Over;
        self.upload.give_up();
    }
}
