//! Which header lines go on, and which are added. Those of one connection do
//! not (RFC 9110 7.6.1).

use std::env;

use innkeeper_guest::client::{self, Request};
use innkeeper_guest::{Field, IncomingMessage};

/// Those that are always of one connection, beside those that `Connection`
/// names.
const OF_CONNECTION: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

/// Those that this proxy says itself; and `Expect`, which was answered if this
/// proxy has not said so itself.
const OF_PROXY: [&str; 5] = ["expect", "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/// The request to the server behind.
pub fn request(req: &IncomingMessage) -> Request<'static> {
    let upstream = env::var("UPSTREAM").unwrap_or_default();
    let socket = req.socket();
    let mut headers = end_to_end(req);
    headers.retain(|(name, _)| !OF_PROXY.iter().any(|own| name.eq_ignore_ascii_case(own)));
    // Who came before this proxy is what the client says; its own address is
    // what the server behind may rely on.
    let before = req.header_str("x-forwarded-for").map(|before| before + ", ").unwrap_or_default();
    client::request(&req.method(), &upstream)
        .path(target(&req.url()))
        .headers(headers)
        .header("Via", format!("{} innkeeper", req.http_version()))
        .header("X-Forwarded-For", before + &socket.remote_address())
        .header("X-Forwarded-Host", req.header("host").unwrap_or_default())
        .header("X-Forwarded-Proto", if socket.encrypted() { "https" } else { "http" })
}

/// The header lines of a message that are not of its connection.
pub fn end_to_end(message: &IncomingMessage) -> Vec<Field> {
    let mut lines = message.raw_headers();
    let mut left: Vec<_> = OF_CONNECTION.map(str::to_owned).to_vec();
    for (name, value) in &lines {
        if name.eq_ignore_ascii_case("connection") {
            left.extend(String::from_utf8_lossy(value).split(',').map(|name| name.trim().to_owned()));
        }
        // What `Trailer` announces has its place in a chunked body only.
        if name.eq_ignore_ascii_case("content-length") {
            left.push("trailer".to_owned());
        }
    }
    lines.retain(|(name, _)| !left.iter().any(|left| name.eq_ignore_ascii_case(left)));
    lines
}

/// The target without the host, which a client may write there as well
/// (RFC 9112 3.2.2).
fn target(url: &str) -> &str {
    match url.split_once("://") {
        Some((_, rest)) if !url.starts_with('/') => rest.find('/').map_or("/", |path| &rest[path..]),
        _ => url,
    }
}
