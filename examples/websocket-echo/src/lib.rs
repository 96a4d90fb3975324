//! A WebSocket echo (RFC 6455), and a page to try it with. The frames are the
//! business of the `tungstenite` crate, which reads and writes the socket as it
//! would any other.
//!
//! Open `http://127.0.0.1:8080/` in a browser.

use innkeeper_guest::{ErrorCode, IncomingMessage, Result, ServerResponse, Socket, handler, upgrade_handler};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, WebSocket};

/// A message is in memory as a whole, once in and once out.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

#[handler]
fn page(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_header("Content-Type", "text/html; charset=utf-8")?;
    Ok(res.end(include_str!("../page.html"))?)
}

#[upgrade_handler(should_upgrade = asks_for_websocket)]
fn upgrade(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    if req.header_str("sec-websocket-version").as_deref() != Some("13") {
        return Ok(socket.end(
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n\
                              Connection: close\r\nContent-Length: 0\r\n\r\n",
        )?);
    }
    // 16 bytes in base64.
    let Some(key) = req.header("sec-websocket-key").filter(|key| key.len() == 24) else {
        return Ok(socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")?);
    };
    socket.write(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(&key)
    ))?;
    let limits = WebSocketConfig::default();
    let limits = limits.max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX));
    echo(WebSocket::from_partially_read(socket, head, Role::Server, Some(limits)))
}

fn asks_for_websocket(req: &IncomingMessage) -> bool {
    let protocols = req.header_str("upgrade").unwrap_or_default();
    protocols.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

fn echo(mut socket: WebSocket<Socket>) -> Result<()> {
    loop {
        match socket.read() {
            // Behind its own Close it says nothing more.
            Ok(message) if (message.is_text() || message.is_binary()) && socket.can_write() => {
                socket.send(message)?;
            }
            // Pings and Closes are answered by the crate.
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(()),
            Err(Error::Io(error)) if ErrorCode::of(&error) == Some(&ErrorCode::ServerClosing) => {
                socket.close(Some(farewell(CloseCode::Away, "the server is closing")))?;
            }
            Err(error) => {
                let code = match &error {
                    Error::Capacity(_) => CloseCode::Size,
                    Error::Utf8(_) => CloseCode::Invalid,
                    _ => CloseCode::Protocol,
                };
                // The client may be gone already. An error returned would cut
                // the connection, and this Close with it.
                let _ = socket.close(Some(farewell(code, "")));
                eprintln!("the conversation broke off: {error}");
                return Ok(());
            }
        }
    }
}

fn farewell(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: reason.into() }
}
