//! Bodies without end and without patience, and one that is read beside a
//! clock.

use std::time::Duration;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, poll, timer};

static PIECE: [u8; 64 * 1024] = [b'a'; 64 * 1024];

/// Writes until it is refused, and waits whenever the host makes it.
pub fn write_for_ever(res: &ServerResponse) -> Result<()> {
    loop {
        res.write(PIECE.as_slice())?;
    }
}

/// Writes until it is refused, whether the buffer is full or not.
pub fn write_without_waiting(res: &ServerResponse) -> Result<()> {
    let mut bytes = 0_usize;
    let code = loop {
        match res.try_write(PIECE.as_slice()) {
            Ok(_) => bytes += PIECE.len(),
            Err(code) => break code,
        }
    };
    println!("try-write: {} after {bytes} bytes", code.code());
    res.destroy();
    Ok(())
}

/// Waits for the body and a clock at once, and answers with the bytes that came
/// and the ticks that passed between.
pub fn read_beside_a_clock(req: &IncomingMessage, res: &ServerResponse) -> Result<()> {
    let (mut bytes, mut ticks) = (0, 0);
    let mut clock = timer(Duration::from_millis(20));
    loop {
        let body = req.subscribe();
        let ready = poll(&[&body, &clock]);
        if ready.contains(&1) {
            ticks += 1;
            clock = timer(Duration::from_millis(20));
        }
        if ready.contains(&0) {
            match req.read_piece(64 * 1024)? {
                Some(piece) => bytes += piece.len(),
                None => break,
            }
        }
    }
    Ok(res.end(format!("bytes={bytes} ticks={ticks}"))?)
}
