//! What guests keep in their buckets: keys and values in a database of their
//! own, beside that of deploys and opened only where a bucket was granted, or
//! in memory where there is no state directory.
//!
//! Several writes share a transaction, and so the wait for the disk. One that
//! is refused has changed nothing, and holds up no other.

use std::collections::BTreeMap;

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::database::{Database, Fault, Layout};
use super::{Sha256, StateError, Store};
use crate::config::Name;

/// Values by space, place and key, each with its version. A space's keys are
/// in the order of their places, so that a number is enough to go on from.
const VALUES: TableDefinition<(&str, u64, &str), (u64, &[u8])> = TableDefinition::new("values");
/// Bytes by tenant; they follow from [`VALUES`] and are always changed with it.
const USED: TableDefinition<&str, u64> = TableDefinition::new("used");
/// The version that was given last; no two writes have the same.
const VERSION: TableDefinition<(), u64> = TableDefinition::new("version");

const LAYOUT: Layout = Layout {
    file: "keyvalue.redb",
    tables: |transaction| {
        transaction.open_table(VALUES)?;
        transaction.open_table(USED)?;
        transaction.open_table(VERSION)?;
        Ok(())
    },
    cache_bytes: 64 << 20,
    remedy: "restore it from a backup, or move it away to begin with empty buckets",
};

/// Bytes that a pair costs beside its key and value, about: many small ones
/// are not free.
const PAIR_BYTES: u64 = 64;

/// The keys and values of a host.
#[derive(Debug)]
pub struct KeyValues {
    database: Database,
}

/// The keys of one bucket of one app, or of one that a tenant's apps share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// Whose bytes they are.
    pub tenant: Name,
    /// App and bucket, or only the bucket.
    pub name: String,
}

/// Something to be written.
#[derive(Debug)]
pub enum Write {
    /// Values that keys are to have, or none; all of them or, if that is
    /// refused, nothing.
    Set(Vec<(String, Option<Vec<u8>>)>),
    /// A number to be added to.
    Increment {
        /// The key of a number, written in decimal; none is 0.
        key: String,
        /// What to add.
        delta: i64,
        /// Whether it may be below 0; else such a one is no number.
        signed: bool,
    },
    /// A value for a key that is as it was.
    Swap {
        /// The key.
        key: String,
        /// Its version when it was looked at; none if it was not there.
        version: Option<u64>,
        /// Its new value.
        value: Vec<u8>,
    },
}

/// What a write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is written.
    Done,
    /// This is the number now.
    Number(i64),
    /// Somebody else has changed the key, and nothing was written.
    Changed,
}

/// Why a write was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The tenant would have more than it may.
    Full,
    /// What is to be added to is no number.
    NoNumber,
    /// The sum has no place in 64 bits.
    Overflow,
}

/// Where a key stands among those of its space: in an order that nobody
/// chooses, so that it says nothing and no two keys share a place but by the
/// rarest chance.
pub fn place_of(key: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Sha256::of(key.as_bytes()).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// What a pair costs its tenant.
pub fn size_of(key: &str, value_bytes: usize) -> u64 {
    (key.len() as u64).saturating_add(value_bytes as u64).saturating_add(PAIR_BYTES)
}

impl Store {
    /// Opens the keys and values of the state directory; makes an empty
    /// database where there is none.
    ///
    /// # Errors
    ///
    /// If the database is damaged or of a newer format, or if the system
    /// refuses something.
    pub fn open_key_values(&self) -> Result<KeyValues, StateError> {
        Ok(KeyValues { database: Database::open(&self.directory, &LAYOUT, true)? })
    }
}

impl KeyValues {
    /// None, and those that come are gone with the process.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub fn in_memory() -> Result<Self, StateError> {
        Ok(KeyValues { database: Database::in_memory(&LAYOUT)? })
    }

    /// The values of these keys with their versions, in order; none at all if
    /// they come to more than `bytes_max`.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    #[expect(clippy::type_complexity, reason = "a name would not say more")]
    pub fn get(
        &self,
        space: &Space,
        keys: &[String],
        bytes_max: usize,
    ) -> Result<Option<Vec<Option<(u64, Vec<u8>)>>>, StateError> {
        self.database.read(|transaction| {
            let table = transaction.open_table(VALUES)?;
            let mut left = bytes_max;
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                let Some(found) = table.get(at(&space.path(), key))? else {
                    values.push(None);
                    continue;
                };
                let (version, value) = found.value();
                let Some(rest) = left.checked_sub(value.len()) else { return Ok(None) };
                left = rest;
                values.push(Some((version, value.to_vec())));
            }
            Ok(Some(values))
        })
    }

    /// Whether a key is there, and its version.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn version(&self, space: &Space, key: &str) -> Result<Option<u64>, StateError> {
        self.database.read(|transaction| {
            let table = transaction.open_table(VALUES)?;
            let found = table.get(at(&space.path(), key))?;
            Ok(found.map(|found| found.value().0))
        })
    }

    /// At most so many keys with their places, those behind `after` and in
    /// order.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn list(
        &self,
        space: &Space,
        after: Option<u64>,
        keys_max: usize,
    ) -> Result<Vec<(u64, String)>, StateError> {
        let first = match after {
            None => 0,
            Some(u64::MAX) => return Ok(Vec::new()),
            Some(after) => after + 1,
        };
        self.database.read(|transaction| {
            let table = transaction.open_table(VALUES)?;
            let path = space.path();
            let mut keys = Vec::new();
            for row in table.range((path.as_str(), first, "")..)?.take(keys_max) {
                let (at, _) = row?;
                let (space, place, key) = at.value();
                if space != path {
                    break;
                }
                keys.push((place, key.to_owned()));
            }
            Ok(keys)
        })
    }

    /// Makes these writes, each in a space and with the bytes that its tenant
    /// may have; what came of each. When this returns they are on the disk.
    ///
    /// # Errors
    ///
    /// If the database cannot be written; then none of them was made.
    pub fn write<'a>(
        &self,
        writes: impl IntoIterator<Item = (&'a Space, u64, &'a Write)>,
    ) -> Result<Vec<Result<Written, Refused>>, StateError> {
        self.database.write(|transaction| {
            let mut tables = Tables::open(transaction)?;
            writes.into_iter().map(|(space, max, write)| tables.write(space, max, write)).collect()
        })
    }
}

/// The tables while they are written.
struct Tables<'a> {
    values: redb::Table<'a, (&'static str, u64, &'static str), (u64, &'static [u8])>,
    used: redb::Table<'a, &'static str, u64>,
    version: redb::Table<'a, (), u64>,
}

impl<'a> Tables<'a> {
    fn open(transaction: &'a WriteTransaction) -> Result<Self, Fault> {
        Ok(Tables {
            values: transaction.open_table(VALUES)?,
            used: transaction.open_table(USED)?,
            version: transaction.open_table(VERSION)?,
        })
    }

    fn write(
        &mut self,
        space: &Space,
        bytes_max: u64,
        write: &Write,
    ) -> Result<Result<Written, Refused>, Fault> {
        let set = |tables: &mut Self, changes: BTreeMap<&str, Option<&[u8]>>, written| {
            let fits = tables.set(space, bytes_max, changes)?;
            Ok(if fits { Ok(written) } else { Err(Refused::Full) })
        };
        match write {
            // Of several values for a key it has the last.
            Write::Set(changes) => {
                let changes = changes.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
                set(self, changes.collect(), Written::Done)
            }
            Write::Increment { key, delta, signed } => match self.sum(space, key, *delta, *signed)? {
                Ok(sum) => {
                    let text = sum.to_string();
                    let changes = [(key.as_str(), Some(text.as_bytes()))];
                    set(self, changes.into(), Written::Number(sum))
                }
                Err(refused) => Ok(Err(refused)),
            },
            Write::Swap { key, version, value } => {
                let found = self.values.get(at(&space.path(), key))?.map(|found| found.value().0);
                if found != *version {
                    return Ok(Ok(Written::Changed));
                }
                set(self, [(key.as_str(), Some(value.as_slice()))].into(), Written::Done)
            }
        }
    }

    fn sum(&self, space: &Space, key: &str, delta: i64, signed: bool) -> Result<Result<i64, Refused>, Fault> {
        let found = self.values.get(at(&space.path(), key))?;
        let number = match &found {
            None => Some(0),
            Some(found) => number(found.value().1).filter(|number| signed || *number >= 0),
        };
        Ok(match number {
            None => Err(Refused::NoNumber),
            Some(number) => number.checked_add(delta).ok_or(Refused::Overflow),
        })
    }

    /// Whether there was room for the changes, which are made then.
    fn set(
        &mut self,
        space: &Space,
        bytes_max: u64,
        changes: BTreeMap<&str, Option<&[u8]>>,
    ) -> Result<bool, Fault> {
        let (path, tenant) = (space.path(), space.tenant.as_str());
        let (mut more, mut less) = (0u64, 0u64);
        for (key, value) in &changes {
            let found = self.values.get(at(&path, key))?;
            less = less.saturating_add(found.map_or(0, |found| size_of(key, found.value().1.len())));
            more = more.saturating_add(value.map_or(0, |value| size_of(key, value.len())));
        }
        let before = self.used.get(tenant)?.map_or(0, |used| used.value());
        let after = before.saturating_add(more).saturating_sub(less);
        // Whoever has too much may still make it less.
        if after > bytes_max && more > less {
            return Ok(false);
        }
        let mut version = self.version.get(())?.map_or(0, |version| version.value());
        for (key, value) in changes {
            match value {
                Some(value) => {
                    version += 1;
                    self.values.insert(at(&path, key), (version, value))?;
                }
                None => {
                    self.values.remove(at(&path, key))?;
                }
            }
        }
        self.version.insert((), version)?;
        self.used.insert(tenant, after)?;
        Ok(true)
    }
}

/// A number as Redis takes it: decimal, without spaces or a plus.
fn number(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    text.parse().ok().filter(|number: &i64| number.to_string() == text)
}

impl Space {
    fn path(&self) -> String {
        format!("{}/{}", self.tenant, self.name)
    }
}

fn at<'a>(path: &'a str, key: &'a str) -> (&'a str, u64, &'a str) {
    (path, place_of(key), key)
}

#[cfg(test)]
mod tests;
