//! What a guest does when the server closes: it is told once by a read, and
//! may say farewell and read on.

use std::thread::sleep;
use std::time::Duration;

use innkeeper_guest::{ErrorCode, Result, poll, timer};

use crate::outcome;
use crate::tunnel::{PIECE_BYTES_MAX, Tunnel};

const FAREWELL: &str = "farewell\n";

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

pub fn told(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    while step(tunnel)? {}
    Ok(())
}

/// The same, beside a clock.
pub fn told_by_poll(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    let clock = timer(LONG);
    loop {
        let readable = tunnel.socket.subscribe();
        let ready = poll(&[&readable, &clock]);
        println!("ready: {ready:?}");
        if !step(tunnel)? {
            return Ok(());
        }
    }
}

/// Waits for the peer, and then says what it reads.
pub fn read_by_poll(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    poll(&[&tunnel.socket.subscribe()]);
    match tunnel.socket.read_piece(PIECE_BYTES_MAX) {
        Ok(None) => println!("read: end"),
        read => println!("read: {}", outcome(read)),
    }
    Ok(())
}

/// Never asks, so it is never told.
pub fn deaf(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    sleep(LONG);
    Ok(())
}

/// Reads once; false at the peer's end.
fn step(tunnel: &Tunnel) -> Result<bool> {
    match tunnel.socket.read_piece(PIECE_BYTES_MAX) {
        Ok(Some(piece)) => println!("read: {}", String::from_utf8_lossy(&piece).escape_debug()),
        Ok(None) => {
            println!("read: end");
            return Ok(false);
        }
        Err(ErrorCode::ServerClosing) => {
            println!("read: server-closing");
            tunnel.socket.write(FAREWELL)?;
        }
        Err(code) => return Err(code.into()),
    }
    Ok(true)
}
