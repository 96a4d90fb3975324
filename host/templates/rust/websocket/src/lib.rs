//! A WebSocket server (RFC 6455), and a page to try it with. The handshake is
//! here, the conversation in `conversation.rs`; the frames are the business of
//! the `tungstenite` crate.

mod conversation;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, Socket, handler, upgrade_handler};
use tungstenite::WebSocket;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};

/// A message is in memory as a whole, once in and once out.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

#[handler]
fn page(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_header("Content-Type", "text/html; charset=utf-8")?;
    Ok(res.end(include_str!("page.html"))?)
}

#[upgrade_handler(should_upgrade = asks_for_websocket)]
fn upgrade(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    // 16 bytes in base64.
    let key = req.header("sec-websocket-key").filter(|key| key.len() == 24);
    let version = req.header_str("sec-websocket-version");
    let (Some(key), Some("13")) = (key, version.as_deref()) else {
        return Ok(socket.end(
            "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\n\
             Content-Length: 0\r\n\r\n",
        )?);
    };
    socket.write(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(&key)
    ))?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    conversation::hold(WebSocket::from_partially_read(socket, head, Role::Server, Some(limits)))
}

/// Others are answered by `page`, as if they had not asked for an upgrade.
fn asks_for_websocket(req: &IncomingMessage) -> bool {
    let protocols = req.header_str("upgrade").unwrap_or_default();
    protocols.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing;

    use super::*;

    /// A text frame of a client, `Ada`, with a mask of zeros (RFC 6455 5.2).
    const ADA: &[u8] = b"\x81\x83\0\0\0\0Ada";

    /// Its Close, with the same mask.
    const CLOSE: &[u8] = b"\x88\x80\0\0\0\0";

    #[test]
    fn the_page_is_served() {
        let answer = testing::get("/").send(page);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(answer.text().contains("new WebSocket"));
    }

    #[test]
    fn a_message_is_answered() {
        let request = testing::get("/")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let tunnel = request.take_over(upgrade, [Ok(ADA), Ok(CLOSE)]);
        let written = tunnel.written();
        // The key and its answer are those of RFC 6455 1.3.
        let head = String::from_utf8_lossy(&written);
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        assert!(written.ends_with(b"\x81\x0bHello, Ada!\x88\x00"), "{head:?}");
    }

    #[test]
    fn a_handshake_without_a_key_is_refused() {
        let tunnel = testing::get("/").header("Upgrade", "websocket").take_over(upgrade, [Ok("")]);
        assert!(tunnel.text().starts_with("HTTP/1.1 400 "), "{}", tunnel.text());
    }
}
