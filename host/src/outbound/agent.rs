//! An agent: the connections of one app that further requests may use, and the
//! requests that wait for one (Node: `http.Agent`). Gives out seats, which are
//! the right to have a connection; makes none itself.
//!
//! No connection and no seat is dropped while the state is locked: a seat locks
//! it when it goes.

mod terms;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use terms::{AgentOptions, Key, OriginStats, Scheduling};

use crate::outbound::http1::Http1;
use crate::outbound::http2::Http2;
use crate::outbound::means::{Means, Share};

/// How much earlier than the server says a free connection is given up, so
/// that no request meets its close (Node: `agentKeepAliveTimeoutBuffer`).
const HINT_BUFFER: Duration = Duration::from_secs(1);

/// An agent. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Agent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    means: Arc<Means>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    options: AgentOptions,
    origins: HashMap<Key, Connections>,
    /// Seats that are taken, free connections included.
    total: u32,
    queue: VecDeque<Waiting>,
    /// Cancelled when it is destroyed, and then another: what was given out
    /// before ends.
    life: CancellationToken,
}

#[derive(Debug, Default)]
struct Connections {
    /// Seats in use, or for which a connection is being made.
    busy: u32,
    free: VecDeque<Free>,
    /// A connection of HTTP/2, which any number of requests share.
    shared: Option<(Http2, Arc<Seat>)>,
}

#[derive(Debug)]
struct Free {
    connection: Box<Connection>,
    until: Instant,
}

/// Connections that are to be dropped after the lock.
type Leaving = Vec<Box<Connection>>;

/// What is to be dropped once the state is not locked any more.
#[derive(Debug, Default)]
struct Dead {
    free: Leaving,
    shared: Option<(Http2, Arc<Seat>)>,
}

#[derive(Debug)]
struct Waiting {
    key: Key,
    turn: oneshot::Sender<Turn>,
}

/// What a request gets from an agent.
#[derive(Debug)]
pub enum Turn {
    /// A connection that served before.
    Connection(Box<Connection>),
    /// One of HTTP/2, to be shared.
    Shared(Http2, Arc<Seat>),
    /// The right to make one.
    Seat(Seat),
    /// Neither: this limit is reached.
    Full(&'static str),
}

/// A connection and the seat that it takes.
#[derive(Debug)]
pub struct Connection {
    /// The connection.
    pub http1: Http1,
    /// Its seat, which goes after it.
    pub seat: Seat,
}

/// The right to have one connection. Dropping it gives it to the next in line.
#[derive(Debug)]
pub struct Seat {
    agent: Weak<Inner>,
    key: Key,
    /// Cancelled when the agent is destroyed.
    life: CancellationToken,
    /// Whether its connection is free.
    parked: bool,
    /// Of what the app and its tenant may have.
    _share: Share,
}

/// The same one, not one like it.
impl PartialEq for Agent {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Agent {
    /// An agent without connections, within the means of an app.
    pub fn new(options: AgentOptions, means: Arc<Means>) -> Self {
        let state = State {
            options,
            origins: HashMap::new(),
            total: 0,
            queue: VecDeque::new(),
            life: CancellationToken::new(),
        };
        Agent(Arc::new(Inner { means, state: Mutex::new(state) }))
    }

    /// Takes over other options, for what comes.
    pub fn set_options(&self, options: AgentOptions) {
        let mut state = self.0.state.lock();
        if state.options != options {
            state.options = options;
            self.0.serve(&mut state);
        }
    }

    /// Whether connections are kept, be it only for requests that wait: Node
    /// then says so to the server.
    pub fn keeps_alive(&self) -> bool {
        let options = &self.0.state.lock().options;
        options.keep_alive || options.max_sockets.is_some()
    }

    /// Idle time before the first TCP keep-alive probe, if connections are
    /// kept.
    pub fn keep_alive_delay(&self) -> Option<Duration> {
        let options = &self.0.state.lock().options;
        options.keep_alive.then_some(options.keep_alive_delay)
    }

    /// A connection, the right to make one, or a place in the queue.
    pub fn take(&self, key: &Key) -> Result<Turn, oneshot::Receiver<Turn>> {
        let mut dead = Dead::default();
        let taken = self.take_from(key, &mut dead);
        // After the lock.
        drop(dead);
        taken
    }

    fn take_from(&self, key: &Key, dead: &mut Dead) -> Result<Turn, oneshot::Receiver<Turn>> {
        let mut state = self.0.state.lock();
        let now = Instant::now();
        let fifo = state.options.scheduling == Scheduling::Fifo;
        if let Some(connections) = state.origins.get_mut(key) {
            if let Some((http2, seat)) = connections.shared.take_if(|(http2, _)| http2.is_alive()) {
                connections.shared = Some((http2.clone(), seat.clone()));
                return Ok(Turn::Shared(http2, seat));
            }
            while let Some(free) =
                if fifo { connections.free.pop_front() } else { connections.free.pop_back() }
            {
                let Free { mut connection, until } = free;
                if until > now && connection.http1.is_alive() {
                    connection.seat.parked = false;
                    connections.busy += 1;
                    return Ok(Turn::Connection(connection));
                }
                dead.free.push(connection);
            }
        }
        // Those that wait come first; the dead make room only when they go.
        let ahead = state.queue.iter().any(|waiting| waiting.key == *key && !waiting.turn.is_closed());
        if !ahead && state.has_room(key, dead.free.len()) {
            return Ok(self.0.seat(&mut state, key));
        }
        let (turn, receiver) = oneshot::channel();
        state.queue.push_back(Waiting { key: key.clone(), turn });
        self.0.make_room(&mut state, dead);
        Err(receiver)
    }

    /// Takes a connection back whose exchange is over, if it can be used again:
    /// for the next that waits, or to be kept. `hint` is for how many seconds
    /// the server says that it keeps it.
    pub fn put(&self, connection: Box<Connection>, hint: Option<u64>) {
        let rest = self.0.put(connection, hint);
        // After the lock.
        drop(rest);
    }

    /// Has others share a connection of HTTP/2.
    pub fn share(&self, http2: Http2, seat: Arc<Seat>) {
        let mut state = self.0.state.lock();
        let mut old = None;
        if !seat.life.is_cancelled() && state.options.keep_alive {
            let connections = state.origins.entry(seat.key.clone()).or_default();
            old = connections.shared.replace((http2, seat));
        }
        drop(state);
        drop(old);
    }

    /// Has others not share the connection any more that they would get.
    pub fn unshare(&self, key: &Key) {
        let old = self.0.state.lock().origins.get_mut(key).and_then(|connections| connections.shared.take());
        // After the lock.
        drop(old);
    }

    /// What it has.
    pub fn stats(&self) -> Vec<OriginStats> {
        self.sweep();
        let state = self.0.state.lock();
        let mut stats: Vec<OriginStats> = Vec::new();
        let mut add = |key: &Key, sockets: u32, free_sockets: u32, requests: u32| {
            if sockets + free_sockets + requests == 0 {
                return;
            }
            let name = key.origin.name();
            match stats.iter_mut().find(|known| known.name == name) {
                Some(known) => {
                    known.sockets += sockets;
                    known.free_sockets += free_sockets;
                    known.requests += requests;
                }
                None => stats.push(OriginStats { name, sockets, free_sockets, requests }),
            }
        };
        for (key, connections) in &state.origins {
            let idle = connections.shared.as_ref().is_some_and(|(http2, _)| http2.is_idle());
            let free = connections.free.len() as u32 + u32::from(idle);
            add(key, connections.busy - u32::from(idle), free, 0);
        }
        for waiting in state.queue.iter().filter(|waiting| !waiting.turn.is_closed()) {
            add(&waiting.key, 0, 0, 1);
        }
        stats.sort_by(|one, other| one.name.cmp(&other.name));
        stats
    }

    /// Closes free connections that are too old or that the server has closed.
    /// Returns whether it has none left at all.
    pub fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut dead = Vec::new();
        let mut shared = Vec::new();
        let mut state = self.0.state.lock();
        let idle_max = state.options.free_socket_timeout.unwrap_or(Duration::MAX);
        let idle_max = idle_max.min(self.0.means.free_socket_timeout());
        state.queue.retain(|waiting| !waiting.turn.is_closed());
        for connections in state.origins.values_mut() {
            let free = std::mem::take(&mut connections.free);
            for mut free in free {
                if free.until > now && free.connection.http1.is_alive() {
                    connections.free.push_back(free);
                } else {
                    dead.push(free.connection);
                }
            }
            let stale = |(http2, _): &mut (Http2, _)| !http2.is_alive() || http2.idle_for() > idle_max;
            shared.extend(connections.shared.take_if(stale));
        }
        drop(state);
        drop((dead, shared));
        let mut state = self.0.state.lock();
        state.origins.retain(|_, connections| connections.is_in_use());
        state.origins.is_empty() && state.queue.is_empty()
    }

    /// Closes the free connection that has waited longest, if there is one.
    pub fn give_up_one(&self) -> bool {
        let mut dead = Dead::default();
        self.0.give_up_one(&mut self.0.state.lock(), &mut dead);
        !dead.is_empty()
    }

    /// Whether others than the caller have this agent.
    pub fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Closes its free connections: nobody has it any more, or only to finish
    /// what is under way.
    pub fn close_free(&self) {
        self.clear(|_| {});
    }

    /// Closes its connections, those in use as well; requests that wait end,
    /// too. It can be used on (Node: `agent.destroy`).
    pub fn destroy(&self) {
        self.clear(|state| {
            std::mem::take(&mut state.life).cancel();
            state.queue.clear();
        });
    }

    fn clear(&self, also: impl FnOnce(&mut State)) {
        let mut state = self.0.state.lock();
        let mut free = Vec::new();
        let mut shared = Vec::new();
        for connections in state.origins.values_mut() {
            free.extend(connections.free.drain(..));
            shared.extend(connections.shared.take());
        }
        also(&mut state);
        drop(state);
        drop((free, shared));
    }
}

impl Inner {
    /// A seat, of which there is one left in the agent.
    fn seat(self: &Arc<Self>, state: &mut State, key: &Key) -> Turn {
        let share = match self.means.share() {
            Ok(share) => share,
            Err(limit) => return Turn::Full(limit),
        };
        state.total += 1;
        state.origins.entry(key.clone()).or_default().busy += 1;
        Turn::Seat(Seat {
            agent: Arc::downgrade(self),
            key: key.clone(),
            life: state.life.clone(),
            parked: false,
            _share: share,
        })
    }

    /// Returns what is to be dropped.
    fn put(self: &Arc<Self>, mut connection: Box<Connection>, hint: Option<u64>) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let key = connection.seat.key.clone();
        // That costs a system call: one that becomes free is looked at when it
        // is taken, and only then.
        let is_awaited = state.queue.iter().any(|waiting| waiting.key == key);
        if connection.seat.life.is_cancelled() || (is_awaited && !connection.http1.is_alive()) {
            return Some(connection);
        }
        while let Some(at) = state.queue.iter().position(|waiting| waiting.key == key) {
            let Some(waiting) = state.queue.remove(at) else { break };
            match waiting.turn.send(Turn::Connection(connection)) {
                Ok(()) => return None,
                Err(Turn::Connection(back)) => connection = back,
                Err(_) => return None,
            }
        }
        let idle_max = self.means.free_socket_timeout();
        let own = state.options.free_socket_timeout.unwrap_or(idle_max).min(idle_max);
        let told = hint.map(|seconds| Duration::from_secs(seconds).saturating_sub(HINT_BUFFER));
        let keep_for = told.map_or(own, |told| told.min(own));
        let connections = state.origins.entry(key).or_default();
        let has_room = (connections.free.len() as u64) < u64::from(state.options.max_free_sockets);
        // Whoever waits for another origin needs its seat more.
        if !state.options.keep_alive || keep_for.is_zero() || !has_room || !state.queue.is_empty() {
            return Some(connection);
        }
        connections.busy -= 1;
        connection.seat.parked = true;
        connections.free.push_back(Free { connection, until: Instant::now() + keep_for });
        None
    }

    /// Gives seats to those who wait, in order.
    fn serve(self: &Arc<Self>, state: &mut State) {
        let mut at = 0;
        while let Some(waiting) = state.queue.get(at) {
            let gone = waiting.turn.is_closed();
            if !gone && !state.has_room(&waiting.key, 0) {
                at += 1;
                continue;
            }
            let Some(Waiting { key, turn }) = state.queue.remove(at) else { return };
            if gone {
                continue;
            }
            let seat = self.seat(state, &key);
            // One that is gone by now gives it back, which takes the lock.
            if let Err(Turn::Seat(seat)) = turn.send(seat) {
                seat.forget_in(state);
            }
        }
    }

    /// Closes a free connection of another origin if only the sum of all keeps
    /// the next in line from a seat.
    fn make_room(&self, state: &mut State, dead: &mut Dead) {
        let total_max = state.options.max_total_sockets.unwrap_or(u32::MAX);
        if state.total >= total_max && dead.is_empty() {
            self.give_up_one(state, dead);
        }
    }

    fn give_up_one(&self, state: &mut State, dead: &mut Dead) {
        let oldest = state.origins.values_mut().filter(|connections| !connections.free.is_empty());
        let oldest = oldest.min_by_key(|connections| connections.free.front().map(|free| free.until));
        if let Some(free) = oldest.and_then(|connections| connections.free.pop_front()) {
            return dead.free.push(free.connection);
        }
        let mut shared = state.origins.values_mut().map(|connections| &mut connections.shared);
        dead.shared = shared.find_map(|shared| shared.take_if(|(http2, _)| http2.is_idle()));
    }
}

impl State {
    /// Whether one connection more may go there, as soon as `leaving` free ones
    /// are gone.
    fn has_room(&self, key: &Key, leaving: usize) -> bool {
        let busy = self.origins.get(key).map_or(0, |connections| connections.busy);
        let leaving = u32::try_from(leaving).unwrap_or(u32::MAX);
        busy < self.options.max_sockets.unwrap_or(u32::MAX)
            && self.total.saturating_sub(leaving) < self.options.max_total_sockets.unwrap_or(u32::MAX)
    }
}

impl Dead {
    fn is_empty(&self) -> bool {
        self.free.is_empty() && self.shared.is_none()
    }
}

impl Connections {
    fn is_in_use(&self) -> bool {
        self.busy > 0 || !self.free.is_empty() || self.shared.is_some()
    }
}

impl Seat {
    /// The right to have a connection that no agent has, if the means allow it.
    pub fn alone(means: &Means, key: &Key) -> Turn {
        match means.share() {
            Ok(share) => Turn::Seat(Seat {
                agent: Weak::new(),
                key: key.clone(),
                life: CancellationToken::new(),
                parked: false,
                _share: share,
            }),
            Err(limit) => Turn::Full(limit),
        }
    }

    /// Cancelled when the agent is destroyed.
    pub fn life(&self) -> &CancellationToken {
        &self.life
    }

    /// Goes, in a state that is locked.
    fn forget_in(mut self, state: &mut State) {
        self.agent = Weak::new();
        self.leave(state);
    }

    fn leave(&self, state: &mut State) {
        state.total = state.total.saturating_sub(1);
        if let Some(connections) = state.origins.get_mut(&self.key).filter(|_| !self.parked) {
            connections.busy = connections.busy.saturating_sub(1);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(agent) = self.agent.upgrade() else { return };
        let mut state = agent.state.lock();
        self.leave(&mut state);
        agent.serve(&mut state);
    }
}

#[cfg(test)]
mod tests;
