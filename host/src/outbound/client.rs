//! What an app may do towards others: where to, with which agents, at what
//! cost. One for each version of an app; the agents are the app's.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::Limits;
use crate::outbound::agent::{Agent, Connection, Key, Seat, Turn};
use crate::outbound::agents::Agents;
use crate::outbound::connect::{Alpn, Connector};
use crate::outbound::error::OutboundError;
use crate::outbound::http1::Http1;
use crate::outbound::http2::Http2;
use crate::outbound::origin::Origin;
use crate::outbound::policy::{Clearance, Policy};
use crate::outbound::tally::Tally;
use crate::wire::http1::fields::FieldLimits;
use crate::wire::http1::head::HeadLimits;
use crate::wire::ledger::Ledger;

/// Takes a line for the log, about a request of an exchange.
pub type Log = Arc<dyn Fn(u64, &str) + Send + Sync>;

/// The outbound side of a version of an app.
pub struct Client {
    policy: Policy,
    connector: Connector,
    limits: Arc<Limits>,
    agents: Arc<Agents>,
    /// What buffers are charged to.
    memory: Arc<Ledger>,
    log: Log,
}

/// A way to the server.
#[derive(Debug)]
pub enum Way {
    /// A connection for this request.
    Connection(Box<Connection>),
    /// One of HTTP/2, shared.
    Shared(Http2, Arc<Seat>),
}

/// A [`Way`] that is not there yet.
pub type Waiting = Pin<Box<dyn Future<Output = Result<Way, OutboundError>> + Send>>;

/// All that it takes to get a [`Way`].
#[derive(Clone)]
pub struct Wanted {
    /// Whose request it is.
    pub client: Arc<Client>,
    /// Whose connections may be used; none for one of its own.
    pub agent: Option<Agent>,
    /// Where to.
    pub key: Key,
    /// Which addresses are allowed.
    pub clearance: Clearance,
    /// How long a new one may take to be made, if not as long as the limit.
    pub connect_timeout: Option<Duration>,
}

impl Client {
    /// The outbound side of an app with this policy.
    pub fn new(
        policy: Policy,
        connector: Connector,
        limits: Arc<Limits>,
        agents: Arc<Agents>,
        memory: Arc<Ledger>,
        log: Log,
    ) -> Self {
        Client { policy, connector, limits, agents, memory, log }
    }

    /// Whether anything is allowed at all.
    pub fn is_granted(&self) -> bool {
        !self.policy.is_empty()
    }

    /// The app's agents.
    pub fn agents(&self) -> &Arc<Agents> {
        &self.agents
    }

    /// What is counted of its requests.
    pub fn tally(&self) -> &Tally {
        self.agents.means().tally()
    }

    /// The limits of the app.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What buffers are charged to.
    pub fn memory(&self) -> &Arc<Ledger> {
        &self.memory
    }

    /// Whether requests may go there, and to which addresses.
    ///
    /// # Errors
    /// `Denied`.
    pub fn clear(&self, origin: &Origin) -> Result<Clearance, OutboundError> {
        Ok(self.policy.check(origin)?)
    }

    /// The key of connections to an origin.
    pub fn key(&self, origin: Origin, alpn: Alpn) -> Key {
        Key { origin, alpn, identity: self.connector.identity() }
    }

    /// What the response of a request may hold, with `own` for a bound of its
    /// own.
    pub fn head_limits(&self, own: Option<u32>) -> HeadLimits {
        let max = self.limits.outbound_head_bytes_max;
        let own = own.map_or(max, |own| usize::try_from(own).unwrap_or(max));
        HeadLimits { bytes_max: own.min(max), count_max: self.limits.outbound_header_count_max }
    }

    /// What the head of a request may hold.
    pub fn field_limits(&self) -> FieldLimits {
        FieldLimits {
            bytes_max: self.limits.outbound_head_bytes_max,
            lines_max: self.limits.outbound_header_count_max,
        }
    }

    /// Counts a request that failed, and puts it into the log if it was
    /// refused: what a guest was denied, and limits that it met.
    pub fn note_failure(&self, exchange: u64, origin: &Origin, error: &OutboundError) {
        self.tally().note_failure(error);
        match error {
            OutboundError::Limit(_) => {
                (self.log)(exchange, &format!("outbound request to {origin} failed: {error}"));
            }
            error => self.note_refusal(exchange, error),
        }
    }

    /// Puts what was refused into the log, if it was, where there is no origin
    /// to name yet.
    pub fn note_refusal(&self, exchange: u64, error: &OutboundError) {
        let cause = match error {
            OutboundError::Denied(denial) => &denial.cause,
            OutboundError::Limit(_) => &error.to_string(),
            _ => return,
        };
        (self.log)(exchange, &format!("outbound request refused: {cause}"));
    }
}

impl Wanted {
    /// A way that is there already, or that has to be waited for.
    ///
    /// # Errors
    /// The future that gets one, if there is none yet.
    pub fn at_once(self) -> Result<Way, Waiting> {
        let turn = self.agent.as_ref().map(|agent| agent.take(&self.key));
        match turn {
            Some(Ok(Turn::Connection(connection))) if self.allows(&connection) => {
                Ok(Way::Connection(connection))
            }
            Some(Ok(Turn::Connection(_))) | None => Err(Box::pin(self.get(None))),
            Some(turn) => Err(Box::pin(self.get(Some(turn)))),
        }
    }

    /// Whether the policy of this version allows a connection that is there:
    /// another version may have made it.
    fn allows(&self, connection: &Connection) -> bool {
        self.clearance.check(connection.http1.peer().ip()).is_ok()
    }

    async fn get(
        self,
        turn: Option<Result<Turn, tokio::sync::oneshot::Receiver<Turn>>>,
    ) -> Result<Way, OutboundError> {
        let mut turn = match turn {
            Some(turn) => turn,
            None => self.turn(),
        };
        loop {
            let taken = match turn {
                Ok(taken) => taken,
                // The agent was destroyed.
                Err(queue) => queue.await.map_err(|_| OutboundError::HangUp)?,
            };
            match taken {
                Turn::Connection(connection) if self.allows(&connection) => {
                    return Ok(Way::Connection(connection));
                }
                Turn::Connection(connection) => drop(connection),
                Turn::Shared(http2, seat) if self.clearance.check(http2.peer().ip()).is_ok() => {
                    return Ok(Way::Shared(http2, seat));
                }
                // Nobody gets it again; whoever has it may finish.
                Turn::Shared(..) => self.agent.iter().for_each(|agent| agent.unshare(&self.key)),
                Turn::Seat(seat) => return self.connect(seat).await,
                Turn::Full(limit) if !self.client.agents.give_up_one() => {
                    return Err(OutboundError::Limit(limit));
                }
                Turn::Full(_) => {}
            }
            turn = self.turn();
        }
    }

    fn turn(&self) -> Result<Turn, tokio::sync::oneshot::Receiver<Turn>> {
        match &self.agent {
            Some(agent) => agent.take(&self.key),
            None => Ok(Seat::alone(self.client.agents.means(), &self.key)),
        }
    }

    /// Makes the connection that a seat is for. Dropping it gives the seat back.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn connect(self, seat: Seat) -> Result<Way, OutboundError> {
        let life = seat.life().clone();
        let making = async {
            let times = [self.client.limits.outbound_connect_timeout, self.connect_timeout];
            match times.into_iter().flatten().min() {
                Some(max) => timeout(max, self.make(seat)).await.unwrap_or(Err(CONNECT_TIMEOUT)),
                None => self.make(seat).await,
            }
        };
        tokio::select! {
            made = making => made,
            () = life.cancelled() => Err(OutboundError::HangUp),
        }
    }

    async fn make(&self, seat: Seat) -> Result<Way, OutboundError> {
        let Wanted { client, agent, key, clearance, .. } = self;
        let delay = agent.as_ref().and_then(Agent::keep_alive_delay);
        let connected = client.connector.connect(&key.origin, clearance, key.alpn, delay).await?;
        client.tally().note_connection();
        if !connected.http2 {
            return Ok(Way::Connection(Box::new(Connection { http1: Http1::new(connected.stream), seat })));
        }
        let http2 = Http2::handshake(connected.stream, client.head_limits(None)).await?;
        let seat = Arc::new(seat);
        if let Some(agent) = agent {
            agent.share(http2.clone(), seat.clone());
            client.agents.look_after_free();
        }
        Ok(Way::Shared(http2, seat))
    }
}

const CONNECT_TIMEOUT: OutboundError = OutboundError::Timeout("connect");
