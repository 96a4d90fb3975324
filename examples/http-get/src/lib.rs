//! Asks another server, and answers with what it said. The operator says
//! where, and lets it.
//!
//! ```sh
//! innkeeper serve http_get.wasm --env URL=http://127.0.0.1:3000/ \
//!     --outbound http://127.0.0.1:3000
//! curl http://127.0.0.1:8080/
//! ```

use std::env;
use std::time::Duration;

use innkeeper_guest::{ErrorCode, IncomingMessage, Result, ServerResponse, client, handler};

/// More than a page has, and less than an instance.
const BODY_BYTES_MAX: u64 = 1024 * 1024;

/// Who asks does not wait longer either.
const PATIENCE: Duration = Duration::from_secs(5);

#[handler]
fn show(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let url = env::var("URL")?;
    let answer = match client::request("GET", &url).timeout(PATIENCE).send_empty() {
        Ok(answer) => answer,
        Err(error) => return unavailable(&res, &error),
    };
    let body = answer.read_all(BODY_BYTES_MAX)?;
    res.set_status_code(answer.status_code().unwrap_or(502));
    if let Some(content_type) = answer.header("content-type") {
        res.set_header("Content-Type", content_type)?;
    }
    Ok(res.end(body)?)
}

/// The log has the reason; whoever asks is told no more than whose fault it is.
fn unavailable(res: &ServerResponse, error: &ErrorCode) -> Result<()> {
    eprintln!("no answer: {error}");
    let status = if matches!(error, ErrorCode::Timeout(_)) { 504 } else { 502 };
    res.set_status_code(status);
    res.set_header("Content-Type", "text/plain")?;
    Ok(res.end("the other server did not answer\n")?)
}
