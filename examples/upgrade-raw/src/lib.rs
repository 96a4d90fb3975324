//! Takes every upgrade, whatever the protocol, and sends back what comes: the
//! example of Node's documentation of 'upgrade'.
//!
//! ```sh
//! (printf 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'; cat) | nc 127.0.0.1 8080
//! ```

use innkeeper_guest::{ErrorCode, IncomingMessage, Result, ServerResponse, Socket, handler, upgrade_handler};

/// One system call's worth.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

#[upgrade_handler]
fn echo(_req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    socket.write(
        "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n",
    )?;
    // What came with the request's head is the first to be sent back.
    socket.write(head)?;
    loop {
        match socket.read_piece(PIECE_BYTES_MAX) {
            Ok(Some(piece)) => socket.write(piece)?,
            // The connection closes when the handler returns.
            Ok(None) | Err(ErrorCode::ServerClosing) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[handler]
fn plain(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_header("Content-Type", "text/plain")?;
    Ok(res.end("okay")?)
}
