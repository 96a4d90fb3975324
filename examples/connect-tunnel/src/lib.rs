//! A proxy for CONNECT (RFC 9110 9.3.6): connects to the authority that the
//! client names, and carries bytes both ways. The operator says where to.
//!
//! ```sh
//! innkeeper serve connect_tunnel.wasm --allow tcp=example.com:443
//! curl --proxytunnel --proxy http://127.0.0.1:8080 https://example.com/
//! ```

use std::io::{ErrorKind, Write};

use innkeeper_guest::net::{TcpStream, relay};
use innkeeper_guest::{IncomingMessage, Result, ServerResponse, Socket, connect_handler, handler};

#[connect_handler]
fn tunnel(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    let mut stream = match TcpStream::connect(req.url()) {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return refuse(&socket, "403 Forbidden", "the operator does not allow this address\n");
        }
        Err(error) => return refuse(&socket, "502 Bad Gateway", &format!("{error}\n")),
    };
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n")?;
    // The client need not have waited for the answer.
    stream.write_all(&head)?;
    relay(&socket, &stream)?;
    Ok(())
}

fn refuse(socket: &Socket, status: &str, text: &str) -> Result<()> {
    let length = text.len();
    Ok(socket.end(format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    ))?)
}

#[handler]
fn plain(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_status_code(405);
    res.set_header("Allow", "CONNECT")?;
    res.set_header("Content-Type", "text/plain")?;
    Ok(res.end("this is a proxy for CONNECT\n")?)
}
