//! Pooled instances between two requests. They hold places in the sandbox's
//! pool and memory of their tenants, so that where either runs out, one that
//! only waits is given up for one that is needed.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::guest::instance::Instance;
use crate::wire::ledger::Ledger;

/// The idle instances of all apps.
#[derive(Clone, Default)]
pub struct IdleLists {
    lists: Arc<Mutex<Vec<Weak<IdleList>>>>,
}

/// The idle instances of one version of an app.
pub struct IdleList {
    /// Whose memory they hold.
    memory: Arc<Ledger>,
    instances: Mutex<Vec<Instance>>,
}

impl IdleLists {
    /// A list for instances that hold `memory`.
    pub fn open(&self, memory: Arc<Ledger>) -> Arc<IdleList> {
        let list = Arc::new(IdleList { memory, instances: Mutex::default() });
        let mut lists = self.lists.lock();
        lists.retain(|list| list.strong_count() > 0);
        lists.push(Arc::downgrade(&list));
        list
    }

    /// Instances in all lists.
    pub fn count(&self) -> usize {
        self.live().iter().map(|list| list.count()).sum()
    }

    /// Gives up one instance of whoever has the most; returns whether there
    /// was one.
    pub fn give_up_one(&self) -> bool {
        give_up_one(&self.live())
    }

    /// The same, of those that hold this memory.
    pub fn give_up_one_of(&self, memory: &Arc<Ledger>) -> bool {
        let mut lists = self.live();
        lists.retain(|list| Arc::ptr_eq(&list.memory, memory));
        give_up_one(&lists)
    }

    fn live(&self) -> Vec<Arc<IdleList>> {
        self.lists.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

fn give_up_one(lists: &[Arc<IdleList>]) -> bool {
    let Some(longest) = lists.iter().max_by_key(|list| list.count()) else { return false };
    // Dropped outside of the lock: that takes a while.
    let instance = longest.take();
    instance.is_some()
}

impl IdleList {
    /// The instance that became idle last, and is the warmest.
    pub fn take(&self) -> Option<Instance> {
        self.instances.lock().pop()
    }

    /// Keeps an instance for the next request.
    pub fn put(&self, instance: Instance) {
        self.instances.lock().push(instance);
    }

    /// Instances in the list.
    pub fn count(&self) -> usize {
        self.instances.lock().len()
    }
}
