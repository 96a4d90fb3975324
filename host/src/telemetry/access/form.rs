//! The forms of an access line outside the log: Apache's combined format, and
//! JSON. What a client sent cannot end a line or a quotation in either.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::SystemTime;

use serde::Serialize;

use super::{Refused, micros};
use crate::telemetry::ended::EndedExchange;

/// An exchange in Apache's combined log format, with the line's end.
pub(super) fn combined(ended: &EndedExchange<'_>) -> String {
    let request = format!("{} {} HTTP/{}", ended.method, ended.url, ended.http_version);
    combined_line(
        &ended.peer.ip().to_string(),
        ended.began(),
        request.as_bytes(),
        ended.status,
        ended.bytes,
        [ended.referer, ended.user_agent],
    )
}

/// A request that was refused in the same format; Apache, too, writes `-` for
/// what it could not read.
pub(super) fn combined_refused(refused: &Refused) -> String {
    combined_line(&refused.peer.ip().to_string(), refused.at, b"-", refused.status, 0, [None, None])
}

fn combined_line(
    peer: &str,
    at: SystemTime,
    request: &[u8],
    status: u16,
    bytes: u64,
    headers: [Option<&[u8]>; 2],
) -> String {
    let mut line = format!("{peer} - - [{}] \"", apache_time(at));
    escape(request, &mut line);
    // A body without bytes is `-` in this format.
    let bytes = if bytes == 0 { "-".to_owned() } else { bytes.to_string() };
    // A `String` takes whatever is written to it.
    let _ = write!(line, "\" {status} {bytes}");
    for header in headers {
        line.push_str(" \"");
        escape(header.unwrap_or(b"-"), &mut line);
        line.push('"');
    }
    line.push('\n');
    line
}

/// Spells out all that is not plain text, as Apache does: one byte of it, and
/// a reader that does not know better could see another line.
fn escape(text: &[u8], line: &mut String) {
    for &byte in text {
        match byte {
            b'"' => line.push_str("\\\""),
            b'\\' => line.push_str("\\\\"),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => {
                let _ = write!(line, "\\x{byte:02X}");
            }
        }
    }
}

/// `10/Oct/2000:13:55:36 +0000`, of the parts of HTTP's own form,
/// `Tue, 10 Oct 2000 13:55:36 GMT`.
fn apache_time(at: SystemTime) -> String {
    // That form has years from 1970 to 9999, and a clock may be anywhere.
    let latest = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(253_402_300_799);
    let http = httpdate::fmt_http_date(at.clamp(SystemTime::UNIX_EPOCH, latest));
    let mut parts = http.split(' ').skip(1);
    let mut part = || parts.next().unwrap_or_default();
    let (day, month, year, time) = (part(), part(), part(), part());
    format!("{day}/{month}/{year}:{time} +0000")
}

/// What the log's own line says, and the headers that the combined format has.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    exchange: u64,
    request_id: String,
    tenant: Option<&'a str>,
    app: Option<&'a str>,
    app_version: Option<&'a str>,
    peer: String,
    method: &'a str,
    url: &'a str,
    version: &'a str,
    status: u16,
    bytes: u64,
    body_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel_bytes: Option<u64>,
    micros: u64,
    cpu_micros: u64,
    queue_micros: u64,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    user_agent: Option<Cow<'a, str>>,
    referer: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct JsonRefused {
    time: String,
    peer: String,
    status: u16,
    refused: String,
}

/// An exchange as one JSON object, with the line's end.
pub(super) fn json(ended: &EndedExchange<'_>) -> String {
    json_line(&JsonLine {
        time: json_time(ended.at),
        exchange: ended.exchange,
        request_id: ended.request_id().to_string(),
        tenant: ended.tenant,
        app: ended.app,
        app_version: ended.app_version,
        peer: ended.peer.to_string(),
        method: ended.method,
        url: ended.url,
        version: ended.http_version,
        status: ended.status,
        bytes: ended.bytes,
        body_bytes: ended.body_bytes,
        tunnel_bytes: ended.tunnel_bytes,
        micros: micros(ended.duration),
        cpu_micros: micros(ended.cpu),
        queue_micros: micros(ended.queue),
        sent: ended.sent,
        failure: ended.failure.as_ref().map(ToString::to_string),
        user_agent: ended.user_agent.map(String::from_utf8_lossy),
        referer: ended.referer.map(String::from_utf8_lossy),
    })
}

/// A request that was refused, in the same form.
pub(super) fn json_refused(refused: &Refused) -> String {
    json_line(&JsonRefused {
        time: json_time(refused.at),
        peer: refused.peer.to_string(),
        status: refused.status,
        refused: refused.fault.to_string(),
    })
}

fn json_line(line: &impl Serialize) -> String {
    // Text, numbers and nothing else: there is no way for it to fail.
    let mut line = serde_json::to_string(line).unwrap_or_default();
    line.push('\n');
    line
}

fn json_time(at: SystemTime) -> String {
    humantime::format_rfc3339_micros(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::ended::example;
    use crate::wire::error::{ClientFault, MessageError};

    fn refused() -> Refused {
        let ended = example();
        let fault = ClientFault::Malformed("method");
        Refused { peer: ended.peer, status: fault.status(), fault, at: ended.at }
    }

    #[test]
    fn a_combined_line_is_as_apache_writes_it() {
        assert_eq!(
            combined(&example()),
            "127.0.0.1 - - [10/Oct/2000:20:55:35 +0000] \"GET /a?b=c HTTP/1.1\" 200 2326 \"-\" \"curl/8\"\n"
        );
        assert_eq!(
            combined_refused(&refused()),
            "127.0.0.1 - - [10/Oct/2000:20:55:37 +0000] \"-\" 400 - \"-\" \"-\"\n"
        );
    }

    #[test]
    fn a_combined_line_cannot_be_forged() {
        let evil = b"x\" 200 1 \"\\\"\n\xe9\t".as_slice();
        let line = combined(&EndedExchange {
            url: "/\"\\",
            referer: Some(evil),
            user_agent: Some(evil),
            ..example()
        });
        let escaped = r#"x\" 200 1 \"\\\"\x0A\xE9\x09"#;
        let expected = format!(
            "127.0.0.1 - - [10/Oct/2000:20:55:35 +0000] \"GET /\\\"\\\\ HTTP/1.1\" 200 2326 \"{escaped}\" \"{escaped}\"\n"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn any_clock_makes_a_time() {
        assert_eq!(apache_time(SystemTime::UNIX_EPOCH), "01/Jan/1970:00:00:00 +0000");
        let day = std::time::Duration::from_secs(86_400);
        assert_eq!(apache_time(SystemTime::UNIX_EPOCH - day), "01/Jan/1970:00:00:00 +0000");
        assert_eq!(apache_time(SystemTime::UNIX_EPOCH + day * 4_000_000), "31/Dec/9999:23:59:59 +0000");
    }

    #[test]
    fn a_json_line_has_every_fact() {
        let line = json(&EndedExchange {
            user_agent: Some(b"a\"\n\xff"),
            tunnel_bytes: Some(4),
            failure: Some(MessageError::ConnectionReset),
            ..example()
        });
        assert_eq!(line.matches('\n').count(), 1);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "time": "2000-10-10T20:55:37.000000Z",
            "exchange": 10,
            "request_id": example().request_id().to_string(),
            "tenant": "acme",
            "app": "shop",
            "app_version": "0123456789ab",
            "peer": "127.0.0.1:50000",
            "method": "GET",
            "url": "/a?b=c",
            "version": "1.1",
            "status": 200,
            "bytes": 2326,
            "body_bytes": 3,
            "tunnel_bytes": 4,
            "micros": 1_000_500,
            "cpu_micros": 70,
            "queue_micros": 9,
            "sent": true,
            "failure": "the peer closed the connection",
            "user_agent": "a\"\n\u{fffd}",
            "referer": null,
        });
        assert_eq!(line, expected);
        let line: serde_json::Value = serde_json::from_str(&json_refused(&refused())).unwrap();
        assert_eq!((&line["status"], &line["refused"]), (&400.into(), &"bad request: method".into()));
    }
}
