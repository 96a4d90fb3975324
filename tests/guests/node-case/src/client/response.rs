//! The ops that wait for what the upstream answers, and look at it.

use innkeeper_guest::IncomingMessage;
use serde_json::Value;

use super::{Call, CallOp};
use crate::ops::{Step, Stop, argument, text};
use crate::subject::Tunnel;
use crate::{bytes, log, tunnel, values};

/// What does this op; none if it is none of these.
pub fn op(name: &str) -> Option<CallOp> {
    Some(match name {
        "await-response" => await_response,
        "await-continue" => await_continue,
        "await-informational" => await_informational,
        "await-tunnel" => await_tunnel,
        "read-response" => read_response,
        "destroy-response" => destroy_response,
        "log-response" => log_response,
        "client-tunnel-read" => {
            |call, arguments| tunnel::read(the_tunnel(call)?, arguments, "client-tunnel-read")
        }
        "client-tunnel-write" => |call, arguments| tunnel::write(the_tunnel(call)?, arguments),
        "client-tunnel-echo" => |call, _| tunnel::echo(the_tunnel(call)?),
        "client-tunnel-end" => |call, _| tunnel::end(the_tunnel(call)?),
        _ => return None,
    })
}

fn await_response(call: &mut Call, _: &[Value]) -> Step {
    call.response = Some(call.request.response()?);
    Ok(())
}

/// Tells only that there was none: a script goes on when there is one.
fn await_continue(call: &mut Call, _: &[Value]) -> Step {
    if !call.request.wait_continue()? {
        log::entry("await-continue: none");
    }
    Ok(())
}

fn await_informational(call: &mut Call, _: &[Value]) -> Step {
    match call.request.information()? {
        Some(information) => log::entry(&format!("await-informational: {}", information.status_code)),
        None => log::entry("await-informational: none"),
    }
    Ok(())
}

/// Keeps the response as well, for `log-response`. Tells only that there is no
/// tunnel; the response is then to be awaited.
fn await_tunnel(call: &mut Call, _: &[Value]) -> Step {
    let tunnel = match call.method.as_str() {
        "CONNECT" => call.request.connected()?,
        _ => call.request.upgraded()?,
    };
    match tunnel {
        Some(tunnel) => {
            call.response = Some(tunnel.response);
            call.tunnel = Some(Tunnel { socket: tunnel.socket, unread: tunnel.head });
        }
        None => log::entry("await-tunnel: none"),
    }
    Ok(())
}

/// Reads all of the body and keeps it.
fn read_response(call: &mut Call, _: &[Value]) -> Step {
    call.body = response(call)?.read_all(u64::MAX)?;
    Ok(())
}

fn destroy_response(call: &mut Call, _: &[Value]) -> Step {
    response(call)?.destroy();
    Ok(())
}

fn log_response(call: &mut Call, arguments: &[Value]) -> Step {
    let mut entry = bytes::from_script(argument(arguments, 0));
    entry.extend(value(call, text(arguments, 1))?);
    log::entry(&bytes::to_text(&entry));
    Ok(())
}

/// What `log-response` can ask of a response.
fn value(call: &Call, name: &str) -> Result<Vec<u8>, Stop> {
    let response = response(call)?;
    let (kind, field) = name.split_once(':').unwrap_or((name, ""));
    Ok(match kind {
        "status" => response.status_code().map_or_else(none, |status| status.to_string().into_bytes()),
        "status-message" => response.status_message().map_or_else(none, String::into_bytes),
        "body" => call.body.clone(),
        "body-length" => call.body.len().to_string().into_bytes(),
        "trailer" => trailer(response, field),
        "headers" | "headers-distinct" | "raw-headers" | "trailers" | "raw-trailers" | "http-version"
        | "complete" => match values::of_message(response, kind)? {
            Value::String(text) => text.into_bytes(),
            value => value.to_string().into_bytes(),
        },
        _ => return values::of_request(response, name, kind, field),
    })
}

fn trailer(response: &IncomingMessage, name: &str) -> Vec<u8> {
    let trailers = response.trailers();
    let found = trailers.into_iter().find(|(trailer, _)| trailer.eq_ignore_ascii_case(name));
    found.map_or_else(none, |(_, value)| value.to_bytes().into_owned())
}

fn none() -> Vec<u8> {
    b"none".to_vec()
}

fn response(call: &Call) -> Result<&IncomingMessage, Stop> {
    call.response.as_ref().ok_or_else(|| Stop::Unknown("response: there is none yet".to_owned()))
}

fn the_tunnel(call: &mut Call) -> Result<&mut Tunnel, Stop> {
    call.tunnel.as_mut().ok_or_else(|| Stop::Unknown("tunnel: there is none yet".to_owned()))
}
