//! The agents of an app, by name. They are the app's and not an instance's: the
//! next request, in an instance of its own, finds their connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::outbound::agent::{Agent, AgentOptions};
use crate::outbound::error::OutboundError;
use crate::outbound::means::Means;
use crate::wire::error::MessageError;

/// Bytes that the name of an agent may have.
const NAME_BYTES_MAX: usize = 64;

/// How often free connections are looked at: one that is too old, or that its
/// server has closed, stays no longer than that.
const SWEEP_PERIOD: Duration = Duration::from_millis(500);

/// All agents of an app.
#[derive(Debug)]
pub struct Agents {
    means: Arc<Means>,
    global: Agent,
    named: Mutex<BTreeMap<String, Agent>>,
    /// Agents without a name, for as long as an instance has them.
    unnamed: Mutex<Vec<Agent>>,
}

impl Agents {
    /// The app's own agent, and no other yet.
    pub fn new(means: Arc<Means>) -> Arc<Self> {
        Arc::new(Agents {
            global: Agent::new(AgentOptions::default(), means.clone()),
            means,
            named: Mutex::default(),
            unnamed: Mutex::default(),
        })
    }

    /// Has free connections looked after for as long as there are any. To be
    /// called when one is given back, or is there to be shared.
    pub fn look_after_free(self: &Arc<Self>) {
        if self.means.begin_sweeping() {
            tokio::spawn(sweep_while_needed(Arc::downgrade(self)));
        }
    }

    /// What they may use.
    pub fn means(&self) -> &Arc<Means> {
        &self.means
    }

    /// The agent of requests that name none.
    pub fn global(&self) -> &Agent {
        &self.global
    }

    /// The agent of that name, which has these options from now on.
    ///
    /// # Errors
    /// `InvalidArg` for a name or an option that is none; `Limit` if there are
    /// `agents_max` others.
    pub fn open(&self, name: &str, options: AgentOptions, agents_max: u32) -> Result<Agent, OutboundError> {
        check(&options)?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let message = format!("the name of an agent has 1 to {NAME_BYTES_MAX} bytes, not {}", name.len());
            return Err(MessageError::InvalidArg(message).into());
        }
        let mut named = self.named.lock();
        if let Some(agent) = named.get(name) {
            agent.set_options(options);
            return Ok(agent.clone());
        }
        self.check_count(named.len(), agents_max)?;
        let agent = Agent::new(options, self.means.clone());
        named.insert(name.to_owned(), agent.clone());
        Ok(agent)
    }

    /// An agent for whoever asks. It is to be given back to
    /// [`Agents::abandon`].
    ///
    /// # Errors
    /// Those of [`Agents::open`].
    pub fn unnamed(&self, options: AgentOptions, agents_max: u32) -> Result<Agent, OutboundError> {
        check(&options)?;
        let mut unnamed = self.unnamed.lock();
        unnamed.retain(Agent::is_held);
        self.check_count(unnamed.len(), agents_max)?;
        let agent = Agent::new(options, self.means.clone());
        unnamed.push(agent.clone());
        Ok(agent)
    }

    fn check_count(&self, count: usize, max: u32) -> Result<(), OutboundError> {
        if count as u64 >= u64::from(max) {
            return Err(OutboundError::Limit("outbound_agents_max"));
        }
        Ok(())
    }

    /// Closes the free connections of an agent without a name that an instance
    /// has done with.
    pub fn abandon(&self, agent: &Agent) {
        let is_unnamed = self.unnamed.lock().iter().any(|other| other == agent);
        if is_unnamed {
            agent.close_free();
        }
    }

    /// Closes what is too old, and forgets agents that have nothing and that
    /// nobody has.
    pub fn sweep(&self) {
        self.global.sweep();
        let named: Vec<_> = self.named.lock().values().cloned().collect();
        named.iter().for_each(|agent| {
            agent.sweep();
        });
        drop(named);
        self.named.lock().retain(|_, agent| agent.is_held() || !agent.sweep());
        let unnamed = self.unnamed.lock().clone();
        unnamed.iter().for_each(|agent| {
            agent.sweep();
        });
        drop(unnamed);
        self.unnamed.lock().retain(Agent::is_held);
    }

    /// Closes one free connection, so that there is room for another; returns
    /// whether there was one.
    pub fn give_up_one(&self) -> bool {
        if self.global.give_up_one() {
            return true;
        }
        let others: Vec<_> = self.named.lock().values().chain(self.unnamed.lock().iter()).cloned().collect();
        others.iter().any(Agent::give_up_one)
    }
}

/// Sweeps every now and then, until there is nothing left or the app is gone.
async fn sweep_while_needed(agents: Weak<Agents>) {
    loop {
        tokio::time::sleep(SWEEP_PERIOD).await;
        let Some(agents) = agents.upgrade() else { return };
        agents.sweep();
        if agents.means.connections() == 0 {
            agents.means.end_sweeping();
            // One may have been given back since.
            if agents.means.connections() == 0 || !agents.means.begin_sweeping() {
                return;
            }
        }
    }
}

fn check(options: &AgentOptions) -> Result<(), OutboundError> {
    for (name, max) in
        [("max-sockets", options.max_sockets), ("max-total-sockets", options.max_total_sockets)]
    {
        if max == Some(0) {
            let message = format!("{name} 0 lets nothing through; leave it out for no limit");
            return Err(MessageError::InvalidArg(message).into());
        }
    }
    Ok(())
}
