//! `agent`: what keeps a guest's connections to others (Node: `http.Agent`).

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;

use crate::guest::api::bindings::innkeeper::http::client::{
    AgentOptions, HostAgent, OriginStats, Scheduling,
};
use crate::guest::api::bindings::innkeeper::http::types::ErrorCode;
use crate::guest::instance::HostState;
use crate::outbound::agent;
use crate::outbound::client::Client;
use crate::outbound::error::OutboundError;
use crate::outbound::origin::Origin;

/// An agent that a guest holds. One without a name lives no longer.
pub struct HeldAgent {
    agent: agent::Agent,
    client: Arc<Client>,
}

impl HeldAgent {
    /// The agent.
    pub(super) fn agent(&self) -> &agent::Agent {
        &self.agent
    }
}

/// However the handle goes: the guest drops it, or its instance goes.
impl Drop for HeldAgent {
    fn drop(&mut self) {
        self.client.agents().abandon(&self.agent);
    }
}

type Own = Resource<HeldAgent>;
type Told<T> = Result<Result<T, ErrorCode>>;

impl HostState {
    fn hold_agent(&mut self, find: impl FnOnce(&Client) -> Result<agent::Agent, OutboundError>) -> Told<Own> {
        let client = match self.client() {
            Ok(client) => client.clone(),
            Err(error) => return Ok(Err(error.into())),
        };
        match find(&client) {
            Ok(agent) => Ok(Ok(self.table.push(HeldAgent { agent, client })?)),
            Err(error) => {
                client.note_refusal(self.exchange(), &error);
                Ok(Err(error.into()))
            }
        }
    }
}

impl HostAgent for HostState {
    fn new(&mut self, options: AgentOptions) -> Told<Own> {
        self.hold_agent(|client| client.agents().unnamed(options.into(), client.limits().outbound_agents_max))
    }

    fn open(&mut self, name: String, options: AgentOptions) -> Told<Own> {
        self.hold_agent(|client| {
            client.agents().open(&name, options.into(), client.limits().outbound_agents_max)
        })
    }

    fn global(&mut self) -> Told<Own> {
        self.hold_agent(|client| Ok(client.agents().global().clone()))
    }

    fn get_name(&mut self, scheme: String, authority: String) -> Told<String> {
        let origin = Origin::parse(&scheme, &authority).map_err(OutboundError::from);
        Ok(origin.map(|origin| origin.name()).map_err(ErrorCode::from))
    }

    fn stats(&mut self, own: Own) -> Result<Vec<OriginStats>> {
        Ok(self.table.get(&own)?.agent.stats().into_iter().map(OriginStats::from).collect())
    }

    fn destroy(&mut self, own: Own) -> Result<()> {
        self.table.get(&own)?.agent.destroy();
        Ok(())
    }

    fn drop(&mut self, own: Own) -> Result<()> {
        self.table.delete(own)?;
        Ok(())
    }
}

impl From<AgentOptions> for agent::AgentOptions {
    fn from(options: AgentOptions) -> Self {
        let free_socket_timeout = Duration::from_millis(options.free_socket_timeout.into());
        agent::AgentOptions {
            keep_alive: options.keep_alive,
            keep_alive_delay: Duration::from_millis(options.keep_alive_delay.into()),
            max_sockets: options.max_sockets,
            max_total_sockets: options.max_total_sockets,
            max_free_sockets: options.max_free_sockets,
            scheduling: match options.scheduling {
                Scheduling::Lifo => agent::Scheduling::Lifo,
                Scheduling::Fifo => agent::Scheduling::Fifo,
            },
            free_socket_timeout: (!free_socket_timeout.is_zero()).then_some(free_socket_timeout),
        }
    }
}

impl From<agent::OriginStats> for OriginStats {
    fn from(stats: agent::OriginStats) -> Self {
        let agent::OriginStats { name, sockets, free_sockets, requests } = stats;
        OriginStats { name, sockets, free_sockets, requests }
    }
}
