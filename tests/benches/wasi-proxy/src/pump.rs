//! A body on its way from one message to another.

use wasip2::http::types::{ErrorCode, IncomingBody, OutgoingBody};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::{internal, taken};

/// One move's worth of body.
const PIECE_BYTES_MAX: u64 = 64 * 1024;

/// The body. Streams are children of their bodies and stand first, so that
/// they are dropped first.
pub struct Pump {
    input: InputStream,
    output: OutputStream,
    from: IncomingBody,
    to: OutgoingBody,
}

impl Pump {
    pub fn new(from: IncomingBody, to: OutgoingBody) -> Result<Self, ErrorCode> {
        Ok(Self { input: taken(from.stream())?, output: taken(to.write())?, from, to })
    }

    /// Moves what there is, without waiting. Returns what to wait for; none at
    /// the end of the body.
    fn advance(&self) -> Result<Option<Pollable>, ErrorCode> {
        loop {
            let room = self.output.check_write().map_err(failed)?;
            if room == 0 {
                return Ok(Some(self.output.subscribe()));
            }
            match self.output.splice(&self.input, room.min(PIECE_BYTES_MAX)) {
                Ok(0) => return Ok(Some(self.input.subscribe())),
                Ok(_) => {}
                Err(StreamError::Closed) => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Ends the body as the one that it came from ended.
    fn finish(self) -> Result<(), ErrorCode> {
        let Pump { input, output, from, to } = self;
        drop((input, output));
        let trailers = IncomingBody::finish(from);
        let trailers = loop {
            match trailers.get() {
                Some(trailers) => break taken(trailers)??,
                None => trailers.subscribe().block(),
            }
        };
        OutgoingBody::finish(to, trailers)
    }
}

/// Moves what there is of a body, if there is one, and ends it at its end.
/// Returns what to wait for.
pub fn advance(pump: &mut Option<Pump>) -> Result<Option<Pollable>, ErrorCode> {
    let waits = match pump {
        Some(pump) => pump.advance()?,
        None => None,
    };
    if waits.is_none()
        && let Some(ended) = pump.take()
    {
        ended.finish()?;
    }
    Ok(waits)
}

/// Moves both bodies until the download is at its end; an upload that its
/// server no longer wants is left.
pub fn both(download: &mut Option<Pump>, upload: &mut Option<Pump>) -> Result<(), ErrorCode> {
    while let Some(down) = advance(download)? {
        match advance(upload).unwrap_or_default() {
            Some(up) => drop(poll(&[&down, &up])),
            None => down.block(),
        }
    }
    Ok(())
}

fn failed(error: StreamError) -> ErrorCode {
    internal(format!("{error:?}"))
}
