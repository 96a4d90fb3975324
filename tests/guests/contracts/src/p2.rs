//! The guest of `wasi:http` 0.2.

use std::cell::OnceCell;
use std::mem::forget;
use std::thread::sleep;
use std::time::Duration;

use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse,
    ResponseOutparam, http_error_code,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::play::play;
use crate::{Exchange, Facts, Field, Outcome, case};

const PIECE_BYTES_MAX: u64 = 64 * 1024;

struct Contracts;

wasip2::http::proxy::export!(Contracts);

impl Guest for Contracts {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let mut exchange = P2 {
            request,
            body: OnceCell::new(),
            status: 200,
            headers: Fields::new(),
            response: Response::Before(out),
        };
        crate::run(play(&mut exchange));
    }
}

struct P2 {
    request: IncomingRequest,
    /// Its stream, which goes before it.
    body: OnceCell<(InputStream, IncomingBody)>,
    status: u16,
    headers: Fields,
    response: Response,
}

enum Response {
    Before(ResponseOutparam),
    /// The stream goes before the body.
    Begun(OutputStream, OutgoingBody),
    Over,
}

impl P2 {
    /// The stream of the response, which is begun by that.
    fn begun(&mut self) -> Outcome<&OutputStream> {
        match std::mem::replace(&mut self.response, Response::Over) {
            Response::Before(out) => {
                let response = OutgoingResponse::new(self.headers.clone());
                response.set_status_code(self.status).map_err(|()| "status".to_owned())?;
                let body = response.body().map_err(|()| "body".to_owned())?;
                let stream = body.write().map_err(|()| "stream".to_owned())?;
                ResponseOutparam::set(out, Ok(response));
                self.response = Response::Begun(stream, body);
            }
            begun => self.response = begun,
        }
        match &self.response {
            Response::Begun(stream, _) => Ok(stream),
            _ => Err("over".to_owned()),
        }
    }

    fn source(&self) -> Outcome<&InputStream> {
        if self.body.get().is_none() {
            let body = self.request.consume().map_err(|()| "consume".to_owned())?;
            let stream = body.stream().map_err(|()| "stream".to_owned())?;
            let _ = self.body.set((stream, body));
        }
        self.body.get().map(|(stream, _)| stream).ok_or_else(|| "over".to_owned())
    }
}

fn write(stream: &OutputStream, piece: &[u8]) -> Result<(), StreamError> {
    let mut left = piece;
    while !left.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = left.split_at(room.min(left.len()));
        stream.write(now)?;
        left = later;
    }
    stream.blocking_flush()
}

fn told(error: StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => match http_error_code(&error) {
            Some(code) => case(&code),
            None => error.to_debug_string(),
        },
    }
}

fn code_of(name: &str) -> ErrorCode {
    match name {
        "denied" => ErrorCode::HttpRequestDenied,
        "length-required" => ErrorCode::HttpRequestLengthRequired,
        "body-size" => ErrorCode::HttpRequestBodySize(None),
        "uri-too-long" => ErrorCode::HttpRequestUriTooLong,
        "uri-invalid" => ErrorCode::HttpRequestUriInvalid,
        "headers-size" => ErrorCode::HttpRequestHeaderSectionSize(None),
        "refused" => ErrorCode::ConnectionRefused,
        "dns-timeout" => ErrorCode::DnsTimeout,
        "response-timeout" => ErrorCode::HttpResponseTimeout,
        "incomplete" => ErrorCode::HttpResponseIncomplete,
        "loop" => ErrorCode::LoopDetected,
        "configuration" => ErrorCode::ConfigurationError,
        other => ErrorCode::InternalError(Some(other.to_owned())),
    }
}

impl Exchange for P2 {
    fn facts(&self) -> Facts {
        let method = match self.request.method() {
            Method::Other(name) => name,
            known => case(&known).to_ascii_uppercase(),
        };
        Facts {
            method,
            target: self.request.path_with_query().unwrap_or_default(),
            scheme: self.request.scheme().map(|scheme| case(&scheme).replace('-', "")),
            authority: self.request.authority(),
            headers: self.request.headers().entries(),
        }
    }

    fn set_status(&mut self, status: u16) -> Outcome {
        OutgoingResponse::new(Fields::new()).set_status_code(status).map_err(|()| "invalid".to_owned())?;
        self.status = status;
        Ok(())
    }

    fn add_header(&mut self, name: &str, value: &[u8]) -> Outcome {
        self.headers.append(name, value).map_err(|error| case(&error))
    }

    async fn send_head(&mut self) -> Outcome {
        self.begun().map(drop)
    }

    async fn write(&mut self, piece: Vec<u8>) -> Outcome {
        write(self.begun()?, &piece).map_err(told)
    }

    async fn end(&mut self, piece: Vec<u8>, trailers: Vec<Field>) -> Outcome {
        // A body that is longer than declared fails here, and again at its end.
        let written = if piece.is_empty() { self.begun().map(drop) } else { self.write(piece).await };
        let trailers = match trailers.as_slice() {
            [] => None,
            lines => Some(Fields::from_list(lines).map_err(|error| case(&error))?),
        };
        if let Response::Begun(stream, body) = std::mem::replace(&mut self.response, Response::Over) {
            drop(stream);
            OutgoingBody::finish(body, trailers).map_err(|error| case(&error))?;
        }
        written
    }

    async fn leave(&mut self) {
        self.response = Response::Over;
    }

    fn forget(&mut self) {
        forget(std::mem::replace(&mut self.response, Response::Over));
    }

    async fn refuse(&mut self, code: &str) -> Outcome {
        // Once begun, there is no way to say which.
        if let Response::Before(out) = std::mem::replace(&mut self.response, Response::Over) {
            ResponseOutparam::set(out, Err(code_of(code)));
        }
        Ok(())
    }

    async fn read(&mut self) -> Outcome<Option<Vec<u8>>> {
        match self.source()?.blocking_read(PIECE_BYTES_MAX) {
            Ok(piece) => Ok(Some(piece)),
            Err(StreamError::Closed) => Ok(None),
            Err(error) => Err(told(error)),
        }
    }

    async fn trailers(&mut self) -> Outcome<Vec<Field>> {
        self.source()?;
        let Some((stream, body)) = self.body.take() else { return Ok(Vec::new()) };
        drop(stream);
        let trailers = IncomingBody::finish(body);
        trailers.subscribe().block();
        match trailers.get() {
            Some(Ok(Ok(Some(fields)))) => Ok(fields.entries()),
            Some(Ok(Err(code))) => Err(case(&code)),
            _ => Ok(Vec::new()),
        }
    }

    async fn sleep(&mut self, time: Duration) {
        sleep(time);
    }

    fn leak(&mut self) {
        forget(subscribe_duration(1));
    }
}
