//! The shortest server: no head of its own, one piece of body, the end. The
//! body is chunked, since its length is not known when it begins.
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/
//! ```

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn shortest(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.write("hi")?;
    Ok(res.end_empty()?)
}
