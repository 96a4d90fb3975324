//! Runs a list of ops: which function does what, what a failure means, and the
//! control ops.

use std::process;
use std::thread;
use std::time::Duration;

use innkeeper_guest::ErrorCode;
use serde_json::Value;

use crate::client::Calls;
use crate::subject::Subject;
use crate::{body, bytes, head, log, server, tunnel, values};

/// One call of an export, while its ops run.
pub struct Run {
    pub subject: Subject,
    /// What `read-body` kept.
    pub body: Vec<u8>,
    /// What `raw-response` said.
    pub reply: Option<Vec<u8>>,
    /// The guest's own requests, and their agents.
    pub calls: Calls,
}

/// Why the ops end before the last one.
pub enum Stop {
    /// An op failed.
    Failed(ErrorCode),
    /// The script uses what this guest does not know.
    Unknown(String),
    /// An op said so, or one that was told about already.
    Return,
}

/// Failures of a call to the host.
impl From<ErrorCode> for Stop {
    fn from(code: ErrorCode) -> Self {
        Self::Failed(code)
    }
}

pub type Step = Result<(), Stop>;

impl Run {
    pub fn new(subject: Subject) -> Self {
        Self { subject, body: Vec::new(), reply: None, calls: Calls::default() }
    }

    /// Runs the ops in order, and logs what ends them early.
    pub fn all(&mut self, ops: &[Value]) {
        // Whoever stops has logged why.
        let _ = self.list(ops);
    }

    fn list(&mut self, ops: &[Value]) -> Step {
        for op in ops {
            match self.op(op) {
                Ok(()) => {}
                Err(Stop::Failed(code)) => {
                    log_failure(op, &code);
                    return Err(Stop::Return);
                }
                Err(Stop::Unknown(what)) => {
                    log::entry(&format!("unknown {what}"));
                    return Err(Stop::Return);
                }
                Err(Stop::Return) => return Err(Stop::Return),
            }
        }
        Ok(())
    }

    fn op(&mut self, op: &Value) -> Step {
        let arguments = op.as_array().and_then(|op| op.get(1..));
        let arguments = arguments.unwrap_or_default();
        match name(op) {
            "log" => self.log(arguments),
            "sleep-ms" => sleep(arguments),
            "repeat" => self.repeat(arguments),
            "try" => self.attempt(arguments),
            "trap" => process::abort(),
            "return" => Err(Stop::Return),

            "read-body" => body::read(self),
            "destroy" => {
                self.subject.destroy();
                Ok(())
            }

            "tunnel-write" => tunnel::write(self.subject.tunnel()?, arguments),
            "tunnel-read" => tunnel::read(self.subject.tunnel()?, arguments, "tunnel-read"),
            "tunnel-echo" => tunnel::echo(self.subject.tunnel()?),
            "tunnel-end" => tunnel::end(self.subject.tunnel()?),

            "raw-response" => {
                self.reply = Some(bytes::from_script(argument(arguments, 0)));
                Ok(())
            }

            "get-connections" => server::get_connections(),
            "server-close" => server::close(),
            "close-idle-connections" => server::close_idle_connections(),
            "close-all-connections" => server::close_all_connections(),

            name => match self.calls.op(name, arguments) {
                Some(step) => step,
                None => self.response_op(name, arguments),
            },
        }
    }

    fn response_op(&self, name: &str, arguments: &[Value]) -> Step {
        let res = self.subject.res()?;
        match name {
            "set-status" => head::set_status(res, arguments),
            "set-header" => head::set_header(res, arguments),
            "append-header" => head::append_header(res, arguments),
            "remove-header" => head::remove_header(res, arguments),
            "write-head" => head::write_head(res, arguments),
            "flush-headers" => Ok(res.flush_headers()?),
            "keep-alive" => head::keep_alive(res, arguments),
            "send-date" => head::send_date(res, arguments),

            "get-header" => head::get_header(res, arguments),
            "has-header" => head::has_header(res, arguments),
            "header-names" => head::header_names(res),
            "headers-sent" => head::headers_sent(res),

            "write-continue" => Ok(res.write_continue()?),
            "write-processing" => Ok(res.write_processing()?),
            "write-early-hints" => head::write_early_hints(res, arguments),

            "write" => body::write(res, arguments),
            "end" => body::end(res, arguments),
            "end-with" => body::end_with(self, arguments),
            "report" => body::report(self, arguments),
            "add-trailers" => body::add_trailers(res, arguments),
            "cork" => {
                res.cork();
                Ok(())
            }
            "uncork" => {
                res.uncork();
                Ok(())
            }
            "echo-body" => body::echo(self),
            unknown => Err(Stop::Unknown(format!("op {unknown}"))),
        }
    }

    fn attempt(&mut self, arguments: &[Value]) -> Step {
        let op = argument(arguments, 0);
        match self.op(op) {
            Ok(()) => log::entry(&format!("{} ok", name(op))),
            Err(Stop::Failed(code)) => log_failure(op, &code),
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    fn repeat(&mut self, arguments: &[Value]) -> Step {
        let ops = argument(arguments, 1).as_array();
        let ops = ops.map_or(&[][..], Vec::as_slice);
        for _ in 0..argument(arguments, 0).as_u64().unwrap_or(0) {
            self.list(ops)?;
        }
        Ok(())
    }

    fn log(&self, arguments: &[Value]) -> Step {
        let mut entry = bytes::from_script(argument(arguments, 0));
        if let Some(value) = arguments.get(1) {
            entry.extend(values::value(self, value.as_str().unwrap_or_default())?);
        }
        log::entry(&bytes::to_text(&entry));
        Ok(())
    }
}

/// The argument at this place; null if it is not there.
pub fn argument(arguments: &[Value], index: usize) -> &Value {
    arguments.get(index).unwrap_or(&Value::Null)
}

/// The argument at this place, as the name of a header or a value.
pub fn text(arguments: &[Value], index: usize) -> &str {
    argument(arguments, index).as_str().unwrap_or_default()
}

fn name(op: &Value) -> &str {
    op.get(0).and_then(Value::as_str).unwrap_or_default()
}

fn log_failure(op: &Value, code: &ErrorCode) {
    log::entry(&format!("{} failed: {}", name(op), code.code()));
}

fn sleep(arguments: &[Value]) -> Step {
    let milliseconds = argument(arguments, 0).as_u64().unwrap_or(0);
    thread::sleep(Duration::from_millis(milliseconds));
    Ok(())
}
