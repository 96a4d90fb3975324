//! Answers to a request for an upgrade, where there is a socket and no
//! `ServerResponse`.

use innkeeper_guest::{ErrorCode, Field, IncomingMessage, Socket};

use crate::fields::end_to_end;

/// One system call's worth.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

/// The head of a 101.
pub fn switching(response: &IncomingMessage) -> Vec<u8> {
    let mut fields = end_to_end(response);
    let protocol = response.header("upgrade").unwrap_or_default();
    fields.push(("Upgrade".to_owned(), protocol));
    fields.push(("Connection".to_owned(), b"Upgrade".to_vec()));
    head(response, fields)
}

/// A response that is none: it ends with the connection.
pub fn answer(socket: &Socket, response: &IncomingMessage) -> Result<(), ErrorCode> {
    let mut fields = end_to_end(response);
    fields.push(("Connection".to_owned(), b"close".to_vec()));
    socket.write(head(response, fields))?;
    while let Some(piece) = response.read_piece(PIECE_BYTES_MAX)? {
        socket.write(piece)?;
    }
    socket.end_empty()
}

/// The answer where there is nothing to pass on.
pub fn refuse(socket: &Socket, (status, text): (u16, &str)) -> Result<(), ErrorCode> {
    let reason = if status == 504 { "Gateway Timeout" } else { "Bad Gateway" };
    let length = text.len();
    socket.end(format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    ))
}

/// What was read as lines has no line end in it.
fn head(response: &IncomingMessage, fields: Vec<Field>) -> Vec<u8> {
    let (status, reason) = (response.status_code(), response.status_message());
    let line = format!("HTTP/1.1 {} {}\r\n", status.unwrap_or(502), reason.unwrap_or_default());
    let mut head = line.into_bytes();
    for (name, value) in fields {
        head.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    head
}
