//! A guest's own request on its way through `wasi:http`: its body goes out as
//! the guest writes it and the server takes it, the response comes in as the
//! guest reads it.
//!
//! There may be three who poll it, on as many tasks: who waits for the head,
//! who sees to it that the body goes out after that, and who reads. Each has
//! all of it go on, and whatever happens wakes all of them. Once the last one
//! is dropped, the request ends.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::guest::wasi_http::outgoing::Transfer;
use crate::guest::wasi_http::outgoing_code::{Phase, code_of};
use crate::guest::wasi_http::request::trailer_map;
use crate::outbound::error::OutboundError;
use crate::outbound::request::ClientRequest;
use crate::wire::error::MessageError;
use crate::wire::http1::fields::Line;
use crate::wire::http1::response::may_be_trailer;

/// Bytes that one frame of a response's body has at most.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// A request that is under way.
struct Sending {
    request: ClientRequest,
    upload: Mutex<Upload>,
    waiting: Arc<Waiting>,
    /// Wakes all that wait.
    waker: Waker,
}

/// The body that a guest writes.
struct Upload {
    /// What is left of it.
    body: Option<WasiBody>,
    /// What the guest has said in place of the rest.
    failure: Option<Error>,
}

/// Who waits.
#[derive(Default)]
struct Waiting(Mutex<[Option<Waker>; 2]>);

/// What somebody waits for.
#[derive(Clone, Copy)]
enum For {
    /// The head, and after it that all is sent.
    Head,
    Body,
}

/// The body of a response.
struct ResponseBody {
    sending: Arc<Sending>,
    ended: bool,
}

/// Sends `request` with its body, and gives the response and what has to be
/// polled until the request is sent. Dropping it, or both of those, ends it.
///
/// # Errors
/// Why there is no response.
pub async fn send(request: ClientRequest, body: WasiBody) -> Result<(Response<WasiBody>, Transfer), Error> {
    let body = begin(&request, body).map_err(|error| code_of(error, Phase::Head))?;
    let waiting = Arc::new(Waiting::default());
    let waker = Waker::from(waiting.clone());
    let upload = Mutex::new(Upload { body, failure: None });
    let sending = Arc::new(Sending { request, upload, waiting, waker });
    poll_fn(|cx| sending.poll_head(cx)).await?;
    let body = ResponseBody { sending: sending.clone(), ended: false }.boxed_unsync();
    let response = response(&sending.request, body)?;
    Ok((response, Box::new(async move { poll_fn(|cx| sending.poll_sent(cx)).await })))
}

/// Has the head go out, framed for `body`; gives back what of it there is to
/// send.
fn begin(request: &ClientRequest, body: WasiBody) -> Result<Option<WasiBody>, OutboundError> {
    let has_length = request.look_at_fields(|fields| fields.has("content-length"));
    let length = body.size_hint().exact();
    // A body may be there and never be written: a GET goes out without one,
    // as everywhere, unless it says how long it is.
    let has_none = !has_length && length.is_none() && request.is_usually_without_body();
    if body.is_end_stream() || has_none {
        request.end(None)?;
        return Ok(None);
    }
    request.change_fields(|fields, limits| match length {
        _ if has_length => Ok(()),
        Some(length) => fields.set("Content-Length", vec![length.to_string().into_bytes()], limits),
        None => fields.set("Transfer-Encoding", vec![b"chunked".to_vec()], limits),
    })?;
    request.flush_headers()?;
    Ok(Some(body))
}

fn response(request: &ClientRequest, body: WasiBody) -> Result<Response<WasiBody>, Error> {
    let head = request.head().ok_or(Error::ConnectionTerminated)?;
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(|_| Error::HttpProtocolError)?;
    *response.headers_mut() = trailer_map(&head.lines);
    Ok(response)
}

impl Sending {
    /// Has all of it go on, and asks what `what` is ready.
    fn poll<T>(
        &self,
        cx: &Context<'_>,
        what: For,
        ask: impl FnOnce(&ClientRequest, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.waiting.register(what, cx.waker());
        let mut cx = Context::from_waker(&self.waker);
        self.upload.lock().go_on(&self.request, &mut cx);
        ask(&self.request, &mut cx)
    }

    fn poll_head(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let head = self.poll(cx, For::Head, |request, cx| {
            // The standard has no interim responses.
            while ready!(request.poll_information(cx))?.is_some() {}
            request.poll_response(cx)
        });
        head.map_err(|error| self.blame().unwrap_or_else(|| code_of(error, Phase::Head)))
    }

    /// Ready when nothing more is to be sent.
    fn poll_sent(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll(cx, For::Head, |request, cx| {
            request.poll_drive(cx);
            if request.is_sent() { Poll::Ready(()) } else { Poll::Pending }
        }));
        let failed = |error| self.blame().unwrap_or_else(|| code_of(error, Phase::Body));
        Poll::Ready(self.request.failure().map_or(Ok(()), |error| Err(failed(error))))
    }

    fn poll_read(&self, cx: &Context<'_>) -> Poll<Result<Vec<u8>, OutboundError>> {
        let mut piece = Vec::new();
        let read = self.poll(cx, For::Body, |request, cx| request.poll_read(cx, &mut piece, FRAME_BYTES_MAX));
        read.map_ok(|_| piece)
    }

    /// What the guest has said in place of its body, if that was it; told once.
    fn blame(&self) -> Option<Error> {
        self.upload.lock().failure.take()
    }
}

impl Upload {
    /// Takes from the guest what the request has room for.
    fn go_on(&mut self, request: &ClientRequest, cx: &mut Context<'_>) {
        while let Some(body) = &mut self.body {
            if request.is_full() {
                match request.poll_room(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return self.body = None,
                }
            }
            let done = match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => request.end(None).map(|()| true),
                Poll::Ready(Some(Ok(frame))) => put(request, frame),
                Poll::Ready(Some(Err(error))) => {
                    self.failure = Some(error);
                    Err(OutboundError::Aborted)
                }
            };
            match done {
                Ok(false) => {}
                Ok(true) => self.body = None,
                // A server that does not listen may answer all the same.
                Err(OutboundError::HangUp) => self.body = None,
                // Nobody but the log is told which limit it was.
                Err(OutboundError::Message(MessageError::LimitExceeded(limit))) => {
                    request.fail(OutboundError::Limit(limit));
                    self.body = None;
                }
                Err(error) => {
                    request.fail(error);
                    self.body = None;
                }
            }
        }
    }
}

/// Writes a frame; returns whether it was the last.
fn put(request: &ClientRequest, frame: Frame<Bytes>) -> Result<bool, OutboundError> {
    match frame.into_data() {
        Ok(data) => {
            if !data.is_empty() {
                request.write(data.into(), false)?;
            }
            Ok(false)
        }
        Err(frame) => {
            request.add_trailers(trailer_lines(&frame.into_trailers().unwrap_or_default()))?;
            request.end(None)?;
            Ok(true)
        }
    }
}

fn trailer_lines(map: &HeaderMap) -> Vec<Line> {
    map.iter()
        .filter(|(name, _)| may_be_trailer(name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

impl Waiting {
    fn register(&self, what: For, waker: &Waker) {
        let mut waiting = self.0.lock();
        let [head, body] = &mut *waiting;
        let slot = match what {
            For::Head => head,
            For::Body => body,
        };
        match slot {
            Some(known) if known.will_wake(waker) => {}
            slot => *slot = Some(waker.clone()),
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        // Whoever is woken comes again if it still waits.
        let woken = std::mem::take(&mut *self.0.lock());
        woken.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.sending.poll_read(cx)) {
            Ok(piece) if piece.is_empty() => {
                self.ended = true;
                let trailers = self.sending.request.trailers();
                Poll::Ready((!trailers.is_empty()).then(|| Ok(Frame::trailers(trailer_map(&trailers)))))
            }
            Ok(piece) => Poll::Ready(Some(Ok(Frame::data(piece.into())))),
            Err(error) => {
                self.ended = true;
                let code = self.sending.blame().unwrap_or_else(|| code_of(error, Phase::Body));
                Poll::Ready(Some(Err(code)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
