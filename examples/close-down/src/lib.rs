//! Closes its own server, as `server.close()` does in Node: the answer to
//! `/end` still arrives, idle connections close, what is in flight finishes, and
//! the process ends. The operator grants it.
//!
//! ```sh
//! innkeeper serve close_down.wasm --allow server-control
//! curl -i http://127.0.0.1:8080/end
//! ```

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler, server};

#[handler]
fn close_down(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_header("Content-Type", "text/plain")?;
    // Without the grant both calls fail: the client gets a 500 and the log
    // says why.
    if req.url() == "/end" {
        server::close()?;
        return Ok(res.end("goodbye\n")?);
    }
    Ok(res.end(format!("{} connections\n", server::get_connections()?))?)
}
