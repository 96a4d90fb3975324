//! Everything that there is to know about a request, as JSON: the message, its
//! body and trailers, and the connection below it.
//!
//! ```sh
//! curl -H 'X-Two: a' -H 'X-Two: b' --data 'body' 'http://127.0.0.1:8080/path?q=1'
//! ```

use innkeeper_guest::{Field, IncomingMessage, JoinedValue, Result, ServerResponse, Socket, handler};
use serde_json::{Map, Value, json};

const BODY_BYTES_MAX: u64 = 64 * 1024;

#[handler]
fn dump(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    // First of all: trailers and `complete` are known once the body was read.
    let body = req.read_all(BODY_BYTES_MAX)?;
    let dump = json!({
        "method": req.method(),
        "url": req.url(),
        "httpVersion": req.http_version(),
        "headers": joined(req.headers()),
        "headersDistinct": distinct(req.headers_distinct()),
        "rawHeaders": raw(req.raw_headers()),
        "body": text(&body),
        "trailers": joined(req.trailers()),
        "trailersDistinct": distinct(req.trailers_distinct()),
        "rawTrailers": raw(req.raw_trailers()),
        "complete": req.complete(),
        "socket": socket(&req.socket()),
    });
    res.set_header("Content-Type", "application/json")?;
    Ok(res.end(format!("{dump:#}\n"))?)
}

/// Bytes need not be text; what is not UTF-8 shows as U+FFFD.
fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

fn joined(headers: Vec<(String, JoinedValue)>) -> Map<String, Value> {
    let value = |value| match value {
        JoinedValue::Single(value) => text(&value),
        JoinedValue::Multiple(values) => values.iter().map(|value| text(value)).collect(),
    };
    headers.into_iter().map(|(n, v)| (n, value(v))).collect()
}

fn distinct(headers: Vec<(String, Vec<Vec<u8>>)>) -> Map<String, Value> {
    let values = |values: Vec<Vec<u8>>| values.iter().map(|value| text(value)).collect();
    headers.into_iter().map(|(n, v)| (n, values(v))).collect()
}

fn raw(lines: Vec<Field>) -> Value {
    let line = |(name, value): Field| json!([name, text(&value)]);
    lines.into_iter().map(line).collect()
}

fn socket(socket: &Socket) -> Value {
    json!({
        "remoteAddress": socket.remote_address(),
        "remotePort": socket.remote_port(),
        "localAddress": socket.local_address(),
        "localPort": socket.local_port(),
        "encrypted": socket.encrypted(),
        "bytesRead": socket.bytes_read(),
        "bytesWritten": socket.bytes_written(),
        "exchanges": socket.exchanges(),
    })
}
