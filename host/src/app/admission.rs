//! Admission: the permit to run one exchange, held until its last byte is
//! sent.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Fault;

/// How many exchanges may be in flight.
#[derive(Debug)]
pub struct Admission {
    exchanges: Places,
    tunnels: Places,
}

#[derive(Debug)]
struct Places {
    permits: Arc<Semaphore>,
    max: u32,
}

/// The right to one instance. Dropping it lets another exchange in.
#[derive(Debug)]
pub struct Permit {
    _exchange: OwnedSemaphorePermit,
    _tunnel: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Admits `max` at a time, and of these `tunnels_max` that may take their
    /// connection over.
    pub fn new(max: u32, tunnels_max: u32) -> Self {
        Admission { exchanges: Places::new(max), tunnels: Places::new(tunnels_max) }
    }

    /// Admits one more exchange; one that may become a `tunnel` needs a place
    /// among those, too.
    ///
    /// # Errors
    /// `Overloaded` or `TunnelsFull` if there are as many as may be.
    pub fn admit(&self, tunnel: bool) -> Result<Permit, Fault> {
        let exchange = self.exchanges.take().ok_or(Fault::Overloaded(self.exchanges.max))?;
        let tunnel = if tunnel {
            Some(self.tunnels.take().ok_or(Fault::TunnelsFull(self.tunnels.max))?)
        } else {
            None
        };
        Ok(Permit { _exchange: exchange, _tunnel: tunnel })
    }
}

impl Places {
    fn new(max: u32) -> Self {
        Places { permits: Arc::new(Semaphore::new(max as usize)), max }
    }

    fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }
}
