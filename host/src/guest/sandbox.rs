//! The sandboxes of a host: one for components without concurrency, which is
//! the faster one, and one for WASI 0.3, made when the first such component is
//! loaded. Both have the same limits.

use std::path::Path;

use anyhow::Result;
use parking_lot::Mutex;

use crate::config::{Cache, Limits};
use crate::guest::component::{Guest, Linked};
use crate::guest::contract::{Contract, Surface};
use crate::guest::engine::{Engine, Kind};
use crate::guest::idle::IdleLists;

/// Compiles and links components. Clones of what it gives keep its engines
/// alive.
pub struct Sandbox {
    plain: Linked,
    concurrent: Mutex<Option<Linked>>,
    limits: Limits,
    cache: Cache,
    idle: IdleLists,
    development: bool,
}

impl Sandbox {
    /// Sets the sandbox up for components without concurrency. In development
    /// traps are told with the lines of the sources.
    ///
    /// # Errors
    /// A system without room for it, a cache directory that cannot be used.
    pub fn new(limits: &Limits, cache: &Cache, development: bool) -> Result<Self> {
        let idle = IdleLists::default();
        let engine = Engine::new(limits, cache, Kind { concurrency: false, development }, idle.clone())?;
        Ok(Sandbox {
            plain: Linked::new(engine)?,
            concurrent: Mutex::new(None),
            limits: limits.clone(),
            cache: cache.clone(),
            idle,
            development,
        })
    }

    /// Compiles and links a component; `path` is what it is called in errors.
    /// Blocks, for seconds if it was never compiled before.
    ///
    /// # Errors
    /// Bytes that are no component, a missing export, an import that the host
    /// does not have; each is named. A system without room for the second
    /// sandbox, if it is for that.
    pub fn load(&self, bytes: &[u8], path: &Path) -> Result<Guest> {
        let surface = Surface::read(bytes, path)?;
        if Contract::of(&surface) == Contract::WasiHttp03 || surface.wants_concurrency() {
            return Guest::load(&self.concurrent()?, &surface, bytes, path);
        }
        Guest::load(&self.plain, &surface, bytes, path)
    }

    /// Pooled instances that wait for a request, of all apps.
    pub fn idle_count(&self) -> usize {
        self.idle.count()
    }

    fn concurrent(&self) -> Result<Linked> {
        let mut made = self.concurrent.lock();
        if let Some(linked) = &*made {
            return Ok(linked.clone());
        }
        let kind = Kind { concurrency: true, development: self.development };
        let engine = Engine::new(&self.limits, &self.cache, kind, self.idle.clone())?;
        let linked = Linked::new(engine)?;
        Ok(made.insert(linked).clone())
    }
}
