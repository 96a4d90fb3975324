//! Who is connected right now, and with which exchange: for an operator who
//! looks, and who may cut one. Costs an exchange one uncontended lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::wire::exchange::Exchange;
use crate::wire::socket::Socket;

/// All connections of a server.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    next: AtomicU64,
    present: Mutex<BTreeMap<u64, Weak<Presence>>>,
}

/// A connection that is open. Its entry goes with it.
#[derive(Debug)]
pub struct Presence {
    id: u64,
    socket: Arc<Socket>,
    exchange: Mutex<Option<Exchange>>,
    roster: Roster,
}

impl Roster {
    /// Enters a connection.
    pub fn enter(&self, socket: Arc<Socket>) -> Arc<Presence> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed) + 1;
        let presence = Presence { id, socket, exchange: Mutex::new(None), roster: self.clone() };
        let presence = Arc::new(presence);
        self.shared.present.lock().insert(id, Arc::downgrade(&presence));
        presence
    }

    /// Those that are open, the oldest first, as far as `wanted`; no more than
    /// `max`.
    pub fn list(&self, max: usize, wanted: impl Fn(&Presence) -> bool) -> Vec<Arc<Presence>> {
        // Dropping the last reference locks the map again: not while it is.
        let all: Vec<_> = self.shared.present.lock().values().filter_map(Weak::upgrade).collect();
        all.into_iter().filter(|presence| wanted(presence)).take(max).collect()
    }

    /// The connection of this number.
    pub fn find(&self, id: u64) -> Option<Arc<Presence>> {
        self.shared.present.lock().get(&id).and_then(Weak::upgrade)
    }
}

impl Presence {
    /// A number of its own in this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its socket.
    pub fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// The exchange that is under way.
    pub fn exchange(&self) -> Option<Exchange> {
        self.exchange.lock().clone()
    }

    /// Notes which exchange is under way, if one is.
    pub fn set_exchange(&self, exchange: Option<Exchange>) {
        // What it replaces is dropped after the lock.
        let before = std::mem::replace(&mut *self.exchange.lock(), exchange);
        drop(before);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.roster.shared.present.lock().remove(&self.id);
    }
}
