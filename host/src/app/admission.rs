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
    tunnel: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Admits `max` at a time, and of these `tunnels_max` that take their
    /// connection over.
    pub fn new(max: u32, tunnels_max: u32) -> Self {
        Admission { exchanges: Places::new(max), tunnels: Places::new(tunnels_max) }
    }

    /// Admits one more exchange.
    ///
    /// # Errors
    /// `Overloaded` if there are as many as may be.
    pub fn admit(&self) -> Result<Permit, Fault> {
        let exchange = self.exchanges.take().ok_or(Fault::Overloaded(self.exchanges.max))?;
        Ok(Permit { _exchange: exchange, tunnel: None })
    }

    /// Lets an exchange take its connection over.
    ///
    /// # Errors
    /// `TunnelsFull` if as many have as may.
    pub fn admit_tunnel(&self, permit: &mut Permit) -> Result<(), Fault> {
        permit.tunnel = Some(self.tunnels.take().ok_or(Fault::TunnelsFull(self.tunnels.max))?);
        Ok(())
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
