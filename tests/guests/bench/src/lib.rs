//! What the benchmarks ask for, with the same answers as the baseline in
//! `tests/benches`: `/` is twelve bytes, `/1m` is 1 MiB, `/echo` sends the
//! request's body back after having read all of it.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

const MEBIBYTE: &[u8] = &[b'a'; 1024 * 1024];

/// Above what the benchmarks send.
const ECHO_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[handler]
fn answer(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_header("Content-Type", "text/plain")?;
    match req.url().as_str() {
        "/" => res.end("Hello world\n")?,
        "/1m" => res.end(MEBIBYTE)?,
        "/echo" => res.end(req.read_all(ECHO_BYTES_MAX)?)?,
        _ => {
            res.set_status_code(404);
            res.end_empty()?;
        }
    }
    Ok(())
}
