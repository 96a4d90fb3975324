//! Agents: how they are made, and what they have.

use std::time::Duration;

use innkeeper_guest::client::{Agent, AgentOptions, Scheduling};
use innkeeper_guest::{Error, ErrorCode, Result};

use crate::run::{Run, number};

/// `NAME = agent`, and after it any of `name=…` for one of the app's,
/// `sockets=…`, `total=…`, `free=…`, `timeout=MILLISECONDS`, `fifo`, `closing`
/// for one that keeps nothing.
pub fn open(run: &mut Run, name: &str, options: &str) -> Result<()> {
    let mut chosen = AgentOptions::default();
    let mut known_as = None;
    for option in options.split_whitespace() {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        match key {
            "name" => known_as = Some(value),
            "sockets" => chosen.max_sockets = Some(number(value)?),
            "total" => chosen.max_total_sockets = Some(number(value)?),
            "free" => chosen.max_free_sockets = number(value)?,
            "timeout" => chosen.free_socket_timeout = Duration::from_millis(number(value)?),
            "fifo" => chosen.scheduling = Scheduling::Fifo,
            "closing" => chosen.keep_alive = false,
            _ => return Err(Error::msg(format!("an agent has no option {key}"))),
        }
    }
    let opened = match known_as {
        Some(known_as) => Agent::open(known_as, chosen),
        None => Agent::new(chosen),
    };
    keep(run, name, opened)
}

/// `NAME = global`: the app's own.
pub fn global(run: &mut Run, name: &str) -> Result<()> {
    keep(run, name, Agent::global())
}

fn keep(run: &mut Run, name: &str, opened: std::result::Result<Agent, ErrorCode>) -> Result<()> {
    match opened {
        Ok(agent) => {
            run.agents.insert(name.to_owned(), agent);
            Ok(())
        }
        Err(error) => run.tell(name, "agent", &Err::<(), _>(error)),
    }
}

/// `destroy`.
pub fn destroy(agent: &Agent) -> Result<()> {
    agent.destroy();
    Ok(())
}

/// `stats`: a line for each origin.
pub fn tell_stats(run: &Run, name: &str, agent: &Agent) -> Result<()> {
    let stats = agent.stats();
    if stats.is_empty() {
        return run.line(name, "stats none");
    }
    for origin in stats {
        let (sockets, free, requests) = (origin.sockets, origin.free_sockets, origin.requests);
        run.line(name, format!("stats {} {sockets} in use, {free} free, {requests} waiting", origin.name))?;
    }
    Ok(())
}
