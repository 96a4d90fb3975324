//! The ops of the guest's own requests to the upstream of the case: which
//! function does what. `client/request.rs` has those of a request before its
//! response, `client/response.rs` those of what the upstream answers,
//! `client/agent.rs` those of agents.

use std::collections::BTreeMap;

use innkeeper_guest::IncomingMessage;
use innkeeper_guest::client::{Agent, ClientRequest};
use serde_json::{Map, Value};

use crate::ops::{Step, Stop, argument, text};
use crate::subject::Tunnel;

mod agent;
mod request;
mod response;

/// The requests and agents of one call of an export, by the names that the
/// script gives them.
#[derive(Default)]
pub struct Calls {
    calls: BTreeMap<String, Call>,
    agents: BTreeMap<String, Agent>,
}

/// A request, and what became of it.
struct Call {
    method: String,
    request: ClientRequest,
    response: Option<IncomingMessage>,
    /// What `read-response` kept.
    body: Vec<u8>,
    tunnel: Option<Tunnel>,
}

impl Calls {
    /// Runs one op; none if it is none of these. The first argument is the
    /// name of the request or agent.
    pub fn op(&mut self, op: &str, arguments: &[Value]) -> Option<Step> {
        let name = text(arguments, 0);
        let rest = arguments.get(1..).unwrap_or_default();
        match op {
            "request" => Some(request::create(self, name, rest)),
            "agent" => Some(agent::create(self, name, rest)),
            "agent-stats" => Some(self.agent(name).map(agent::stats)),
            "agent-destroy" => Some(self.agent(name).map(Agent::destroy)),
            _ => {
                let of_call = request::op(op).or_else(|| response::op(op))?;
                Some(self.call(name).and_then(|call| of_call(call, rest)))
            }
        }
    }

    fn call(&mut self, name: &str) -> Result<&mut Call, Stop> {
        self.calls.get_mut(name).ok_or_else(|| missing("request", name))
    }

    fn agent(&self, name: &str) -> Result<&Agent, Stop> {
        self.agents.get(name).ok_or_else(|| missing("agent", name))
    }
}

/// What does an op of a request.
type CallOp = fn(&mut Call, &[Value]) -> Step;

fn missing(what: &str, name: &str) -> Stop {
    Stop::Unknown(format!("{what} {name}: there is none"))
}

/// The options of an op, of which all must be known: one that is overlooked
/// would make a case say what it does not check.
fn options<'a>(arguments: &'a [Value], known: &[&str]) -> Result<Options<'a>, Stop> {
    let options = argument(arguments, 0).as_object();
    match options.and_then(|options| options.keys().find(|key| !known.contains(&key.as_str()))) {
        Some(unknown) => Err(Stop::Unknown(format!("option {unknown}"))),
        None => Ok(Options(options)),
    }
}

struct Options<'a>(Option<&'a Map<String, Value>>);

impl<'a> Options<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.0?.get(key)
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    fn number(&self, key: &str) -> Option<u32> {
        self.get(key)?.as_u64()?.try_into().ok()
    }
}
