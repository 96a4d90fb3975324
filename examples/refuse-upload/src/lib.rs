//! Refuses an upload by its head, before a byte of it is read: one that is too
//! large, or that does not say how large it is. `Connection: close` tells the
//! client to stop sending; the host reads on for a moment so that the answer
//! is not lost in a reset.
//!
//! ```sh
//! head -c 2000000 /dev/zero | curl -i -H 'Expect:' --data-binary @- http://127.0.0.1:8080/
//! ```

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

const UPLOAD_BYTES_MAX: u64 = 1024 * 1024;

#[handler]
fn upload(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_header("Content-Type", "text/plain")?;
    let declared = req.header_str("content-length");
    let declared = declared.and_then(|length| length.parse::<u64>().ok());
    if declared.is_none_or(|length| length > UPLOAD_BYTES_MAX) {
        res.set_status_code(413);
        res.set_header("Connection", "close")?;
        res.end("an upload says its length, and has at most 1 MiB\n")?;
        return Ok(());
    }
    let body = req.read_all(UPLOAD_BYTES_MAX)?;
    Ok(res.end(format!("{} bytes\n", body.len()))?)
}
