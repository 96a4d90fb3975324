//! Collects the whole body and answers with it and its length. A body above
//! the bound is refused before it fills the guest's memory.
//!
//! ```sh
//! curl -i --data 'some text' http://127.0.0.1:8080/
//! ```

use innkeeper_guest::{ErrorCode, IncomingMessage, Result, ServerResponse, handler};

const BODY_BYTES_MAX: u64 = 1024 * 1024;

#[handler]
fn echo(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let body = match req.read_all(BODY_BYTES_MAX) {
        Ok(body) => body,
        Err(ErrorCode::LimitExceeded(_)) => {
            res.set_status_code(413);
            return Ok(res.end("the body is larger than 1 MiB\n")?);
        }
        Err(error) => return Err(error.into()),
    };
    let content_type = req.header("content-type");
    res.set_header("Content-Type", content_type.unwrap_or_else(|| b"application/octet-stream".to_vec()))?;
    res.set_header("X-Body-Length", body.len())?;
    Ok(res.end(body)?)
}
