//! What there is while a handler runs, beside its request and response: the
//! response that goes out whenever the handler waits, the servers that it may
//! call, its buckets and its configuration. One per thread, for the calls that
//! are given none of these.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use super::lock;
use super::response::Response;
use crate::testing::{Call, Reply};

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// The world of one exchange.
#[derive(Default)]
pub struct World {
    /// The response of the exchange.
    pub response: Option<Arc<Mutex<Response>>>,
    /// Servers, by origin.
    pub upstreams: Vec<(String, Upstream)>,
    /// Buckets that are granted, by name.
    #[cfg(feature = "keyvalue")]
    pub buckets: Vec<(String, super::keyvalue::Bucket)>,
    /// The configuration.
    #[cfg(feature = "config")]
    pub config: Vec<(String, String)>,
}

/// What answers in the place of a server.
pub type Upstream = Rc<RefCell<dyn FnMut(&Call) -> Reply>>;

/// Runs `work` in this world, and then leaves it for the one before: what
/// answers for a server may be another handler.
pub fn within<T>(world: World, work: impl FnOnce() -> T) -> T {
    struct Back(World);

    impl Drop for Back {
        fn drop(&mut self) {
            WORLD.set(std::mem::take(&mut self.0));
        }
    }

    let _back = Back(WORLD.replace(world));
    work()
}

/// The handler waits: what it has written goes out.
pub fn wait() {
    let response = WORLD.with_borrow(|world| world.response.clone());
    if let Some(response) = response {
        lock(&response).flush();
    }
}

/// The bucket of this name, if it is granted.
#[cfg(feature = "keyvalue")]
pub fn bucket(name: &str) -> Option<super::keyvalue::Bucket> {
    WORLD.with_borrow(|world| {
        let named = world.buckets.iter().rev().find(|(other, _)| other == name);
        named.map(|(_, bucket)| bucket.clone())
    })
}

/// The configuration.
#[cfg(feature = "config")]
pub fn config() -> Vec<(String, String)> {
    WORLD.with_borrow(|world| world.config.clone())
}

/// What answers for an origin.
pub fn upstream(origin: &str) -> Option<Upstream> {
    WORLD.with_borrow(|world| {
        let named = world.upstreams.iter().rev().find(|(name, _)| name == origin);
        named.map(|(_, upstream)| upstream.clone())
    })
}
