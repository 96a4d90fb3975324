//! The answer that benchmarks ask for: twelve bytes, sent by a single `end`,
//! so that the host knows the length and sends `Content-Length`.
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/
//! ```

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn hello(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_header("Content-Type", "text/plain")?;
    res.end("Hello world\n")?;
    Ok(())
}
