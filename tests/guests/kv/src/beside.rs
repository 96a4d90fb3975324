//! `config K` and `config` for all, `old-config` by the draft before;
//! `log LEVEL CONTEXT MESSAGE`, `old-log` by the interface without a version,
//! `-` for no context.

use crate::bindings::wasi::config0_2_0_draft::runtime;
use crate::bindings::wasi::config0_2_0_rc_1::store;
use crate::bindings::wasi::logging::logging as old_logging;
use crate::bindings::wasi::logging0_1_0_draft::logging;

pub fn call(call: &str) -> String {
    let words: Vec<_> = call.splitn(4, ' ').collect();
    match words.as_slice() {
        ["config"] => format!("{:?}", store::get_all()),
        ["config", key] => format!("{:?}", store::get(key)),
        ["old-config"] => format!("{:?}", runtime::get_all()),
        ["old-config", key] => format!("{:?}", runtime::get(key)),
        ["log", level, context, message] => {
            use logging::Level::{Critical, Debug, Error, Info, Trace, Warn};
            let levels = [Trace, Debug, Info, Warn, Error, Critical];
            logging::log(levels[place(level)], context_of(context), &unescaped(message));
            "logged".to_owned()
        }
        ["old-log", level, context, message] => {
            use old_logging::Level::{Critical, Debug, Error, Info, Trace, Warn};
            let levels = [Trace, Debug, Info, Warn, Error, Critical];
            old_logging::log(levels[place(level)], context_of(context), &unescaped(message));
            "logged".to_owned()
        }
        _ => format!("no such call: {call}"),
    }
}

fn place(level: &str) -> usize {
    let names = ["trace", "debug", "info", "warn", "error", "critical"];
    names.iter().position(|name| *name == level).unwrap_or_default()
}

fn context_of(context: &str) -> &str {
    if context == "-" { "" } else { context }
}

/// A header has no control characters: `\e` is an escape, `\n` a line's end,
/// and `*N` as many letters.
fn unescaped(message: &str) -> String {
    match message.strip_prefix('*').and_then(|count| count.parse().ok()) {
        Some(count) => "m".repeat(count),
        None => message.replace("\\e", "\x1b").replace("\\n", "\n"),
    }
}
