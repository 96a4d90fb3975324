//! An exchange whose app is known: the app's limits take the place of the
//! host's, and what is buffered counts as its tenant's memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::config::Limits;
use crate::wire::error::MessageError;
use crate::wire::exchange::{Exchange, State};
use crate::wire::http1::fields::FieldLimits;
use crate::wire::ledger::Charge;
use crate::wire::owner::Owner;

/// Bytes of an exchange that its tenant is not charged for, and the steps in
/// which it is charged for more: an ordinary exchange leaves the ledger, which
/// all threads share, alone.
const CHARGE_STEP: usize = 32 * 1024;

impl Exchange {
    /// Makes the exchange its owner's, from before the body is read on. Once
    /// only; a second owner changes nothing.
    pub fn adopt(&self, owner: &Arc<Owner>) {
        if self.inner.owner.set(owner.clone()).is_err() {
            return;
        }
        let state = &mut *self.inner.state.lock();
        let limits = &owner.limits;
        state.body.set_bytes_max(limits.request_body_bytes_max);
        state.response.set_limits(
            FieldLimits { bytes_max: limits.response_head_bytes_max, lines_max: limits.header_count_max },
            limits.response_buffer_bytes_max,
            limits.reject_body_not_allowed,
        );
        state.charge = Some(Charge::new(owner.memory.clone()));
    }

    /// Whose it is, once that is known.
    pub fn owner(&self) -> Option<&Arc<Owner>> {
        self.inner.owner.get()
    }

    /// The limits that hold for it: its app's, or the host's.
    pub fn limits(&self) -> &Limits {
        self.inner.limits()
    }

    /// Counts CPU time that a guest has used for it.
    pub fn note_cpu(&self, used: Duration) {
        let nanos = u64::try_from(used.as_nanos()).unwrap_or(u64::MAX);
        self.inner.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Notes how long it has waited for a place.
    pub fn note_queued(&self, waited: Duration) {
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.inner.queued_nanos.store(nanos, Ordering::Relaxed);
    }
}

impl State {
    /// Refuses bytes for which the tenant has no memory left.
    pub(super) fn check_memory(&self, bytes: usize) -> Result<(), MessageError> {
        let Some(charge) = &self.charge else { return Ok(()) };
        let held = self.response.buffered().saturating_add(self.buffer.len());
        let more = charged(held.saturating_add(bytes)).saturating_sub(charge.bytes());
        if more == 0 || more <= charge.ledger().left() {
            return Ok(());
        }
        Err(MessageError::LimitExceeded("memory_bytes_max of the tenant"))
    }

    /// Charges the tenant for what is held now.
    pub(super) fn settle(&mut self) {
        let Some(charge) = &mut self.charge else { return };
        let held = charged(self.response.buffered().saturating_add(self.buffer.len()));
        if held != charge.bytes() {
            // It is held already; what comes next is refused.
            let _ = charge.set(held);
        }
    }
}

/// What so many bytes are charged as.
fn charged(bytes: usize) -> u64 {
    if bytes <= CHARGE_STEP { 0 } else { bytes.next_multiple_of(CHARGE_STEP) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_exchange_costs_nothing() {
        assert_eq!(charged(0), 0);
        assert_eq!(charged(CHARGE_STEP), 0);
        assert_eq!(charged(CHARGE_STEP + 1), 2 * CHARGE_STEP as u64);
        assert_eq!(charged(100 * CHARGE_STEP), 100 * CHARGE_STEP as u64);
    }
}
