//! `incoming-message`: the request as a guest reads it (Node:
//! `http.IncomingMessage`).

use std::future::poll_fn;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;

use crate::guest::api::bindings::innkeeper::http::types::{
    ErrorCode, Host, HostIncomingMessage, JoinedValue,
};
use crate::guest::api::joined::{distinct, join_one, joined};
use crate::guest::api::{Held, IncomingMessage, Of, Socket, read_size};
use crate::guest::instance::HostState;
use crate::wire::exchange::Exchange;
use crate::wire::http1::fields::Line;

type Message = Resource<IncomingMessage>;

/// Bytes asked for at a time by `read-all`, which grows with what comes.
const READ_ALL_STEP: usize = 256 * 1024;

impl Host for HostState {}

impl HostState {
    fn request(&self, message: &Message) -> Result<&Held> {
        Ok(&self.table.get(message)?.0)
    }

    fn look<T: Default>(&self, message: &Message, look: impl FnOnce(&Exchange) -> T) -> Result<T> {
        Ok(self.request(message)?.look(look))
    }
}

impl HostIncomingMessage for HostState {
    fn method(&mut self, message: Message) -> Result<String> {
        self.look(&message, |exchange| exchange.head().method().to_owned())
    }

    fn url(&mut self, message: Message) -> Result<String> {
        self.look(&message, |exchange| exchange.head().target().to_owned())
    }

    fn http_version(&mut self, message: Message) -> Result<String> {
        self.look(&message, |exchange| if exchange.head().version_1_1 { "1.1" } else { "1.0" }.to_owned())
    }

    fn headers(&mut self, message: Message) -> Result<Vec<(String, JoinedValue)>> {
        self.look(&message, |exchange| joined(exchange.head().lines()))
    }

    fn header(&mut self, message: Message, name: String) -> Result<Option<Vec<u8>>> {
        self.look(&message, |exchange| {
            let values: Vec<_> = exchange.head().values(&name).map(<[u8]>::to_vec).collect();
            (!values.is_empty()).then(|| join_one(&name.to_ascii_lowercase(), &values))
        })
    }

    fn headers_distinct(&mut self, message: Message) -> Result<Vec<(String, Vec<Vec<u8>>)>> {
        self.look(&message, |exchange| distinct(exchange.head().lines()))
    }

    fn raw_headers(&mut self, message: Message) -> Result<Vec<Line>> {
        self.look(&message, |exchange| {
            exchange.head().lines().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
        })
    }

    fn trailers(&mut self, message: Message) -> Result<Vec<(String, JoinedValue)>> {
        Ok(joined(pairs(&self.raw_trailers(message)?)))
    }

    fn trailers_distinct(&mut self, message: Message) -> Result<Vec<(String, Vec<Vec<u8>>)>> {
        Ok(distinct(pairs(&self.raw_trailers(message)?)))
    }

    fn raw_trailers(&mut self, message: Message) -> Result<Vec<Line>> {
        self.look(&message, Exchange::trailers)
    }

    fn complete(&mut self, message: Message) -> Result<bool> {
        self.look(&message, Exchange::is_complete)
    }

    async fn read(&mut self, message: Message, max: u32) -> Result<Result<Option<Vec<u8>>, ErrorCode>> {
        let exchange = match self.request(&message)?.get() {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error)),
        };
        let max = match read_size(max) {
            Ok(max) => max,
            Err(error) => return Ok(Err(error)),
        };
        let mut piece = Vec::new();
        let read = poll_fn(|cx| exchange.poll_read(cx, &mut piece, max)).await;
        Ok(read.map(|count| (count > 0).then_some(piece)).map_err(ErrorCode::from))
    }

    async fn read_all(&mut self, message: Message, limit: u64) -> Result<Result<Vec<u8>, ErrorCode>> {
        let exchange = match self.request(&message)?.get() {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error)),
        };
        // What is read ends up in the guest's memory, or not at all.
        let memory_max = self.limits().memory_bytes_max as u64;
        let mut body = Vec::new();
        // Until the guest has it, the host holds it, too.
        let mut charge = exchange.charge();
        loop {
            match poll_fn(|cx| exchange.poll_read(cx, &mut body, READ_ALL_STEP)).await {
                Ok(0) => return Ok(Ok(body)),
                Ok(_) if body.len() as u64 > limit => {
                    return Ok(Err(ErrorCode::LimitExceeded("the limit given to read-all".to_owned())));
                }
                Ok(_) if body.len() as u64 > memory_max => {
                    return Ok(Err(ErrorCode::LimitExceeded("memory_bytes_max".to_owned())));
                }
                Ok(_) if charge.as_mut().is_some_and(|charge| !charge.set(body.capacity() as u64)) => {
                    return Ok(Err(ErrorCode::LimitExceeded("memory_bytes_max of the tenant".to_owned())));
                }
                Ok(_) => {}
                Err(error) => return Ok(Err(error.into())),
            }
        }
    }

    fn subscribe(&mut self, message: Message) -> Result<Resource<DynPollable>> {
        let held = self.request(&message)?.clone();
        HostState::subscribe(self, held, Of::Request)
    }

    fn socket(&mut self, message: Message) -> Result<Resource<Socket>> {
        let held = self.request(&message)?.clone();
        Ok(self.table.push(Socket(held))?)
    }

    fn destroy(&mut self, message: Message) -> Result<()> {
        self.look(&message, Exchange::destroy)
    }

    fn drop(&mut self, message: Message) -> Result<()> {
        self.table.delete(message)?;
        Ok(())
    }
}

fn pairs(lines: &[Line]) -> impl Iterator<Item = (&str, &[u8])> {
    lines.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
}
