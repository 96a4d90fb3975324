//! Sends each piece of the body back as it comes. Neither the guest nor the
//! host ever holds more than a buffer's worth: `write` waits while the client
//! does not read.
//!
//! ```sh
//! (echo one; sleep 1; echo two) | curl -N -T - http://127.0.0.1:8080/
//! ```

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

/// One system call's worth of body.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

#[handler]
fn echo(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    while let Some(piece) = req.read_piece(PIECE_BYTES_MAX)? {
        res.write(piece)?;
    }
    Ok(res.end_empty()?)
}
