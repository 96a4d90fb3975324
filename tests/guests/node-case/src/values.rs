//! What the ops `log`, `end-with` and `report` can ask of a request, and of a
//! fault; and `log-response` of a response.

use innkeeper_guest::{Field, IncomingMessage, JoinedValue};
use serde_json::{Map, Value};

use crate::bytes::to_text;
use crate::ops::{Run, Stop};

/// A value of the script, as the bytes to log or to send.
pub fn value(run: &Run, name: &str) -> Result<Vec<u8>, Stop> {
    let subject = &run.subject;
    let (kind, header) = name.split_once(':').unwrap_or((name, ""));
    Ok(match kind {
        "body" => run.body.clone(),
        "body-length" => number(run.body.len()),
        "error-code" => subject.fault()?.code.code().into(),
        "error-reason" => subject.fault()?.reason.clone().into_bytes(),
        "error-status" => number(subject.fault()?.status.into()),
        "bytes-parsed" => number(subject.fault()?.bytes_parsed as usize),
        "raw-packet" => subject.fault()?.raw_packet.clone(),
        _ => return of_request(subject.req()?, name, kind, header),
    })
}

/// A value of a message, as the bytes to log or to send.
pub fn of_request(req: &IncomingMessage, name: &str, kind: &str, header: &str) -> Result<Vec<u8>, Stop> {
    Ok(match kind {
        "method" => req.method().into_bytes(),
        "url" => req.url().into_bytes(),
        "header" => header_or_none(req, header, |value| value),
        "header-hex" => header_or_none(req, header, |value| hex(&value)),
        "header-length" => header_or_none(req, header, |value| number(value.len())),
        "header-count" => number(req.headers().len()),
        _ => return Err(Stop::Unknown(format!("value {name}"))),
    })
}

/// A part of a report.
pub fn reported(run: &Run, what: &str) -> Result<Value, Stop> {
    match what {
        "body" => Ok(to_text(&run.body).into()),
        _ => of_message(run.subject.req()?, what),
    }
}

/// A part of a message, as JSON.
pub fn of_message(req: &IncomingMessage, what: &str) -> Result<Value, Stop> {
    Ok(match what {
        "method" => req.method().into(),
        "url" => to_text(req.url().as_bytes()).into(),
        "http-version" => req.http_version().into(),
        "headers" => joined(req.headers()),
        "headers-distinct" => distinct(req.headers_distinct()),
        "raw-headers" => flat(req.raw_headers()),
        "trailers" => joined(req.trailers()),
        "raw-trailers" => flat(req.raw_trailers()),
        "complete" => req.complete().into(),
        _ => return Err(Stop::Unknown(format!("part of a report {what}"))),
    })
}

fn header_or_none(req: &IncomingMessage, name: &str, show: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    req.header(name).map_or_else(|| b"none".to_vec(), show)
}

fn number(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<String>().into_bytes()
}

fn joined(headers: Vec<(String, JoinedValue)>) -> Value {
    let value = |value| match value {
        JoinedValue::Single(value) => to_text(&value).into(),
        JoinedValue::Multiple(values) => texts(&values),
    };
    let pairs = headers.into_iter().map(|(n, v)| (n, value(v)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn distinct(headers: Vec<(String, Vec<Vec<u8>>)>) -> Value {
    let pairs = headers.into_iter().map(|(n, v)| (n, texts(&v)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// Name, value, name, value, …
fn flat(lines: Vec<Field>) -> Value {
    let line = |(name, value): Field| [name, to_text(&value)];
    lines.into_iter().flat_map(line).collect()
}

fn texts(values: &[Vec<u8>]) -> Value {
    values.iter().map(|value| to_text(value)).collect()
}
