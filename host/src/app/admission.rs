//! Admission: the permit to run one exchange, held until its last byte is
//! sent. Each tenant has a lane: so many exchanges in flight, so many that
//! wait. Where the host itself is full, the place that becomes free goes to the
//! waiting tenant that has the fewest exchanges in flight.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::timeout;

use crate::config::Quotas;
use crate::error::Fault;

/// All lanes of a host, and its places.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    places: Places,
    tunnels: Places,
    lanes: Vec<LaneState>,
    /// Lanes in which somebody waits, in no order.
    waiting: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Places {
    taken: u32,
    max: u32,
}

#[derive(Debug)]
struct LaneState {
    places: Places,
    queue: VecDeque<Sender<()>>,
    /// Of these, those that still wait.
    queued: u32,
    queue_max: u32,
    wait_max: Duration,
    /// Whether the tenant is gone, so that its place here can be another's.
    closed: bool,
}

/// A tenant's way in. Dropping it closes the lane.
#[derive(Debug)]
pub struct Lane {
    gate: Arc<Gate>,
    index: usize,
}

/// The right to one instance. Dropping it lets another exchange in.
#[derive(Debug)]
pub struct Permit {
    gate: Arc<Gate>,
    lane: usize,
    tunnel: bool,
}

/// A place in a queue. Dropping it leaves the queue.
struct Waiting {
    gate: Arc<Gate>,
    lane: usize,
    turn: Receiver<()>,
    over: bool,
}

/// How full a lane is, for whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Exchanges in flight.
    pub in_flight: u32,
    /// How many there may be.
    pub max: u32,
    /// Exchanges that wait.
    pub queued: u32,
}

impl Gate {
    /// A host with so many places, and of these so many for exchanges that
    /// take their connection over.
    pub fn new(max: u32, tunnels_max: u32) -> Arc<Self> {
        Arc::new(Gate {
            state: Mutex::new(State {
                places: Places { taken: 0, max },
                tunnels: Places { taken: 0, max: tunnels_max },
                lanes: Vec::new(),
                waiting: Vec::new(),
            }),
        })
    }

    /// Opens a lane.
    pub fn lane(self: &Arc<Self>, quotas: &Quotas) -> Lane {
        let state = &mut *self.state.lock();
        let lane = LaneState::new(quotas);
        // A closed lane is free once its last exchange is over.
        let index = match state.lanes.iter_mut().enumerate().find(|(_, lane)| lane.is_free()) {
            Some((index, free)) => {
                *free = lane;
                index
            }
            None => {
                state.lanes.push(lane);
                state.lanes.len() - 1
            }
        };
        Lane { gate: self.clone(), index }
    }

    /// How full the host is: exchanges, and tunnels among them.
    pub fn occupancy(&self) -> (Occupancy, Occupancy) {
        let state = self.state.lock();
        let queued = state.lanes.iter().map(|lane| lane.queued).sum();
        let of = |places: Places, queued| Occupancy { in_flight: places.taken, max: places.max, queued };
        (of(state.places, queued), of(state.tunnels, 0))
    }
}

impl Lane {
    /// Admits one more exchange, at once or when its turn comes. Dropping the
    /// future leaves the queue.
    ///
    /// # Errors
    /// `QueueFull` where too many wait already, `QueueTimeout` where the wait
    /// was too long.
    pub async fn admit(&self) -> Result<Permit, Fault> {
        let (waiting, wait_max) = {
            let state = &mut *self.gate.state.lock();
            if state.enter(self.index) {
                return Ok(self.permit());
            }
            let host_full = state.places.is_full();
            let Some(lane) = state.lanes.get_mut(self.index) else { return Err(Fault::NoVersion) };
            if lane.queued >= lane.queue_max || lane.wait_max.is_zero() {
                let in_flight = if host_full { state.places.taken } else { lane.places.taken };
                return Err(Fault::Overloaded { host: host_full, in_flight });
            }
            let wait_max = lane.wait_max;
            (
                Waiting {
                    gate: self.gate.clone(),
                    lane: self.index,
                    turn: state.queue(self.index),
                    over: false,
                },
                wait_max,
            )
        };
        match timeout(wait_max, waiting.turn()).await {
            Ok(permit) => Ok(permit),
            Err(_) => Err(Fault::QueueTimeout(wait_max)),
        }
    }

    /// Admits one more exchange at once or not at all.
    pub fn try_admit(&self) -> Option<Permit> {
        self.gate.state.lock().enter(self.index).then(|| self.permit())
    }

    /// Takes over quotas that have changed. Who is in stays in.
    pub fn set(&self, quotas: &Quotas) {
        let state = &mut *self.gate.state.lock();
        if let Some(lane) = state.lanes.get_mut(self.index) {
            lane.configure(quotas);
        }
        state.call_in();
    }

    /// How full it is.
    pub fn occupancy(&self) -> Occupancy {
        let state = self.gate.state.lock();
        let lane = state.lanes.get(self.index);
        lane.map_or(Occupancy { in_flight: 0, max: 0, queued: 0 }, |lane| Occupancy {
            in_flight: lane.places.taken,
            max: lane.places.max,
            queued: lane.queued,
        })
    }

    fn permit(&self) -> Permit {
        Permit { gate: self.gate.clone(), lane: self.index, tunnel: false }
    }
}

impl Permit {
    /// Lets the exchange take its connection over.
    ///
    /// # Errors
    /// `TunnelsFull` if as many have as may.
    pub fn admit_tunnel(&mut self) -> Result<(), Fault> {
        let state = &mut *self.gate.state.lock();
        if state.tunnels.is_full() {
            return Err(Fault::TunnelsFull(state.tunnels.max));
        }
        state.tunnels.taken += 1;
        self.tunnel = true;
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let state = &mut *self.gate.state.lock();
        if self.tunnel {
            state.tunnels.taken -= 1;
        }
        state.leave(self.lane);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(lane) = self.gate.state.lock().lanes.get_mut(self.index) {
            lane.closed = true;
        }
    }
}

impl Waiting {
    async fn turn(mut self) -> Permit {
        // The sender stays in the queue for as long as this waits.
        let _ = (&mut self.turn).await;
        self.over = true;
        Permit { gate: self.gate.clone(), lane: self.lane, tunnel: false }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let state = &mut *self.gate.state.lock();
        self.turn.close();
        if self.turn.try_recv().is_ok() {
            // Its turn came in the same moment.
            return state.leave(self.lane);
        }
        if let Some(lane) = state.lanes.get_mut(self.lane) {
            lane.queued -= 1;
            // Those that left are skipped when their turn comes; a queue that
            // consists of them for the most part is tidied up.
            if lane.queue.len() > 2 * lane.queued as usize + 16 {
                lane.queue.retain(|turn| !turn.is_closed());
            }
        }
    }
}

impl State {
    /// Takes a place, if nobody waits for it.
    fn enter(&mut self, index: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(index) else { return false };
        if self.places.is_full() || lane.places.is_full() || lane.queued > 0 {
            return false;
        }
        lane.places.taken += 1;
        self.places.taken += 1;
        true
    }

    fn leave(&mut self, index: usize) {
        self.places.taken -= 1;
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.places.taken -= 1;
        }
        self.call_in();
    }

    fn queue(&mut self, index: usize) -> Receiver<()> {
        let (sender, turn) = oneshot::channel();
        if let Some(lane) = self.lanes.get_mut(index) {
            lane.queue.push_back(sender);
            lane.queued += 1;
            if !self.waiting.contains(&index) {
                self.waiting.push(index);
            }
        }
        turn
    }

    /// Gives places that are free to those that wait.
    fn call_in(&mut self) {
        while !self.places.is_full() {
            self.waiting.retain(|index| self.lanes.get(*index).is_some_and(|lane| lane.queued > 0));
            let lanes = &self.lanes;
            let room = |index: &&usize| lanes.get(**index).is_some_and(|lane| !lane.places.is_full());
            let least = |index: &&usize| lanes.get(**index).map_or(u32::MAX, |lane| lane.places.taken);
            let Some(&index) = self.waiting.iter().filter(room).min_by_key(least) else { return };
            let Some(lane) = self.lanes.get_mut(index) else { return };
            let Some(turn) = lane.queue.pop_front() else {
                lane.queued = 0;
                continue;
            };
            if turn.send(()).is_ok() {
                lane.queued -= 1;
                lane.places.taken += 1;
                self.places.taken += 1;
            }
        }
    }
}

impl Places {
    fn is_full(self) -> bool {
        self.taken >= self.max
    }
}

impl LaneState {
    fn new(quotas: &Quotas) -> Self {
        let mut lane = LaneState {
            places: Places { taken: 0, max: 0 },
            queue: VecDeque::new(),
            queued: 0,
            queue_max: 0,
            wait_max: Duration::ZERO,
            closed: false,
        };
        lane.configure(quotas);
        lane
    }

    fn configure(&mut self, quotas: &Quotas) {
        self.places.max = quotas.exchanges_max;
        self.queue_max = quotas.queue_max;
        self.wait_max = quotas.queue_wait_max;
    }

    fn is_free(&self) -> bool {
        self.closed && self.places.taken == 0 && self.queued == 0
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::config::Limits;

    fn quotas(exchanges_max: u32, queue_max: u32) -> Quotas {
        let queue_wait_max = Duration::from_secs(60);
        Quotas { exchanges_max, queue_max, queue_wait_max, ..Quotas::within(&Limits::default()) }
    }

    /// Asks once.
    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_tenant_that_is_full_waits_and_leaves_the_others_alone() {
        let gate = Gate::new(10, 1);
        let (one, other) = (gate.lane(&quotas(1, 1)), gate.lane(&quotas(1, 1)));
        let first = one.admit().await.unwrap();
        assert!(other.try_admit().is_some());
        let mut second = pin!(one.admit());
        assert!(poll(second.as_mut()).is_pending());
        assert!(matches!(one.admit().await, Err(Fault::Overloaded { host: false, in_flight: 1 })));
        drop(first);
        assert!(second.await.is_ok());
        assert_eq!(one.occupancy().in_flight, 0);
    }

    #[tokio::test]
    async fn a_wait_has_an_end() {
        let gate = Gate::new(1, 1);
        let lane = gate.lane(&Quotas { queue_wait_max: Duration::from_millis(1), ..quotas(1, 1) });
        let _first = lane.admit().await.unwrap();
        assert!(matches!(lane.admit().await, Err(Fault::QueueTimeout(_))));
        assert_eq!(lane.occupancy().queued, 0);
    }

    #[tokio::test]
    async fn a_full_host_serves_the_tenant_with_the_least_first() {
        let gate = Gate::new(3, 1);
        let (greedy, modest) = (gate.lane(&quotas(3, 9)), gate.lane(&quotas(3, 9)));
        let mut held: Vec<_> = (0..3).map(|_| greedy.try_admit().unwrap()).collect();
        let (mut more, mut wanted) = (pin!(greedy.admit()), pin!(modest.admit()));
        // Both wait, the greedy one for longer.
        assert!(poll(more.as_mut()).is_pending());
        assert!(poll(wanted.as_mut()).is_pending());
        held.pop();
        assert!(poll(more.as_mut()).is_pending());
        assert!(wanted.await.is_ok());
    }

    #[tokio::test]
    async fn who_leaves_the_queue_loses_nobody_a_place() {
        let gate = Gate::new(1, 1);
        let lane = gate.lane(&quotas(1, 100));
        let held = lane.admit().await.unwrap();
        for _ in 0..50 {
            let mut leaving = Box::pin(lane.admit());
            assert!(poll(leaving.as_mut()).is_pending());
        }
        assert_eq!(lane.occupancy().queued, 0);
        let mut last = pin!(lane.admit());
        assert!(poll(last.as_mut()).is_pending());
        drop(held);
        assert!(last.await.is_ok());
        assert_eq!(gate.occupancy().0.in_flight, 0);
    }

    #[tokio::test]
    async fn a_turn_that_comes_as_its_waiter_leaves_is_passed_on() {
        let gate = Gate::new(1, 1);
        let lane = gate.lane(&quotas(1, 100));
        let held = lane.admit().await.unwrap();
        let mut leaving = Box::pin(lane.admit());
        assert!(poll(leaving.as_mut()).is_pending());
        drop(held);
        drop(leaving);
        assert_eq!(gate.occupancy().0.in_flight, 0);
        assert!(lane.try_admit().is_some());
    }

    #[test]
    fn tunnels_have_places_of_their_own() {
        let gate = Gate::new(10, 1);
        let lane = gate.lane(&quotas(5, 1));
        let (mut one, mut other) = (lane.try_admit().unwrap(), lane.try_admit().unwrap());
        assert!(one.admit_tunnel().is_ok());
        assert!(matches!(other.admit_tunnel(), Err(Fault::TunnelsFull(1))));
        drop(one);
        assert!(other.admit_tunnel().is_ok());
    }

    #[test]
    fn more_places_let_those_in_that_wait_and_a_closed_lane_is_used_again() {
        let gate = Gate::new(10, 1);
        let lane = gate.lane(&quotas(0, 5));
        assert!(lane.try_admit().is_none());
        lane.set(&quotas(1, 5));
        let permit = lane.try_admit().unwrap();
        drop(lane);
        let next = gate.lane(&quotas(1, 1));
        assert!(next.try_admit().is_some(), "the closed lane still has an exchange");
        drop(permit);
        assert_eq!(gate.lane(&quotas(1, 1)).index, 0);
    }
}
