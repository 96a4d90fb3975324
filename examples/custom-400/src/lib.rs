//! Answers bad requests in its own words, as JSON, where the host would answer
//! with a line of text.
//!
//! ```sh
//! printf 'GET / HTTP/1.1\r\nbad header\r\n\r\n' | nc 127.0.0.1 8080
//! ```

use innkeeper_guest::{ClientError, IncomingMessage, Result, ServerResponse, client_error_handler, handler};
use serde_json::json;

#[client_error_handler]
fn complain(error: ClientError) -> Option<String> {
    let ClientError { status, reason, .. } = error;
    let body = json!({ "status": status, "code": error.code.code(), "reason": reason });
    let body = format!("{body}\n");
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status} Client Error\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}

#[handler]
fn plain(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    res.set_header("Content-Type", "text/plain")?;
    Ok(res.end("a good request\n")?)
}
