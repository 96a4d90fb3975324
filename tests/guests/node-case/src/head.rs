//! The ops of the response head and of interim responses, and those that look
//! at the head.

use innkeeper_guest::ServerResponse;
use serde_json::Value;

use crate::ops::{Step, argument, text};
use crate::{bytes, log};

pub fn set_status(res: &ServerResponse, arguments: &[Value]) -> Step {
    res.set_status_code(status(arguments));
    Ok(())
}

pub fn set_header(res: &ServerResponse, arguments: &[Value]) -> Step {
    let values = bytes::values(argument(arguments, 1));
    Ok(res.set_header(text(arguments, 0), values)?)
}

pub fn append_header(res: &ServerResponse, arguments: &[Value]) -> Step {
    let values = bytes::values(argument(arguments, 1));
    Ok(res.append_header(text(arguments, 0), values)?)
}

pub fn remove_header(res: &ServerResponse, arguments: &[Value]) -> Step {
    Ok(res.remove_header(text(arguments, 0))?)
}

pub fn write_head(res: &ServerResponse, arguments: &[Value]) -> Step {
    let reason = argument(arguments, 1).as_str();
    let headers = bytes::fields(argument(arguments, 2));
    Ok(res.write_head(status(arguments), reason, headers)?)
}

pub fn keep_alive(res: &ServerResponse, arguments: &[Value]) -> Step {
    let keep = argument(arguments, 0).as_bool().unwrap_or(true);
    res.set_should_keep_alive(keep);
    Ok(())
}

pub fn send_date(res: &ServerResponse, arguments: &[Value]) -> Step {
    let send = argument(arguments, 0).as_bool().unwrap_or(true);
    res.set_send_date(send);
    Ok(())
}

pub fn write_early_hints(res: &ServerResponse, arguments: &[Value]) -> Step {
    let links = argument(arguments, 0).as_array();
    let links = links.into_iter().flatten().filter_map(Value::as_str);
    let links: Vec<_> = links.collect();
    let headers = bytes::fields(argument(arguments, 1));
    Ok(res.write_early_hints(&links, headers)?)
}

pub fn get_header(res: &ServerResponse, arguments: &[Value]) -> Step {
    let name = text(arguments, 0);
    let values = res.get_header(name).map(|values| values.join(&b", "[..]));
    let values = values.unwrap_or_else(|| b"none".to_vec());
    log::entry(&format!("get-header {name}: {}", bytes::to_text(&values)));
    Ok(())
}

pub fn has_header(res: &ServerResponse, arguments: &[Value]) -> Step {
    let name = text(arguments, 0);
    log::entry(&format!("has-header {name}: {}", res.has_header(name)));
    Ok(())
}

pub fn header_names(res: &ServerResponse) -> Step {
    log::entry(&format!("header-names: {}", res.header_names().join(", ")));
    Ok(())
}

pub fn headers_sent(res: &ServerResponse) -> Step {
    log::entry(&format!("headers-sent: {}", res.headers_sent()));
    Ok(())
}

/// The first argument. A number that no status can be stays one that is none.
fn status(arguments: &[Value]) -> u16 {
    let number = argument(arguments, 0).as_u64().unwrap_or(0);
    u16::try_from(number).unwrap_or(u16::MAX)
}
