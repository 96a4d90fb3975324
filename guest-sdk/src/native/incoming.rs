//! A message that is read: a request that a test makes, or the response of a
//! server in a test.

use std::collections::VecDeque;

use crate::{ErrorCode, Field};

/// A message as its handler finds it.
#[derive(Debug)]
pub struct Incoming {
    pub head: Head,
    body: VecDeque<Result<Vec<u8>, ErrorCode>>,
    coming_trailers: Vec<Field>,
    chunked: bool,
    /// Whether the next piece comes only after a wait.
    awaited: bool,
    /// Whether the body comes in several pieces, and its end after them.
    streamed: bool,
    failed: Option<ErrorCode>,
    complete: bool,
    trailers: Vec<Field>,
}

/// The head of a message.
#[derive(Debug, Default)]
pub struct Head {
    pub method: String,
    pub url: String,
    pub version: &'static str,
    pub status: Option<(u16, String)>,
    pub lines: Vec<Field>,
}

impl Incoming {
    /// A message with this body, in these pieces. The end of one that is
    /// `chunked` is a piece of its own, with the trailers.
    pub fn new(
        head: Head,
        body: VecDeque<Result<Vec<u8>, ErrorCode>>,
        chunked: bool,
        trailers: Vec<Field>,
    ) -> Self {
        let complete = body.is_empty() && !chunked;
        Self {
            head,
            streamed: body.len() > 1,
            body,
            coming_trailers: trailers,
            chunked,
            awaited: false,
            failed: None,
            complete,
            trailers: Vec::new(),
        }
    }

    /// Whether what is read next is not there yet: the first piece comes with
    /// the head, each further one after a while.
    pub fn would_wait(&self) -> bool {
        self.awaited && !self.complete && self.failed.is_none()
    }

    /// The next piece of body, at most `max` bytes of it.
    ///
    /// # Errors
    /// What the test put in a piece's place.
    pub fn read(&mut self, max: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.body.pop_front() {
            Some(Ok(mut piece)) => {
                self.awaited = self.streamed && piece.len() <= max;
                if piece.len() > max {
                    self.body.push_front(Ok(piece.split_off(max)));
                }
                self.complete = self.body.is_empty() && !self.chunked;
                Ok(Some(piece))
            }
            Some(Err(error)) => {
                self.failed = Some(error.clone());
                Err(error)
            }
            None => {
                self.complete = true;
                self.trailers.append(&mut self.coming_trailers);
                Ok(None)
            }
        }
    }

    pub fn is_complete(&self) -> bool {
        self.complete
    }

    pub fn trailers(&self) -> &[Field] {
        &self.trailers
    }
}
