//! Asks several servers at once, and tells what each said as it comes. Who has
//! not answered in time is not waited for.
//!
//! ```sh
//! innkeeper serve fan_out.wasm --outbound 'http://127.0.0.1:*' \
//!     --env UPSTREAMS='http://127.0.0.1:3001/ http://127.0.0.1:3002/ http://127.0.0.1:3003/'
//! ```

use std::env;
use std::time::Duration;

use innkeeper_guest::client::{self, ClientRequest};
use innkeeper_guest::{ErrorCode, IncomingMessage, Result, ServerResponse, handler, poll, timer};

const BODY_BYTES_MAX: u64 = 64 * 1024;

#[handler]
fn ask_all(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let urls = env::var("UPSTREAMS")?;
    let patience = env::var("PATIENCE_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(2000);
    res.set_header("Content-Type", "text/plain")?;
    // All are begun before the first is waited for.
    let mut waiting = Vec::new();
    for url in urls.split_whitespace() {
        match begin(url) {
            Ok(request) => waiting.push((url, request)),
            Err(error) => res.write(format!("{url}: {error}\n"))?,
        }
    }
    let deadline = timer(Duration::from_millis(patience));
    while !waiting.is_empty() {
        let events: Vec<_> = waiting.iter().map(|(_, request)| request.subscribe()).collect();
        let ready = poll(&events.iter().chain([&deadline]).collect::<Vec<_>>());
        // Nothing has come, and the one after the last is the deadline.
        if ready == [events.len()] {
            break;
        }
        // From the end, so that the places before stay as they are.
        for place in ready.into_iter().rev().filter(|place| *place < events.len()) {
            let (url, request) = waiting.remove(place);
            match outcome(&request) {
                Ok(said) => res.write(format!("{url}: {said}\n"))?,
                Err(error) => res.write(format!("{url}: {error}\n"))?,
            }
        }
    }
    for (url, _) in waiting {
        res.write(format!("{url}: no answer in {patience} ms\n"))?;
    }
    Ok(res.end_empty()?)
}

fn begin(url: &str) -> Result<ClientRequest, ErrorCode> {
    let request = client::request("GET", url).start()?;
    request.end_empty()?;
    Ok(request)
}

fn outcome(request: &ClientRequest) -> Result<String> {
    let response = request.response()?;
    let body = String::from_utf8_lossy(&response.read_all(BODY_BYTES_MAX)?).into_owned();
    Ok(format!("{} {}", response.status_code().unwrap_or(0), body.trim_end()))
}
