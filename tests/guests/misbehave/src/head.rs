//! Heads that are too large, or that smuggle something in.

use innkeeper_guest::{Result, ServerResponse};

use crate::outcome;

/// Enough that a host without a limit would not come through it unharmed.
const HEADERS_MAX: u32 = 100_000;

/// Sets headers until one is refused, and answers with the code, without them.
pub fn fill(res: &ServerResponse) -> Result<()> {
    let value = [b'a'; 1000];
    let mut told = "ok";
    let mut set = Vec::new();
    for index in 0..HEADERS_MAX {
        let name = format!("X-{index}");
        told = outcome(res.set_header(&name, value));
        if told != "ok" {
            break;
        }
        set.push(name);
    }
    for name in &set {
        res.remove_header(name)?;
    }
    Ok(res.end(told)?)
}

/// Tries to break out of a line wherever there is one, and answers with a line
/// for each attempt: what it was, and the code.
pub fn inject(res: &ServerResponse) -> Result<()> {
    let attempts = [
        ("name with CRLF", res.set_header("X\r\nEvil", "1")),
        ("name with a colon", res.set_header("X: 1", "1")),
        ("name with a space", res.set_header("X Y", "1")),
        ("empty name", res.set_header("", "1")),
        ("value with CRLF", res.set_header("X", "1\r\nEvil: 1")),
        ("value with LF", res.set_header("X", "1\nEvil: 1")),
        ("value with CR", res.set_header("X", "1\rEvil: 1")),
        ("value with NUL", res.set_header("X", "1\0")),
        ("second value", res.set_header("X", ["1", "\r\nEvil: 1"])),
        ("appended value", res.append_header("X", "1\r\nEvil: 1")),
        ("reason", res.write_head(200, Some("OK\r\nEvil: 1"), ())),
        ("head name", res.write_head(200, None, [("X\r\nEvil", "1")])),
        ("head value", res.write_head(200, None, [("X", "\r\nEvil")])),
        ("trailer name", res.add_trailers([("X\r\nEvil", "1")])),
        ("trailer value", res.add_trailers([("X", "\r\nEvil: 1")])),
        ("framing trailer", res.add_trailers([("Content-Length", 1)])),
        ("interim status", res.write_information(200, ())),
        ("switching", res.write_information(101, ())),
        ("interim", res.write_information(102, [("X", "\r\nEvil")])),
        ("hint link", hint(res, "</a>; rel=x\r\nEvil: 1", "1")),
        ("hint value", hint(res, "</a>; rel=preload", "1\r\nEvil: 1")),
        ("status message", status_message(res)),
    ];
    let lines = attempts.map(|(what, result)| format!("{what}: {}\n", outcome(result)));
    Ok(res.end(lines.concat())?)
}

fn hint(
    res: &ServerResponse,
    link: &str,
    value: &str,
) -> std::result::Result<(), innkeeper_guest::ErrorCode> {
    res.write_early_hints(&[link], [("X", value)])
}

/// A reason phrase is checked when the head is fixed. A head that is refused
/// is not fixed, so that a good phrase can follow.
fn status_message(res: &ServerResponse) -> std::result::Result<(), innkeeper_guest::ErrorCode> {
    res.set_status_message(Some("OK\r\nEvil: 1"));
    let result = res.flush_headers();
    res.set_status_message(None);
    result
}
