//! Admission: the permit to run one exchange, held until its last byte is
//! sent.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Fault;

/// How many exchanges may be in flight.
#[derive(Debug)]
pub struct Admission {
    permits: Arc<Semaphore>,
    max: u32,
}

/// The right to one instance. Dropping it lets another exchange in.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// Admits `max` at a time.
    pub fn new(max: u32) -> Self {
        Admission { permits: Arc::new(Semaphore::new(max as usize)), max }
    }

    /// Admits one more exchange.
    ///
    /// # Errors
    /// `Overloaded` if there are as many as may be.
    pub fn admit(&self) -> Result<Permit, Fault> {
        let permit = self.permits.clone().try_acquire_owned();
        permit.map(|permit| Permit { _permit: permit }).map_err(|_| Fault::Overloaded(self.max))
    }
}
