//! A guest that does what a script says. The script is the `on` part of a case
//! in `tests/node-cases`, as JSON in the environment variable `CASE_ON`; the
//! README there defines every op.
//!
//! `ops` runs a list and is where control flow lives; `head`, `body` and
//! `values` hold the ops themselves; `bytes` and `log` are the script's way of
//! writing bytes and the guest's way of telling what it saw.

use std::env;

use innkeeper_guest::{Error, IncomingMessage, Result, ServerResponse, handler};
use serde_json::Value;

mod body;
mod bytes;
mod head;
mod log;
mod ops;
mod values;

#[handler]
fn interpret(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let on: Value = serde_json::from_str(&env::var("CASE_ON")?)?;
    let Some(ops) = for_target(&on["request"], &req.url()) else {
        let url = req.url();
        return Err(Error::msg(format_args!("CASE_ON has no ops for {url}")));
    };
    ops::Run::new(req, res).all(ops);
    Ok(())
}

/// The list of ops for a request target: there is one for all, or one for each
/// and `*` for the rest.
fn for_target<'a>(request: &'a Value, url: &str) -> Option<&'a [Value]> {
    let ops = match request {
        Value::Object(targets) => targets.get(url).or_else(|| targets.get("*"))?,
        ops => ops,
    };
    ops.as_array().map(Vec::as_slice)
}
