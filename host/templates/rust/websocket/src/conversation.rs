//! What is said over a WebSocket: a greeting for each text, and how it ends.

use innkeeper_guest::{ErrorCode, Result, Socket};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// Answers until either side closes.
pub fn hold(mut socket: WebSocket<Socket>) -> Result<()> {
    loop {
        match socket.read() {
            Ok(Message::Text(name)) if socket.can_write() => {
                socket.send(Message::text(format!("Hello, {name}!")))?;
            }
            // Pings and Closes are answered by the crate.
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(()),
            // A new version takes over, or the server stops.
            Err(Error::Io(error)) if ErrorCode::of(&error) == Some(&ErrorCode::ServerClosing) => {
                close(&mut socket, CloseCode::Away, "the server is closing");
            }
            Err(error) => {
                let code = match &error {
                    Error::Capacity(_) => CloseCode::Size,
                    Error::Utf8(_) => CloseCode::Invalid,
                    _ => CloseCode::Protocol,
                };
                close(&mut socket, code, "");
                eprintln!("the conversation broke off: {error}");
                return Ok(());
            }
        }
    }
}

fn close(socket: &mut WebSocket<Socket>, code: CloseCode, reason: &'static str) {
    // The client may be gone already, and need not be told.
    let _ = socket.close(Some(CloseFrame { code, reason: reason.into() }));
}
