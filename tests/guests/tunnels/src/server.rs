//! The app's own server, one call for each path below `/server/`. The answer
//! is what the call returned: a value, `ok`, or the error's code. A timeout is
//! set with `?ms=`, and told in milliseconds, or `none`.

use std::fmt::Display;
use std::time::Duration;

use innkeeper_guest::{ErrorCode, Result, ServerResponse, server};

use crate::{number, outcome};

type Outcome<T> = std::result::Result<T, ErrorCode>;

pub fn call(name: &str, query: &str, res: &ServerResponse) -> Result<()> {
    let set = number(query, "ms").map(Duration::from_millis);
    let told = match name {
        "listening" => value(server::listening()),
        "get-connections" => value(server::get_connections()),
        "close" => outcome(server::close()).to_owned(),
        "close-twice" => format!("{} {}", outcome(server::close()), outcome(server::close())),
        "close-idle-connections" => outcome(server::close_idle_connections()).to_owned(),
        "close-all-connections" => outcome(server::close_all_connections()).to_owned(),
        "keep-alive-timeout" => match set {
            None => timeout(server::keep_alive_timeout()),
            set => outcome(server::set_keep_alive_timeout(set)).to_owned(),
        },
        "headers-timeout" => match set {
            None => timeout(server::headers_timeout()),
            set => outcome(server::set_headers_timeout(set)).to_owned(),
        },
        "request-timeout" => match set {
            None => timeout(server::request_timeout()),
            set => outcome(server::set_request_timeout(set)).to_owned(),
        },
        "timeout" => match set {
            None => timeout(server::timeout()),
            set => outcome(server::set_timeout(set)).to_owned(),
        },
        _ => {
            res.set_status_code(404);
            "no such call".to_owned()
        }
    };
    Ok(res.end(told)?)
}

fn value(result: Outcome<impl Display>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(code) => code.code().to_owned(),
    }
}

fn timeout(result: Outcome<Option<Duration>>) -> String {
    value(result.map(|timeout| match timeout {
        Some(timeout) => timeout.as_millis().to_string(),
        None => "none".to_owned(),
    }))
}
