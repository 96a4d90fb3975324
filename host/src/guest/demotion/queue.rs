//! Whose turn it is among demoted calls. Of the tenants that have a call to run
//! and CPU time for it, the one has its turn that has used least; among its
//! calls, the one that has waited longest. A tenant that was away begins with
//! as much as the one that has used least then: nothing is saved up.
//!
//! The calls of a tenant in debt are *held*: each is polled with its guest held
//! back, so that what watches over it (the client, deadlines, the drain) wakes
//! it, and left aside until the debt is over. So is a call that was dropped:
//! its poll is what releases it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use async_task::Runnable;
use parking_lot::{Condvar, Mutex};

use crate::guest::budget::Budget;
use crate::guest::engine::TICK;

/// The longest time between two looks at a tenant's debt, since its quota may
/// be changed meanwhile.
const DEBT_LOOK: Duration = Duration::from_millis(100);

/// A demoted call that is to be polled.
pub type Call = Runnable<Arc<Place>>;

/// The queue, shared by those who bring calls and the threads that run them.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

/// What the queue knows of a call that is not in it at the moment.
#[derive(Default)]
pub struct Place {
    /// Its number among its tenant's held calls; 0 if it is none of them.
    held: AtomicU64,
    /// Whether the call is gone.
    gone: AtomicBool,
}

/// What a thread is to do next.
pub enum Turn {
    /// Run a call, and [`Queue::settle`] that; with its guest held back if it
    /// says so.
    Run {
        /// Its tenant.
        seat: u64,
        /// The call.
        call: Call,
        /// Whether its tenant is in debt.
        hold: bool,
    },
    /// Wake a call that was held.
    Wake(Waker),
}

/// What has become of a turn.
pub struct Done {
    /// The tenant.
    pub seat: u64,
    /// CPU time that it took.
    pub ran: Duration,
    /// The call's place.
    pub place: Arc<Place>,
    /// What wakes the call, if its guest was to be held back.
    pub waker: Option<Waker>,
    /// Whether the guest would have run.
    pub held_back: bool,
}

#[derive(Default)]
struct State {
    tenants: HashMap<u64, Tenant>,
    /// The latest number given to a tenant or to a held call.
    latest: u64,
    /// Tenants with calls to run or to wake, by what they have used.
    turns: BTreeSet<(u64, u64)>,
    /// Tenants in debt all of whose calls are held, by when to look again.
    in_debt: BTreeSet<(Instant, u64)>,
    /// What the last tenant to have its turn had used: the least there is.
    least: u64,
    waiting: usize,
    running: usize,
    closed: bool,
}

struct Tenant {
    budget: Arc<Budget>,
    /// Nanoseconds of CPU time used here, and what it was given for its time
    /// away.
    used: u64,
    running: usize,
    ready: VecDeque<Call>,
    held: BTreeMap<u64, (Waker, Arc<Place>)>,
    listed: Listed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    Nowhere,
    InTurns,
    InDebt(Instant),
}

impl Queue {
    /// A place for a tenant with this budget.
    pub fn join(&self, budget: Arc<Budget>) -> u64 {
        let state = &mut *self.state.lock();
        state.latest += 1;
        let tenant = Tenant {
            budget,
            used: state.least,
            running: 0,
            ready: VecDeque::new(),
            held: BTreeMap::new(),
            listed: Listed::Nowhere,
        };
        state.tenants.insert(state.latest, tenant);
        state.latest
    }

    /// Gives a tenant's place up. It has no calls any more.
    pub fn leave(&self, seat: u64) {
        let state = &mut *self.state.lock();
        state.list(seat, Listed::Nowhere);
        state.tenants.remove(&seat);
    }

    /// Lines a call up. If it `yielded`, its thread is about to look here
    /// itself; otherwise one that waits is told.
    pub fn push(&self, seat: u64, call: Call, yielded: bool) {
        {
            let state = &mut *self.state.lock();
            let Some(tenant) = state.tenants.get_mut(&seat) else { return };
            tenant.ready.push_back(call);
            state.waiting += 1;
            state.line_up(seat);
        }
        if !yielded {
            self.changed.notify_one();
        }
    }

    /// Waits for something to do; none when the queue is closed.
    pub fn next(&self) -> Option<Turn> {
        let mut state = self.state.lock();
        loop {
            if let Some(turn) = state.turn(Instant::now()) {
                return Some(turn);
            }
            if state.closed {
                return None;
            }
            match state.in_debt.first() {
                Some(&(until, _)) => {
                    self.changed.wait_until(&mut state, until);
                }
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Charges a tenant for a turn, and holds the call if its guest was held
    /// back.
    pub fn settle(&self, done: Done) {
        // Dropped without the lock: it may be the last that is left of a call,
        // and of a tenant.
        let _released = self.state.lock().settle(done);
    }

    /// Calls that could run now.
    pub fn waiting(&self) -> usize {
        self.state.lock().waiting
    }

    /// Calls that run now.
    pub fn running(&self) -> usize {
        self.state.lock().running
    }

    /// Calls that are held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.state.lock().tenants.values().map(|tenant| tenant.held.len()).sum()
    }

    /// Lets the threads end. There are no tenants any more.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Place {
    /// Tells that the call is gone.
    pub fn give_up(&self) {
        self.gone.store(true, Ordering::Release);
    }

    fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed) != 0
    }
}

impl State {
    fn turn(&mut self, now: Instant) -> Option<Turn> {
        while let Some(&(until, seat)) = self.in_debt.first()
            && until <= now
        {
            self.line_up(seat);
        }
        while let Some(&(used, seat)) = self.turns.first() {
            let tenant = self.tenants.get_mut(&seat)?;
            let debt = tenant.budget.debt();
            if let Some(call) = tenant.ready.pop_front() {
                tenant.running += 1;
                if debt.is_none() {
                    tenant.release(call.metadata());
                }
                self.waiting -= 1;
                self.running += 1;
                self.least = self.least.max(used);
                self.line_up(seat);
                return Some(Turn::Run { seat, call, hold: debt.is_some() });
            }
            if let Some(debt) = debt {
                self.list(seat, Listed::InDebt(now + debt.clamp(TICK, DEBT_LOOK)));
            } else if let Some((_, (waker, place))) = tenant.held.pop_first() {
                place.held.store(0, Ordering::Relaxed);
                self.line_up(seat);
                return Some(Turn::Wake(waker));
            } else {
                self.list(seat, Listed::Nowhere);
            }
        }
        None
    }

    fn settle(&mut self, done: Done) -> Option<(Waker, Arc<Place>)> {
        let Done { seat, ran, place, waker, held_back } = done;
        self.running -= 1;
        self.latest += 1;
        let number = self.latest;
        // It may have had this one call, and be gone with it.
        let tenant = self.tenants.get_mut(&seat)?;
        tenant.running -= 1;
        let mut released = None;
        if place.gone.load(Ordering::Acquire) {
            released = tenant.release(&place);
        } else if let Some(waker) = waker.filter(|_| held_back && !place.is_held()) {
            place.held.store(number, Ordering::Relaxed);
            tenant.held.insert(number, (waker, place));
        }
        let listed = tenant.listed;
        if listed == Listed::InTurns {
            self.list(seat, Listed::Nowhere);
        }
        if let Some(tenant) = self.tenants.get_mut(&seat) {
            tenant.used = tenant.used.saturating_add(u64::try_from(ran.as_nanos()).unwrap_or(u64::MAX));
        }
        match listed {
            Listed::InTurns => self.list(seat, Listed::InTurns),
            Listed::Nowhere => self.line_up(seat),
            Listed::InDebt(_) => {}
        }
        released
    }

    /// Puts a tenant among those who have turns, if it has a use for one.
    fn line_up(&mut self, seat: u64) {
        let Some(tenant) = self.tenants.get_mut(&seat) else { return };
        if tenant.ready.is_empty() && tenant.held.is_empty() {
            return self.list(seat, Listed::Nowhere);
        }
        let was_away = match tenant.listed {
            Listed::InTurns => return,
            Listed::InDebt(_) => true,
            Listed::Nowhere => tenant.running == 0,
        };
        if was_away {
            tenant.used = tenant.used.max(self.least);
        }
        self.list(seat, Listed::InTurns);
    }

    fn list(&mut self, seat: u64, listed: Listed) {
        let Some(tenant) = self.tenants.get_mut(&seat) else { return };
        match tenant.listed {
            Listed::Nowhere => {}
            Listed::InTurns => _ = self.turns.remove(&(tenant.used, seat)),
            Listed::InDebt(until) => _ = self.in_debt.remove(&(until, seat)),
        }
        match listed {
            Listed::Nowhere => {}
            Listed::InTurns => _ = self.turns.insert((tenant.used, seat)),
            Listed::InDebt(until) => _ = self.in_debt.insert((until, seat)),
        }
        tenant.listed = listed;
    }
}

impl Tenant {
    /// Takes a call out of those that are held, if it is one.
    fn release(&mut self, place: &Place) -> Option<(Waker, Arc<Place>)> {
        self.held.remove(&place.held.swap(0, Ordering::Relaxed))
    }
}
