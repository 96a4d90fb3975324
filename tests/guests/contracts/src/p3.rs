//! The guest of `wasi:http` 0.3. The steps are a task beside the call, which
//! returns as soon as they have given the head away.

use std::mem::forget;
use std::time::Duration;

use futures_channel::oneshot;
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response};
use wasip3::wit_bindgen::{
    FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter, spawn_local,
};
use wasip3::{wit_future, wit_stream};

use crate::play::play;
use crate::{Exchange, Facts, Field, Outcome, case};

const PIECE_BYTES_MAX: usize = 64 * 1024;

struct Contracts;

wasip3::http::service::export!(Contracts);

type Trailers = Result<Option<Fields>, ErrorCode>;

impl wasip3::exports::http::handler::Guest for Contracts {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let (answer, answered) = oneshot::channel();
        let mut exchange = P3 {
            facts: facts_of(&request),
            body: Source::Unread(request),
            status: 200,
            headers: Fields::new(),
            response: State::Before(answer),
        };
        spawn_local(async move { play(&mut exchange).await });
        answered.await.unwrap_or(Err(ErrorCode::InternalError(Some("no answer".to_owned()))))
    }
}

struct P3 {
    /// Kept, because a request is gone once its body is read.
    facts: Facts,
    body: Source,
    status: u16,
    headers: Fields,
    response: State,
}

/// The body of the request.
enum Source {
    Unread(Request),
    Open(StreamReader<u8>, FutureReader<Trailers>),
    Ended(Option<Fields>),
}

enum State {
    Before(oneshot::Sender<Result<Response, ErrorCode>>),
    Begun(StreamWriter<u8>, FutureWriter<Trailers>),
    Over,
}

fn facts_of(request: &Request) -> Facts {
    let method = match request.get_method() {
        Method::Other(name) => name,
        known => case(&known).to_ascii_uppercase(),
    };
    Facts {
        method,
        target: request.get_path_with_query().unwrap_or_default(),
        scheme: request.get_scheme().map(|scheme| case(&scheme).replace('-', "")),
        authority: request.get_authority(),
        headers: request.get_headers().copy_all(),
    }
}

impl P3 {
    /// The stream of the response, which is begun by that.
    fn begun(&mut self) -> Outcome<&mut StreamWriter<u8>> {
        match std::mem::replace(&mut self.response, State::Over) {
            State::Before(answer) => {
                let (writer, body) = wit_stream::new();
                let (trailers, rest) = wit_future::new(|| Ok(None));
                let headers = std::mem::replace(&mut self.headers, Fields::new());
                let (response, _sent) = Response::new(headers, Some(body), rest);
                response.set_status_code(self.status).map_err(|()| "status".to_owned())?;
                let _ = answer.send(Ok(response));
                self.response = State::Begun(writer, trailers);
            }
            begun => self.response = begun,
        }
        match &mut self.response {
            State::Begun(writer, _) => Ok(writer),
            _ => Err("over".to_owned()),
        }
    }

    /// Opens the body, if it is not yet.
    fn open(&mut self) {
        match std::mem::replace(&mut self.body, Source::Ended(None)) {
            Source::Unread(request) => {
                let (done, heard) = wit_future::new(|| Ok(()));
                drop(done);
                let (stream, rest) = Request::consume_body(request, heard);
                self.body = Source::Open(stream, rest);
            }
            open => self.body = open,
        }
    }

    /// Goes on to what follows the body.
    async fn close(&mut self) -> Outcome {
        match std::mem::replace(&mut self.body, Source::Ended(None)) {
            Source::Open(stream, rest) => {
                drop(stream);
                self.body = Source::Ended(rest.await.map_err(|code| case(&code))?);
            }
            other => self.body = other,
        }
        Ok(())
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

impl Exchange for P3 {
    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn set_status(&mut self, status: u16) -> Outcome {
        let (trailers, rest) = wit_future::new(|| Ok(None));
        drop(trailers);
        let response = Response::new(Fields::new(), None, rest).0;
        response.set_status_code(status).map_err(|()| "invalid".to_owned())?;
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
        let left = self.begun()?.write_all(piece).await;
        if left.is_empty() { Ok(()) } else { Err("closed".to_owned()) }
    }

    async fn end(&mut self, piece: Vec<u8>, trailers: Vec<Field>) -> Outcome {
        let written = if piece.is_empty() { self.begun().map(drop) } else { self.write(piece).await };
        let trailers = match trailers.as_slice() {
            [] => None,
            lines => Some(Fields::from_list(lines).map_err(|error| case(&error))?),
        };
        if let State::Begun(writer, rest) = std::mem::replace(&mut self.response, State::Over) {
            drop(writer);
            let _ = rest.write(Ok(trailers)).await;
        }
        written
    }

    async fn leave(&mut self) {
        // Without a word it would be whole.
        if let State::Begun(writer, rest) = std::mem::replace(&mut self.response, State::Over) {
            let _ = rest.write(Err(ErrorCode::InternalError(None))).await;
            drop(writer);
        }
    }

    fn forget(&mut self) {
        forget(std::mem::replace(&mut self.response, State::Over));
    }

    async fn refuse(&mut self, code: &str) -> Outcome {
        match std::mem::replace(&mut self.response, State::Over) {
            State::Before(answer) => {
                let _ = answer.send(Err(code_of(code)));
            }
            State::Begun(writer, rest) => {
                drop(writer);
                let _ = rest.write(Err(code_of(code))).await;
            }
            State::Over => {}
        }
        Ok(())
    }

    async fn read(&mut self) -> Outcome<Option<Vec<u8>>> {
        self.open();
        let Source::Open(stream, _) = &mut self.body else { return Ok(None) };
        let (read, piece) = stream.read(Vec::with_capacity(PIECE_BYTES_MAX)).await;
        if matches!(read, StreamResult::Complete(_)) || !piece.is_empty() {
            return Ok(Some(piece));
        }
        // Why it ended is said in place of the trailers.
        self.close().await?;
        Ok(None)
    }

    async fn trailers(&mut self) -> Outcome<Vec<Field>> {
        self.open();
        self.close().await?;
        let Source::Ended(Some(fields)) = &self.body else { return Ok(Vec::new()) };
        Ok(fields.copy_all())
    }

    async fn sleep(&mut self, time: Duration) {
        wait_for(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).await;
    }

    fn leak(&mut self) {
        forget(Fields::new());
    }
}
