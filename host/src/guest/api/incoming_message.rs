//! `incoming-message`: the request as a guest reads it, and the response to one
//! of its own (Node: `http.IncomingMessage`).

use std::future::poll_fn;
use std::task::{Context, Poll};

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;

use crate::guest::api::bindings::innkeeper::http::types::{
    ErrorCode, Host, HostIncomingMessage, JoinedValue,
};
use crate::guest::api::joined::{distinct, join_one, joined};
use crate::guest::api::{Held, IncomingMessage, Of, OfOwn, Response, Socket, read_size};
use crate::guest::instance::HostState;
use crate::outbound::request::ClientRequest;
use crate::wire::exchange::Exchange;
use crate::wire::http1::fields::Line;

type Message = Resource<IncomingMessage>;

/// Bytes asked for at a time by `read-all`, which grows with what comes.
const READ_ALL_STEP: usize = 256 * 1024;

impl Host for HostState {}

/// What is behind a message.
enum Behind<'a> {
    /// Nothing any more.
    Nothing,
    Request(&'a Exchange),
    Response(&'a Response),
}

impl HostState {
    fn behind(&self, message: &Message) -> Result<Behind<'_>> {
        Ok(match self.table.get(message)? {
            IncomingMessage::Request(Held(Some(exchange))) => Behind::Request(exchange),
            IncomingMessage::Response(Some(response)) => Behind::Response(response),
            IncomingMessage::Request(Held(None)) | IncomingMessage::Response(None) => Behind::Nothing,
        })
    }

    /// What `look` sees of a request, or the default of anything else.
    fn of_request<T: Default>(&self, message: &Message, look: impl FnOnce(&Exchange) -> T) -> Result<T> {
        Ok(match self.behind(message)? {
            Behind::Request(exchange) => look(exchange),
            Behind::Response(_) | Behind::Nothing => T::default(),
        })
    }
}

impl Behind<'_> {
    /// The header lines as the guest sees them.
    fn lines(&self) -> Vec<(&str, &[u8])> {
        match self {
            Behind::Nothing => Vec::new(),
            Behind::Request(exchange) => exchange.head().lines().collect(),
            Behind::Response(response) => pairs(&response.head.lines).collect(),
        }
    }

    fn trailers(&self) -> Vec<Line> {
        match self {
            Behind::Nothing => Vec::new(),
            Behind::Request(exchange) => exchange.trailers(),
            Behind::Response(response) => response.request.trailers(),
        }
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
        max: usize,
    ) -> Poll<Result<usize, ErrorCode>> {
        match self {
            Behind::Nothing => Poll::Ready(Err(ErrorCode::Destroyed)),
            Behind::Request(exchange) => exchange.poll_read(cx, into, max).map_err(ErrorCode::from),
            Behind::Response(response) => response.request.poll_read(cx, into, max).map_err(ErrorCode::from),
        }
    }
}

impl HostIncomingMessage for HostState {
    fn method(&mut self, message: Message) -> Result<String> {
        self.of_request(&message, |exchange| exchange.head().method().to_owned())
    }

    fn url(&mut self, message: Message) -> Result<String> {
        self.of_request(&message, |exchange| exchange.head().target().to_owned())
    }

    fn http_version(&mut self, message: Message) -> Result<String> {
        let version = match self.behind(&message)? {
            Behind::Nothing => "",
            Behind::Request(exchange) if exchange.head().version_1_1 => "1.1",
            Behind::Request(_) => "1.0",
            Behind::Response(response) => response.head.version,
        };
        Ok(version.to_owned())
    }

    fn status_code(&mut self, message: Message) -> Result<Option<u16>> {
        Ok(match self.behind(&message)? {
            Behind::Response(response) => Some(response.head.status),
            Behind::Request(_) | Behind::Nothing => None,
        })
    }

    fn status_message(&mut self, message: Message) -> Result<Option<String>> {
        Ok(match self.behind(&message)? {
            Behind::Response(response) => Some(response.head.reason.clone()),
            Behind::Request(_) | Behind::Nothing => None,
        })
    }

    fn headers(&mut self, message: Message) -> Result<Vec<(String, JoinedValue)>> {
        Ok(joined(self.behind(&message)?.lines().into_iter()))
    }

    fn header(&mut self, message: Message, name: String) -> Result<Option<Vec<u8>>> {
        let values: Vec<_> = match self.behind(&message)? {
            Behind::Nothing => Vec::new(),
            Behind::Request(exchange) => exchange.head().values(&name).map(<[u8]>::to_vec).collect(),
            Behind::Response(response) => response.head.values(&name).map(<[u8]>::to_vec).collect(),
        };
        Ok((!values.is_empty()).then(|| join_one(&name.to_ascii_lowercase(), &values)))
    }

    fn headers_distinct(&mut self, message: Message) -> Result<Vec<(String, Vec<Vec<u8>>)>> {
        Ok(distinct(self.behind(&message)?.lines().into_iter()))
    }

    fn raw_headers(&mut self, message: Message) -> Result<Vec<Line>> {
        let behind = self.behind(&message)?;
        Ok(behind.lines().into_iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect())
    }

    fn trailers(&mut self, message: Message) -> Result<Vec<(String, JoinedValue)>> {
        Ok(joined(pairs(&self.behind(&message)?.trailers())))
    }

    fn trailers_distinct(&mut self, message: Message) -> Result<Vec<(String, Vec<Vec<u8>>)>> {
        Ok(distinct(pairs(&self.behind(&message)?.trailers())))
    }

    fn raw_trailers(&mut self, message: Message) -> Result<Vec<Line>> {
        Ok(self.behind(&message)?.trailers())
    }

    fn complete(&mut self, message: Message) -> Result<bool> {
        Ok(match self.behind(&message)? {
            Behind::Nothing => false,
            Behind::Request(exchange) => exchange.is_complete(),
            Behind::Response(response) => response.request.is_complete(),
        })
    }

    async fn read(&mut self, message: Message, max: u32) -> Result<Result<Option<Vec<u8>>, ErrorCode>> {
        let behind = self.behind(&message)?;
        let max = match read_size(max) {
            Ok(max) => max,
            Err(error) => return Ok(Err(error)),
        };
        let mut piece = Vec::new();
        let read = poll_fn(|cx| behind.poll_read(cx, &mut piece, max)).await;
        Ok(read.map(|count| (count > 0).then_some(piece)))
    }

    async fn read_all(&mut self, message: Message, limit: u64) -> Result<Result<Vec<u8>, ErrorCode>> {
        let behind = self.behind(&message)?;
        // What is read ends up in the guest's memory, or not at all.
        let memory_max = self.limits().memory_bytes_max as u64;
        let mut body = Vec::new();
        // Until the guest has it, the host holds it, too.
        let mut charge = self.charge();
        loop {
            match poll_fn(|cx| behind.poll_read(cx, &mut body, READ_ALL_STEP)).await {
                Ok(0) => return Ok(Ok(body)),
                Ok(_) if body.len() as u64 > limit => {
                    return Ok(Err(ErrorCode::LimitExceeded("the limit given to read-all".to_owned())));
                }
                Ok(_) if body.len() as u64 > memory_max => {
                    return Ok(Err(ErrorCode::LimitExceeded("memory_bytes_max".to_owned())));
                }
                Ok(_) if !charge.set(body.capacity() as u64) => {
                    return Ok(Err(ErrorCode::LimitExceeded("memory_bytes_max of the tenant".to_owned())));
                }
                Ok(_) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    fn subscribe(&mut self, message: Message) -> Result<Resource<DynPollable>> {
        match self.table.get(&message)? {
            IncomingMessage::Request(held) => {
                let held = held.clone();
                HostState::subscribe(self, held, Of::Request)
            }
            IncomingMessage::Response(response) => {
                let request = response.as_ref().map(|response| response.request.clone());
                self.subscribe_own(request, OfOwn::Body)
            }
        }
    }

    fn socket(&mut self, message: Message) -> Result<Resource<Socket>> {
        let socket = match self.table.get(&message)? {
            IncomingMessage::Request(held) => Socket::Exchange(held.clone()),
            IncomingMessage::Response(response) => {
                Socket::Request(response.as_ref().map(|response| response.request.clone()))
            }
        };
        Ok(self.table.push(socket)?)
    }

    fn destroy(&mut self, message: Message) -> Result<()> {
        match self.behind(&message)? {
            Behind::Nothing => {}
            Behind::Request(exchange) => exchange.destroy(),
            Behind::Response(response) => response.request.destroy(),
        }
        Ok(())
    }

    fn drop(&mut self, message: Message) -> Result<()> {
        self.table.delete(message)?;
        Ok(())
    }
}

/// The handle of a response whose head is there.
pub(super) fn response_of(request: &ClientRequest) -> Option<IncomingMessage> {
    let head = request.head()?;
    Some(IncomingMessage::Response(Some(Response { request: request.clone(), head })))
}

fn pairs(lines: &[Line]) -> impl Iterator<Item = (&str, &[u8])> {
    lines.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
}
