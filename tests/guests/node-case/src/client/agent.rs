//! The ops of agents.

use std::time::Duration;

use innkeeper_guest::client::{Agent, AgentOptions, Scheduling};
use serde_json::Value;

use super::{Calls, options};
use crate::log;
use crate::ops::{Step, Stop};

const OPTIONS: &[&str] = &[
    "free-socket-timeout-ms",
    "keep-alive",
    "keep-alive-delay-ms",
    "max-free-sockets",
    "max-sockets",
    "max-total-sockets",
    "name",
    "scheduling",
];

/// Makes an agent: one of this call alone, as `new http.Agent` of a program
/// is; with a `name` the app's one of that name.
pub fn create(calls: &mut Calls, name: &str, arguments: &[Value]) -> Step {
    let options = options(arguments, OPTIONS)?;
    let milliseconds = |key| options.number(key).map(|number| Duration::from_millis(number.into()));
    let defaults = AgentOptions::default();
    let chosen = AgentOptions {
        // What a script does not say is as in Node, whose agents do not.
        keep_alive: options.get("keep-alive").and_then(Value::as_bool).unwrap_or(false),
        keep_alive_delay: milliseconds("keep-alive-delay-ms").unwrap_or(defaults.keep_alive_delay),
        max_sockets: options.number("max-sockets"),
        max_total_sockets: options.number("max-total-sockets"),
        max_free_sockets: options.number("max-free-sockets").unwrap_or(defaults.max_free_sockets),
        scheduling: match options.text("scheduling") {
            None | Some("lifo") => Scheduling::Lifo,
            Some("fifo") => Scheduling::Fifo,
            Some(other) => return Err(Stop::Unknown(format!("scheduling {other}"))),
        },
        free_socket_timeout: milliseconds("free-socket-timeout-ms").unwrap_or(defaults.free_socket_timeout),
    };
    let agent = match options.text("name") {
        Some(name) => Agent::open(name, chosen)?,
        None => Agent::new(chosen)?,
    };
    calls.agents.insert(name.to_owned(), agent);
    Ok(())
}

/// Of all origins together.
pub fn stats(agent: &Agent) {
    let (mut sockets, mut free, mut queued) = (0, 0, 0);
    for origin in agent.stats() {
        sockets += origin.sockets;
        free += origin.free_sockets;
        queued += origin.requests;
    }
    log::entry(&format!("agent-stats: sockets={sockets} free={free} queued={queued}"));
}
