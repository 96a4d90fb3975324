//! The ops of a connection that was taken over.

use std::mem;

use serde_json::Value;

use crate::ops::{Step, argument};
use crate::subject::Tunnel;
use crate::{bytes, log};

/// One system call's worth.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

pub fn write(tunnel: &Tunnel, arguments: &[Value]) -> Step {
    Ok(tunnel.socket.write(bytes::from_script(argument(arguments, 0)))?)
}

/// Reads so many bytes, fewer only if the peer ends before. What was received
/// when reading fails stays for the next op. The log has the name of the op.
pub fn read(tunnel: &mut Tunnel, arguments: &[Value], name: &str) -> Step {
    let count = argument(arguments, 0).as_u64().unwrap_or(0);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    while tunnel.unread.len() < count {
        match tunnel.socket.read_piece(PIECE_BYTES_MAX)? {
            Some(piece) => tunnel.unread.extend(piece),
            None => break,
        }
    }
    let rest = tunnel.unread.split_off(count.min(tunnel.unread.len()));
    let read = mem::replace(&mut tunnel.unread, rest);
    log::entry(&format!("{name}: {}", bytes::to_text(&read)));
    Ok(())
}

/// Writes what comes, until the peer's end.
pub fn echo(tunnel: &mut Tunnel) -> Step {
    let unread = mem::take(&mut tunnel.unread);
    if !unread.is_empty() {
        tunnel.socket.write(unread)?;
    }
    while let Some(piece) = tunnel.socket.read_piece(PIECE_BYTES_MAX)? {
        tunnel.socket.write(piece)?;
    }
    Ok(())
}

pub fn end(tunnel: &Tunnel) -> Step {
    Ok(tunnel.socket.end_empty()?)
}
