//! `incoming-message`.

use std::sync::{Arc, Mutex};

use super::{Done, ErrorCode, JoinedValue, Socket, handles, read_size};
use crate::native::connection::Connection;
use crate::native::incoming::Incoming;
use crate::native::joined::{distinct, header, joined};
use crate::native::lock;
use crate::native::poll::Pollable;
use crate::native::response::Response;
use crate::native::world;
use crate::{ErrorCode as Refused, Field};

/// `incoming-message`.
#[derive(Clone, Debug)]
pub struct IncomingMessage {
    pub(crate) incoming: Arc<Mutex<Incoming>>,
    pub(crate) connection: Arc<Connection>,
    /// The response to it, if it is a request: a client that goes is gone for
    /// both.
    pub(crate) response: Option<Arc<Mutex<Response>>>,
}

impl IncomingMessage {
    pub fn method(&self) -> String {
        lock(&self.incoming).head.method.clone()
    }

    pub fn url(&self) -> String {
        lock(&self.incoming).head.url.clone()
    }

    pub fn http_version(&self) -> String {
        lock(&self.incoming).head.version.to_owned()
    }

    pub fn status_code(&self) -> Option<u16> {
        lock(&self.incoming).head.status.as_ref().map(|(status, _)| *status)
    }

    pub fn status_message(&self) -> Option<String> {
        lock(&self.incoming).head.status.as_ref().map(|(_, reason)| reason.clone())
    }

    pub fn headers(&self) -> Vec<(String, JoinedValue)> {
        joined(&lock(&self.incoming).head.lines)
    }

    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        header(&lock(&self.incoming).head.lines, name)
    }

    pub fn headers_distinct(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        distinct(&lock(&self.incoming).head.lines)
    }

    pub fn raw_headers(&self) -> Vec<Field> {
        lock(&self.incoming).head.lines.clone()
    }

    pub fn trailers(&self) -> Vec<(String, JoinedValue)> {
        joined(lock(&self.incoming).trailers())
    }

    pub fn trailers_distinct(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        distinct(lock(&self.incoming).trailers())
    }

    pub fn raw_trailers(&self) -> Vec<Field> {
        lock(&self.incoming).trailers().to_vec()
    }

    pub fn complete(&self) -> bool {
        lock(&self.incoming).is_complete()
    }

    pub fn read(&self, max: u32) -> Done<Option<Vec<u8>>> {
        let max = read_size(max)?;
        Ok(self.next(max)?)
    }

    pub fn read_all(&self, limit: u64) -> Done<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = self.next(usize::MAX)? {
            body.extend_from_slice(&piece);
            if body.len() as u64 > limit {
                return Err(ErrorCode::LimitExceeded("the limit given to read-all".to_owned()));
            }
        }
        Ok(body)
    }

    fn next(&self, max: usize) -> Result<Option<Vec<u8>>, Refused> {
        if lock(&self.incoming).would_wait() {
            world::wait();
        }
        if self.connection.is_destroyed() {
            return Err(Refused::Destroyed);
        }
        let read = lock(&self.incoming).read(max);
        if let (Err(Refused::ConnectionReset), Some(response)) = (&read, &self.response) {
            lock(response).fail(Refused::ConnectionReset);
        }
        read
    }

    pub fn subscribe(&self) -> Pollable {
        Pollable::ready()
    }

    pub fn socket(&self) -> Socket {
        Socket(self.connection.clone())
    }

    pub fn destroy(&self) {
        self.connection.destroy();
    }

    handles!();
}
