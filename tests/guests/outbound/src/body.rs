//! The body of a request, its end, and its trailers.

use innkeeper_guest::Result;

use crate::asked::Asked;
use crate::run::{Run, header, number};

/// Bytes of a pattern that are written at a time.
const PIECE_BYTES: u64 = 64 * 1024;

/// `flush`, `write TEXT`, `end` and `end TEXT`, `trailers Name: value`.
pub fn send(run: &Run, name: &str, asked: &Asked, what: &str, argument: &str) -> Result<()> {
    let request = &asked.request;
    let sent = match what {
        "flush" => request.flush_headers(),
        "write" => request.write(argument),
        "trailers" => request.add_trailers([header(argument)?]),
        _ if argument.is_empty() => request.end_empty(),
        _ => request.end(argument),
    };
    // Only what fails is worth a line.
    if sent.is_err() { run.tell(name, what, &sent) } else { Ok(()) }
}

/// `write-pattern BYTES`: so many, of which each is its place modulo 251; how
/// many were taken if not all are.
pub fn write_pattern(run: &Run, name: &str, asked: &Asked, argument: &str) -> Result<()> {
    let bytes = number(argument)?;
    let mut written = 0;
    while written < bytes {
        let piece = pattern(written, (bytes - written).min(PIECE_BYTES));
        if let Err(error) = asked.request.write(piece) {
            return run.tell(name, "write-pattern", &Err::<(), _>(error));
        }
        written += PIECE_BYTES;
    }
    Ok(())
}

/// `try-pattern BYTES`: the same without waiting, whether the buffer is full
/// or not.
pub fn try_write_pattern(run: &Run, name: &str, asked: &Asked, argument: &str) -> Result<()> {
    let tried = asked.request.try_write(pattern(0, number(argument)?));
    run.tell(name, "try-pattern", &tried)
}

/// Bytes from this place on: each is its place modulo 251.
pub fn pattern(from: u64, count: u64) -> Vec<u8> {
    (from..from + count).map(|place| (place % 251) as u8).collect()
}
