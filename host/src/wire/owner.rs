//! Whose an exchange is, once that is known: what `wire` needs of the app that
//! answers it.

use std::sync::Arc;

use crate::config::{Limits, Name};
use crate::wire::ledger::Ledger;

/// The app that answers an exchange, one version of it.
#[derive(Debug)]
pub struct Owner {
    /// Who owns the app.
    pub tenant: Name,
    /// The app.
    pub app: Name,
    /// The version: the first 12 digits of its component's SHA-256.
    pub version: String,
    /// The limits of the app.
    pub limits: Arc<Limits>,
    /// The memory of the tenant, of which what is buffered for the exchange is
    /// a part.
    pub memory: Arc<Ledger>,
}
