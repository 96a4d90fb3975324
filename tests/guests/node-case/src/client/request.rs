//! The ops that make a request and send it.

use std::env;
use std::time::Duration;

use innkeeper_guest::client::{self, Protocol};
use serde_json::Value;

use super::{Call, CallOp, Calls, options};
use crate::ops::{Step, Stop, argument, text};
use crate::{bytes, log};

/// Where a request goes in a case without an upstream: to nobody, if the host
/// would let it.
const NOWHERE: &str = "127.0.0.1:1";

const OPTIONS: &[&str] = &[
    "agent",
    "auth",
    "authority",
    "headers",
    "http",
    "max-header-bytes",
    "method",
    "path",
    "protocol",
    "raw-headers",
    "timeout-ms",
];

/// Makes a request, of which nothing is sent yet.
pub fn create(calls: &mut Calls, name: &str, arguments: &[Value]) -> Step {
    let options = options(arguments, OPTIONS)?;
    let method = options.text("method").unwrap_or("GET");
    let upstream = env::var("CASE_UPSTREAM").unwrap_or_else(|_| NOWHERE.to_owned());
    let authority = options.text("authority").unwrap_or(&upstream);
    // Node writes it with a colon.
    let scheme = options.text("protocol").unwrap_or("http:").trim_end_matches(':');
    let mut request = client::request(method, &format!("{scheme}://{authority}"));
    if let Some(path) = options.text("path") {
        request = request.path(path);
    }
    for headers in ["headers", "raw-headers"].iter().filter_map(|key| options.get(key)) {
        request = request.headers(bytes::fields(headers));
    }
    if let Some(auth) = options.get("auth") {
        request = request.auth(bytes::from_script(auth));
    }
    if let Some(milliseconds) = options.number("timeout-ms") {
        request = request.timeout(Duration::from_millis(milliseconds.into()));
    }
    if let Some(bytes) = options.number("max-header-bytes") {
        request = request.max_header_size(bytes);
    }
    match options.text("http") {
        None | Some("1.1") => {}
        Some("2") => request = request.protocol(Protocol::Http2),
        Some("negotiated") => request = request.protocol(Protocol::Negotiated),
        Some(other) => return Err(Stop::Unknown(format!("version of http {other}"))),
    }
    match options.text("agent") {
        None | Some("global") => {}
        Some("none") => request = request.no_agent(),
        Some(name) => request = request.agent(calls.agent(name)?),
    }
    let request = request.start()?;
    let call = Call { method: method.to_owned(), request, response: None, body: Vec::new(), tunnel: None };
    calls.calls.insert(name.to_owned(), call);
    Ok(())
}

/// What does this op; none if it is none of these.
pub fn op(name: &str) -> Option<CallOp> {
    Some(match name {
        "client-set-header" => set_header,
        "client-append-header" => append_header,
        "client-remove-header" => |call, arguments| Ok(call.request.remove_header(text(arguments, 0))?),
        "client-get-header" => get_header,
        "client-has-header" => has_header,
        "client-header-names" => header_names,
        "client-headers-sent" => headers_sent,
        "client-flush-headers" => |call, _| Ok(call.request.flush_headers()?),
        "client-write" => write,
        "client-end" => end,
        "client-add-trailers" => add_trailers,
        "client-set-timeout" => set_timeout,
        "client-set-no-delay" => set_no_delay,
        "client-set-keep-alive" => set_keep_alive,
        "client-destroy" => destroy,
        "reused-socket" => reused_socket,
        _ => return None,
    })
}

fn set_header(call: &mut Call, arguments: &[Value]) -> Step {
    let values = bytes::values(argument(arguments, 1));
    Ok(call.request.set_header(text(arguments, 0), values)?)
}

fn append_header(call: &mut Call, arguments: &[Value]) -> Step {
    let values = bytes::values(argument(arguments, 1));
    Ok(call.request.append_header(text(arguments, 0), values)?)
}

fn get_header(call: &mut Call, arguments: &[Value]) -> Step {
    let name = text(arguments, 0);
    let values = call.request.get_header(name).map(|values| values.join(&b", "[..]));
    let values = values.unwrap_or_else(|| b"none".to_vec());
    log::entry(&format!("client-get-header {name}: {}", bytes::to_text(&values)));
    Ok(())
}

fn has_header(call: &mut Call, arguments: &[Value]) -> Step {
    let name = text(arguments, 0);
    log::entry(&format!("client-has-header {name}: {}", call.request.has_header(name)));
    Ok(())
}

fn header_names(call: &mut Call, _: &[Value]) -> Step {
    log::entry(&format!("client-header-names: {}", call.request.header_names().join(", ")));
    Ok(())
}

fn headers_sent(call: &mut Call, _: &[Value]) -> Step {
    log::entry(&format!("client-headers-sent: {}", call.request.headers_sent()));
    Ok(())
}

fn write(call: &mut Call, arguments: &[Value]) -> Step {
    Ok(call.request.write(bytes::from_script(argument(arguments, 0)))?)
}

fn end(call: &mut Call, arguments: &[Value]) -> Step {
    match arguments.first() {
        Some(chunk) => Ok(call.request.end(bytes::from_script(chunk))?),
        None => Ok(call.request.end_empty()?),
    }
}

fn add_trailers(call: &mut Call, arguments: &[Value]) -> Step {
    Ok(call.request.add_trailers(bytes::fields(argument(arguments, 0)))?)
}

fn set_timeout(call: &mut Call, arguments: &[Value]) -> Step {
    call.request.set_timeout(milliseconds(arguments, 0));
    Ok(())
}

fn set_no_delay(call: &mut Call, arguments: &[Value]) -> Step {
    call.request.set_no_delay(argument(arguments, 0).as_bool().unwrap_or(true));
    Ok(())
}

fn set_keep_alive(call: &mut Call, arguments: &[Value]) -> Step {
    let enable = argument(arguments, 0).as_bool().unwrap_or(true);
    call.request.set_socket_keep_alive(enable, milliseconds(arguments, 1));
    Ok(())
}

fn destroy(call: &mut Call, _: &[Value]) -> Step {
    call.request.destroy();
    Ok(())
}

fn reused_socket(call: &mut Call, _: &[Value]) -> Step {
    log::entry(&format!("reused-socket: {}", call.request.reused_socket()));
    Ok(())
}

fn milliseconds(arguments: &[Value], index: usize) -> Duration {
    Duration::from_millis(argument(arguments, index).as_u64().unwrap_or(0))
}
