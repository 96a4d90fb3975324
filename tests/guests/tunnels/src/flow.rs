//! Bytes: echoed, awaited, without end, and none at all.

use std::thread::sleep;
use std::time::Duration;

use innkeeper_guest::Result;

use crate::crash;
use crate::tunnel::{PIECE_BYTES_MAX, Tunnel};

static PIECE: [u8; 64 * 1024] = [b'a'; 64 * 1024];

pub fn echo(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    tunnel.socket.write(&tunnel.head)?;
    while let Some(piece) = tunnel.socket.read_piece(PIECE_BYTES_MAX)? {
        tunnel.socket.write(piece)?;
    }
    Ok(())
}

/// Computes for so long for each piece that comes, and says so.
pub fn compute_for_each_piece(tunnel: &Tunnel, time: Duration) -> Result<()> {
    tunnel.answer()?;
    while tunnel.socket.read_piece(PIECE_BYTES_MAX)?.is_some() {
        crash::compute(Some(time))?;
        tunnel.socket.write("computed\n")?;
    }
    Ok(())
}

/// Waits for the peer's end.
pub fn hold(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    read_to_end(tunnel)
}

pub fn hold_with_timeout(tunnel: &Tunnel, timeout: Duration) -> Result<()> {
    tunnel.socket.set_timeout(timeout);
    hold(tunnel)
}

/// Ends its side first, and hears the peer out.
pub fn end_and_read_on(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    tunnel.socket.end("last words\n")?;
    read_to_end(tunnel)
}

/// Writes until it is refused, and waits whenever the host makes it.
pub fn write_for_ever(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    loop {
        if let Err(code) = tunnel.socket.write(PIECE) {
            println!("write: {}", code.code());
            return Ok(());
        }
    }
}

/// Writes until it is refused, whether the buffer is full or not.
pub fn write_without_waiting(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    let mut bytes = 0;
    loop {
        match tunnel.socket.try_write(PIECE) {
            Ok(_) => bytes += PIECE.len(),
            Err(code) => {
                println!("try-write: {} after {bytes} bytes", code.code());
                return Ok(());
            }
        }
    }
}

/// What was written before the sleep leaves during it.
pub fn sleep_then_write(tunnel: &Tunnel, time: Duration) -> Result<()> {
    tunnel.socket.write(tunnel.answer)?;
    sleep(time);
    Ok(tunnel.socket.write("slept\n")?)
}

pub fn sleep_for_ever(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    loop {
        sleep(Duration::from_secs(3600));
    }
}

/// Logs what comes, and how it ends.
fn read_to_end(tunnel: &Tunnel) -> Result<()> {
    loop {
        match tunnel.socket.read_piece(PIECE_BYTES_MAX) {
            Ok(Some(piece)) => println!("read: {}", String::from_utf8_lossy(&piece).escape_debug()),
            Ok(None) => {
                println!("read: end");
                return Ok(());
            }
            Err(code) => {
                println!("read: {}", code.code());
                return Ok(());
            }
        }
    }
}
