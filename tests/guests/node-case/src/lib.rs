//! A guest that does what a script says. The script is the `on` part of a case
//! in `tests/node-cases`, as JSON in the environment variable `CASE_ON`; the
//! README there defines every op. `request` is always exported, each of the
//! others with the feature of its name.
//!
//! `ops` runs a list and is where control flow lives; `head`, `body`, `tunnel`,
//! `client`, `server` and `values` hold the ops themselves; `subject` is what they work
//! on; `bytes` and `log` are the script's way of writing bytes and the guest's
//! way of telling what it saw.

use std::env;

use innkeeper_guest::{ClientError, Error, IncomingMessage, Result, ServerResponse, Socket, handler};
use serde_json::Value;

use ops::Run;
use subject::{Subject, Tunnel};

mod body;
mod bytes;
mod client;
mod head;
mod log;
mod ops;
mod server;
mod subject;
mod tunnel;
mod values;

#[handler]
fn interpret(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    exchange("request", req, res)
}

/// Runs the ops of `check-continue`.
#[cfg_attr(feature = "check-continue", innkeeper_guest::check_continue_handler)]
pub fn check_continue(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    exchange("check-continue", req, res)
}

/// Runs the ops of `check-expectation`.
#[cfg_attr(feature = "check-expectation", innkeeper_guest::check_expectation_handler)]
pub fn check_expectation(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    exchange("check-expectation", req, res)
}

/// Runs the ops of `upgrade`.
#[cfg_attr(feature = "upgrade", innkeeper_guest::upgrade_handler(should_upgrade = should_upgrade))]
pub fn upgrade(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    tunnel("upgrade", req, socket, head)
}

/// Whether there are ops for this target; one without them is declined.
pub fn should_upgrade(req: &IncomingMessage) -> bool {
    ops_of("upgrade", &req.url()).is_ok()
}

/// Runs the ops of `connect`.
#[cfg_attr(feature = "connect", innkeeper_guest::connect_handler)]
pub fn connect(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    tunnel("connect", req, socket, head)
}

/// Runs the ops of `client-error`.
#[cfg_attr(feature = "client-error", innkeeper_guest::client_error_handler)]
pub fn client_error(error: ClientError) -> Option<Vec<u8>> {
    let ops = match ops_of("client-error", "*") {
        Ok(ops) => ops,
        Err(error) => {
            eprintln!("{error:#}");
            return None;
        }
    };
    let mut run = Run::new(Subject::Fault(error));
    run.all(&ops);
    run.reply
}

fn exchange(export: &str, req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let ops = ops_of(export, &req.url())?;
    Run::new(Subject::Exchange(req, res)).all(&ops);
    Ok(())
}

fn tunnel(export: &str, req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    let ops = ops_of(export, &req.url())?;
    Run::new(Subject::Tunnel(req, Tunnel { socket, unread: head })).all(&ops);
    Ok(())
}

/// The list of ops of an export for a request target: there is one for all, or
/// one for each and `*` for the rest.
fn ops_of(export: &str, url: &str) -> Result<Vec<Value>> {
    let mut on: Value = serde_json::from_str(&env::var("CASE_ON")?)?;
    let ops = match on[export].take() {
        Value::Object(mut targets) => targets.remove(url).or_else(|| targets.remove("*")),
        ops => Some(ops),
    };
    match ops {
        Some(Value::Array(ops)) => Ok(ops),
        _ => Err(Error::msg(format_args!("CASE_ON has no ops of {export} for {url}"))),
    }
}
