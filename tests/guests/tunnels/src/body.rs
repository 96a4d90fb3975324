//! Bodies: the one before a tunnel, and a large one that nobody reads.

use innkeeper_guest::{Result, ServerResponse};

use crate::tunnel::{PIECE_BYTES_MAX, Tunnel};
use crate::{number, outcome};

static PIECE: [u8; 64 * 1024] = [b'a'; 64 * 1024];

const BODY_BYTES_MAX: u64 = 1024 * 1024;

/// The body first, as it should be; then both are told.
pub fn then_tunnel(tunnel: &Tunnel) -> Result<()> {
    let body = tunnel.req.read_all(BODY_BYTES_MAX)?;
    println!("head: {} body: {}", text(&tunnel.head), text(&body));
    tunnel.answer()?;
    tell_tunnel(tunnel)
}

/// The tunnel first: it skips the body, which is gone then.
pub fn after_tunnel(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    tell_tunnel(tunnel)?;
    match tunnel.req.read_all(BODY_BYTES_MAX) {
        Ok(body) => println!("body: {}", text(&body)),
        Err(code) => println!("body: {}", code.code()),
    }
    Ok(())
}

/// Writes 64 MiB, or `?bytes=`, and logs what becomes of it.
pub fn write_much(res: &ServerResponse, query: &str) -> Result<()> {
    let mut left = number(query, "bytes").unwrap_or(64 << 20);
    let mut written = Ok(());
    while left > 0 && written.is_ok() {
        let bytes = left.min(PIECE.len() as u64);
        written = res.write(&PIECE[..bytes as usize]);
        left -= bytes;
    }
    println!("write: {}", outcome(written));
    println!("end: {}", outcome(res.end_empty()));
    println!("finished: {}", outcome(res.finished()));
    Ok(())
}

fn tell_tunnel(tunnel: &Tunnel) -> Result<()> {
    while let Some(piece) = tunnel.socket.read_piece(PIECE_BYTES_MAX)? {
        println!("tunnel: {}", text(&piece));
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}
