//! What one request leaves behind for the next, where an instance serves more
//! than one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use innkeeper_guest::{IncomingMessage, Result, ServerResponse};

use crate::outcome;

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static KEPT: Mutex<Option<(IncomingMessage, ServerResponse)>> = Mutex::new(None);

/// 1 in a fresh instance.
pub fn count(res: &ServerResponse) -> Result<()> {
    let before = REQUESTS.fetch_add(1, Ordering::Relaxed);
    Ok(res.end((before + 1).to_string())?)
}

/// The first time answers and keeps both handles; after that uses the kept
/// ones, of an exchange that is over, and answers with a line for each attempt.
pub fn keep_handles(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let mut kept = KEPT.lock().expect("one request at a time");
    let Some((old_req, old_res)) = kept.take() else {
        res.end("kept")?;
        *kept = Some((req, res));
        return Ok(());
    };
    let attempts = [
        ("read", outcome(old_req.read_piece(1))),
        ("read-all", outcome(old_req.read_all(1))),
        ("set-header", outcome(old_res.set_header("X", "1"))),
        ("write-head", outcome(old_res.write_head(200, None, ()))),
        ("write-continue", outcome(old_res.write_continue())),
        ("flush-headers", outcome(old_res.flush_headers())),
        ("write", outcome(old_res.write("stale"))),
        ("try-write", outcome(old_res.try_write("stale"))),
        ("end", outcome(old_res.end_empty())),
        ("finished", outcome(old_res.finished())),
    ];
    // Neither may touch the exchange that is going on.
    old_res.destroy();
    old_req.destroy();
    old_req.socket().destroy();
    let lines = attempts.map(|(what, told)| format!("{what}: {told}\n"));
    Ok(res.end(lines.concat())?)
}
