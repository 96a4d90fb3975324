//! Server-sent events: some events with a pause after each. An event is on the
//! wire while the handler sleeps, and a client that goes away ends the handler.
//!
//! ```sh
//! curl -N 'http://127.0.0.1:8080/?count=3&interval-ms=500'
//! ```

use std::str::FromStr;
use std::thread::sleep;
use std::time::Duration;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn events(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let url = req.url();
    let count = query(&url, "count").unwrap_or(5_u32);
    let interval = Duration::from_millis(query(&url, "interval-ms").unwrap_or(1000));

    res.set_header("Content-Type", "text/event-stream")?;
    res.set_header("Cache-Control", "no-store")?;
    // The client learns at once that it was heard, before the first event.
    res.flush_headers()?;
    for id in 1..=count {
        sleep(interval);
        res.write(format!("id: {id}\nevent: tick\ndata: {id} of {count}\n\n"))?;
    }
    Ok(res.end_empty()?)
}

/// A value from the query; one that is missing or wrong counts as not given.
fn query<T: FromStr>(url: &str, name: &str) -> Option<T> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    value.parse().ok()
}
