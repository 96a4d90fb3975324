//! A request of the script: how it is made, and its head.

use std::time::Duration;

use innkeeper_guest::client::{self, ClientRequest};
use innkeeper_guest::{Error, IncomingMessage, Result, Socket};

use crate::run::{Run, header, number, split};

/// A request, and what of its answer the script has.
pub struct Asked {
    pub request: ClientRequest,
    pub response: Option<IncomingMessage>,
    pub socket: Option<Socket>,
}

/// `NAME = METHOD URL`, and after it any of `none` and `via=AGENT` for the
/// agent, `path=…`, `timeout=MILLISECONDS`, `head=BYTES`, `+Header:value`.
pub fn make(run: &mut Run, name: &str, method: &str, options: &str) -> Result<()> {
    let (url, options) = split(options);
    let mut request = client::request(method, url);
    for option in options.split_whitespace() {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        request = match key {
            "none" => request.no_agent(),
            "via" => request.agent(run.agents.get(value).ok_or_else(|| Error::msg("no such agent"))?),
            "path" => request.path(value),
            "timeout" => request.timeout(Duration::from_millis(number(value)?)),
            "head" => request.max_header_size(number(value)?),
            _ => {
                let line = option.strip_prefix('+').and_then(|line| line.split_once(':'));
                let (header, value) = line.ok_or_else(|| Error::msg("no such option"))?;
                request.header(header, value)
            }
        };
    }
    match request.start() {
        Ok(request) => {
            run.requests.insert(name.to_owned(), Asked { request, response: None, socket: None });
            Ok(())
        }
        Err(error) => run.tell(name, "new", &Err::<(), _>(error)),
    }
}

/// `header Name: value` sets it, `append` adds to it, `remove Name`; `names`.
pub fn change_header(run: &Run, name: &str, asked: &Asked, what: &str, argument: &str) -> Result<()> {
    let request = &asked.request;
    let changed = match what {
        "names" => return run.line(name, format!("names {}", request.header_names().join(" "))),
        "remove" => request.remove_header(argument),
        "append" => header(argument).map(|(name, value)| request.append_header(name, value))?,
        _ => header(argument).map(|(name, value)| request.set_header(name, value))?,
    };
    // Only what fails is worth a line.
    if changed.is_err() { run.tell(name, what, &changed) } else { Ok(()) }
}

/// `timeout MILLISECONDS`, `destroy`; whether the connection was `reused`, and
/// the head is `sent`.
pub fn other(run: &Run, name: &str, asked: &Asked, what: &str, argument: &str) -> Result<()> {
    let request = &asked.request;
    match what {
        "timeout" => request.set_timeout(Duration::from_millis(number(argument)?)),
        "destroy" => request.destroy(),
        "sent" => run.line(name, format!("sent {}", request.headers_sent()))?,
        _ => run.line(name, format!("reused {}", request.reused_socket()))?,
    }
    Ok(())
}
