//! A body on its way from one message to another.

use wasip2::http::types::{Fields, FutureTrailers, IncomingBody, OutgoingBody, Trailers, http_error_code};
use wasip2::io::poll::Pollable;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::call::name;

const PIECE: u64 = 64 * 1024;

/// A body and where it goes.
pub struct Pump {
    to: Option<Sink>,
    from: From,
}

/// Where it goes. The stream goes first.
struct Sink {
    stream: OutputStream,
    body: OutgoingBody,
}

/// How far it is.
enum From {
    Bytes(InputStream, IncomingBody),
    Trailers(FutureTrailers),
    End,
}

impl Pump {
    /// From there to there.
    pub fn new(from: IncomingBody, to: OutgoingBody) -> Self {
        let stream = to.write().expect("nobody has taken it");
        let source = from.stream().expect("nobody has taken it");
        Self { to: Some(Sink { stream, body: to }), from: From::Bytes(source, from) }
    }

    /// Moves what can be moved; says what to wait for, unless it is over.
    pub fn step(&mut self) -> Option<Pollable> {
        loop {
            let to = &self.to.as_ref()?.stream;
            match &self.from {
                From::Bytes(from, _) => {
                    let room = match to.check_write() {
                        Ok(0) => return Some(to.subscribe()),
                        Ok(room) => room,
                        // Nobody takes it.
                        Err(_) => return self.give_up(),
                    };
                    match from.read(room.min(PIECE)) {
                        Ok(piece) if piece.is_empty() => return Some(from.subscribe()),
                        Ok(piece) if to.write(&piece).is_ok() => {}
                        Ok(_) => return self.give_up(),
                        Err(StreamError::Closed) => self.expect_trailers(),
                        Err(StreamError::LastOperationFailed(error)) => {
                            let code = http_error_code(&error);
                            self.finish(Some(failed(
                                &code.map_or_else(|| error.to_debug_string(), |code| name(&code)),
                            )));
                        }
                    }
                }
                From::Trailers(trailers) => match trailers.get() {
                    None => return Some(trailers.subscribe()),
                    Some(Ok(Ok(trailers))) => self.finish(trailers),
                    Some(Ok(Err(code))) => self.finish(Some(failed(&name(&code)))),
                    Some(Err(())) => self.finish(None),
                },
                From::End => return None,
            }
        }
    }

    fn expect_trailers(&mut self) {
        if let From::Bytes(stream, body) = std::mem::replace(&mut self.from, From::End) {
            drop(stream);
            self.from = From::Trailers(IncomingBody::finish(body));
        }
    }

    fn finish(&mut self, trailers: Option<Trailers>) {
        self.from = From::End;
        if let Some(Sink { stream, body }) = self.to.take() {
            drop(stream);
            // What is shorter than it said shows at the other end.
            let _ = OutgoingBody::finish(body, trailers);
        }
    }

    fn give_up(&mut self) -> Option<Pollable> {
        self.from = From::End;
        self.to = None;
        None
    }
}

fn failed(code: &str) -> Trailers {
    let trailers = Fields::new();
    trailers.append("fetch-error", code.as_bytes()).expect("it is a trailer");
    trailers
}
