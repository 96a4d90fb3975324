//! What one request leaves behind for the next, where an instance serves more
//! than one: a request and a socket, of an exchange that is over.

use std::sync::Mutex;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, Socket};

use crate::outcome;
use crate::tunnel::Tunnel;

static KEPT: Mutex<Option<(IncomingMessage, Socket)>> = Mutex::new(None);

/// Returns, and keeps the tunnel.
pub fn keep_tunnel(tunnel: Tunnel) -> Result<()> {
    tunnel.answer()?;
    *KEPT.lock().expect("one request at a time") = Some((tunnel.req, tunnel.socket));
    Ok(())
}

/// Answers, and keeps the request and its socket.
pub fn keep(req: IncomingMessage, res: &ServerResponse) -> Result<()> {
    res.end("kept")?;
    let socket = req.socket();
    *KEPT.lock().expect("one request at a time") = Some((req, socket));
    Ok(())
}

/// Answers with a line for each attempt on what was kept.
pub fn use_kept(res: &ServerResponse) -> Result<()> {
    Ok(res.end(attempts())?)
}

/// The same, in a tunnel.
pub fn use_kept_in_tunnel(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    Ok(tunnel.socket.write(attempts())?)
}

/// None of them may touch the exchange that is going on.
fn attempts() -> String {
    let Some((req, socket)) = KEPT.lock().expect("one request at a time").take() else {
        return "nothing kept\n".to_owned();
    };
    let attempts = [
        ("read of the request", outcome(req.read_piece(1))),
        ("read", outcome(socket.read_piece(1))),
        ("write", outcome(socket.write("stale"))),
        ("try-write", outcome(socket.try_write("stale"))),
        ("flush", outcome(socket.flush())),
        ("end", outcome(socket.end_empty())),
    ];
    socket.destroy();
    req.socket().destroy();
    req.destroy();
    attempts.map(|(what, told)| format!("{what}: {told}\n")).concat()
}
