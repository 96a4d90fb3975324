//! Quotas of tenants that were changed while the host ran. What is in them is
//! for `config` to know.

use std::collections::BTreeMap;

use redb::ReadableTable;

use super::database::{Fault, QUOTAS, decode, encode};
use super::history::{About, record};
use super::{Event, StateError, Store};
use crate::config::Name;

impl Store {
    /// Sets what a tenant may use, in place of what the configuration says.
    ///
    /// # Errors
    ///
    /// If the database cannot be written.
    pub fn set_quotas(
        &self,
        tenant: &Name,
        quotas: &serde_json::Value,
        event: Event,
    ) -> Result<(), StateError> {
        self.database.write(|transaction| {
            let stored = encode("quotas", quotas)?;
            transaction.open_table(QUOTAS)?.insert(tenant.as_str(), stored.as_slice())?;
            record(transaction, About { app: None, tenant: Some(tenant) }, event)
        })
    }

    /// All quotas that were set.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn quotas(&self) -> Result<BTreeMap<Name, serde_json::Value>, StateError> {
        self.database.read(|transaction| {
            let table = transaction.open_table(QUOTAS)?;
            table
                .iter()?
                .map(|row| {
                    let (tenant, quotas) = row?;
                    let tenant = decode_name("quotas", tenant.value())?;
                    Ok((tenant, decode("quotas", quotas.value())?))
                })
                .collect()
        })
    }
}

/// A key of a table as a name.
pub(super) fn decode_name(table: &'static str, key: &str) -> Result<Name, Fault> {
    use serde::de::Error;
    key.parse().map_err(|error: String| Fault::Unreadable { table, source: serde_json::Error::custom(error) })
}
