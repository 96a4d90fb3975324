//! Buckets of keys and values: which of them an app may open, what it may put
//! there, and where all of it is. Knows nothing of guests; `guest::keyvalue`
//! gives them the interfaces.
//!
//! A bucket is the app's own, or its tenant's where the operator says so. Two
//! back ends do the same: `embedded` and `redis`.

mod embedded;
mod redis;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::config::{BucketGrant, KeyValueBackend, Limits, Name};
use crate::state::{KeyValues, Refused, Space, Store, Write, Written};
use embedded::Embedded;
use redis::Redis;

/// What opens if a guest gives no name.
const DEFAULT: &str = "default";

/// Bytes of all values of one call, unless one value may have more: a batch
/// must not make the host hold a guest's limit of each many times over.
const CALL_BYTES_MAX: usize = 16 << 20;

/// Where the keys and values of a host are. Opened when the first app is loaded
/// that was granted a bucket.
pub struct KeyValue {
    config: KeyValueBackend,
    state: Option<Arc<Store>>,
    runtime: Handle,
    opened: Mutex<Option<Backend>>,
}

#[derive(Clone)]
enum Backend {
    Embedded(Embedded),
    Redis(Redis),
}

/// The buckets that an app may open.
#[derive(Default)]
pub struct Buckets {
    granted: BTreeMap<Name, Bucket>,
}

/// A bucket, for an app.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    space: Arc<Space>,
    limits: Arc<Limits>,
    /// What the tenant may have in all its buckets.
    bytes_max: Arc<AtomicU64>,
}

/// A value that was looked at: its version, which no other write has.
pub type Versioned = (u64, Vec<u8>);

/// Some of the keys, and where to go on.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The keys.
    pub keys: Vec<String>,
    /// What to list after; none if these were the last.
    pub cursor: Option<u64>,
}

/// Why a bucket did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum KeyValueError {
    /// The app may not open it.
    #[error("the bucket is not granted")]
    Denied,
    /// A key is too long.
    #[error("a key of {bytes} bytes is longer than keyvalue_key_bytes_max, {max}")]
    KeyTooLong {
        /// Its bytes.
        bytes: usize,
        /// Those that it may have.
        max: usize,
    },
    /// A value is too long.
    #[error("a value of {bytes} bytes is longer than keyvalue_value_bytes_max, {max}")]
    ValueTooLong {
        /// Its bytes.
        bytes: usize,
        /// Those that it may have.
        max: usize,
    },
    /// A batch has too many keys.
    #[error("{keys} keys are more than keyvalue_keys_max, {max}")]
    TooManyKeys {
        /// Its keys.
        keys: usize,
        /// Those that it may have.
        max: u32,
    },
    /// A batch has too many bytes.
    #[error("the values of the batch have more than {max} bytes; ask for fewer keys")]
    BatchTooLong {
        /// The bytes that it may have.
        max: usize,
    },
    /// The tenant has no room left.
    #[error("there is no room left: the tenant may have keyvalue_bytes_max, {max} bytes")]
    Full {
        /// Its bytes.
        max: u64,
    },
    /// What is to be added to is no number.
    #[error("the value is no number")]
    NoNumber,
    /// The sum is too large.
    #[error("the sum does not fit into 64 bits with a sign")]
    Overflow,
    /// The back end fails. What is wrong is the operator's business.
    #[error("keys and values cannot be reached")]
    Unavailable(#[source] anyhow::Error),
}

impl KeyValue {
    /// Says where they are, and opens nothing yet. Must be called in a tokio
    /// runtime.
    ///
    /// # Errors
    /// Outside one.
    pub fn new(config: &KeyValueBackend, state: Option<Arc<Store>>) -> Result<Self> {
        let runtime = Handle::try_current().context("keys and values need a tokio runtime")?;
        Ok(KeyValue { config: config.clone(), state, runtime, opened: Mutex::default() })
    }

    /// What an app of this name may open. Blocks.
    ///
    /// # Errors
    /// A database that cannot be opened. A Redis need not be there yet.
    pub fn buckets(
        &self,
        tenant: &Name,
        app: &Name,
        granted: &[BucketGrant],
        limits: &Arc<Limits>,
        bytes_max: &Arc<AtomicU64>,
    ) -> Result<Buckets> {
        let mut buckets = Buckets::default();
        for BucketGrant { name, shared } in granted {
            let backend = self.backend().context("buckets were granted, and cannot be opened")?;
            let space = match shared {
                true => name.to_string(),
                // No name has a slash, so that no app is another's bucket.
                false => format!("{app}/{name}"),
            };
            let inner = Inner {
                backend,
                space: Arc::new(Space { tenant: tenant.clone(), name: space }),
                limits: limits.clone(),
                bytes_max: bytes_max.clone(),
            };
            buckets.granted.insert(name.clone(), Bucket { inner: Arc::new(inner) });
        }
        Ok(buckets)
    }

    fn backend(&self) -> Result<Backend> {
        let mut opened = self.opened.lock();
        if let Some(backend) = &*opened {
            return Ok(backend.clone());
        }
        let backend = match (&self.config, &self.state) {
            (KeyValueBackend::Redis(config), _) => Backend::Redis(Redis::new(config, &self.runtime)?),
            (KeyValueBackend::State, Some(store)) => {
                Backend::Embedded(Embedded::start(store.open_key_values()?, &self.runtime)?)
            }
            (KeyValueBackend::State | KeyValueBackend::Memory, _) => {
                tracing::warn!(
                    target: "keyvalue",
                    "keys and values are in memory and lost when the host ends; \
                     set a state directory or a redis:// backend to keep them"
                );
                Backend::Embedded(Embedded::start(KeyValues::in_memory()?, &self.runtime)?)
            }
        };
        *opened = Some(backend.clone());
        Ok(backend)
    }
}

impl Buckets {
    /// Opens a bucket; without a name that which is called `default`.
    ///
    /// # Errors
    /// `Denied` if it was not granted, whether there is one or not.
    pub fn open(&self, name: &str) -> Result<Bucket, KeyValueError> {
        let name = if name.is_empty() { DEFAULT } else { name };
        self.granted.get(name).cloned().ok_or(KeyValueError::Denied)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.granted.is_empty()
    }
}

/// What can be done with a bucket. Dropping one of these futures leaves a write
/// done or not done, as a whole.
impl Bucket {
    /// The values of these keys, in order.
    ///
    /// # Errors
    /// Keys that are too long or too many, values that are too long together,
    /// a back end that fails.
    pub async fn get(&self, keys: Vec<String>) -> Result<Vec<Option<Versioned>>, KeyValueError> {
        self.check_keys(keys.iter().map(String::as_str))?;
        let max = self.call_bytes_max();
        let values = match &self.inner.backend {
            Backend::Embedded(embedded) => embedded.get(self.space(), keys, max).await?,
            Backend::Redis(redis) => redis.get(self.space(), keys, max).await?,
        };
        values.ok_or(KeyValueError::BatchTooLong { max })
    }

    /// The version of a key; none if it is not there.
    ///
    /// # Errors
    /// A key that is too long, a back end that fails.
    pub async fn version(&self, key: String) -> Result<Option<u64>, KeyValueError> {
        self.check_keys([key.as_str()])?;
        match &self.inner.backend {
            Backend::Embedded(embedded) => embedded.version(self.space(), key).await,
            Backend::Redis(redis) => redis.version(self.space(), key).await,
        }
    }

    /// Keys behind a cursor, in no order that means anything.
    ///
    /// # Errors
    /// A back end that fails.
    pub async fn list(&self, after: Option<u64>) -> Result<Page, KeyValueError> {
        let keys_max = self.inner.limits.keyvalue_keys_max as usize;
        // One more tells whether there are more.
        let found = match &self.inner.backend {
            Backend::Embedded(embedded) => embedded.list(self.space(), after, keys_max + 1).await?,
            Backend::Redis(redis) => redis.list(self.space(), after, keys_max + 1).await?,
        };
        Ok(page(found, keys_max))
    }

    /// Gives keys values, or takes them away.
    ///
    /// # Errors
    /// Keys or values that are too long or too many, a tenant without room, a
    /// back end that fails; then nothing has changed.
    pub async fn set(&self, changes: Vec<(String, Option<Vec<u8>>)>) -> Result<(), KeyValueError> {
        self.write(Write::Set(changes)).await.map(drop)
    }

    /// Adds to a number, 0 if there is none; the sum.
    ///
    /// # Errors
    /// A key that is too long, a value that is no number, a sum that is too
    /// large, a tenant without room, a back end that fails.
    pub async fn increment(&self, key: String, delta: i64) -> Result<i64, KeyValueError> {
        self.sum(Write::Increment { key, delta, signed: true }).await
    }

    /// The same with numbers that are not below 0.
    ///
    /// # Errors
    /// Those of [`Bucket::increment`].
    pub async fn increment_unsigned(&self, key: String, delta: u64) -> Result<u64, KeyValueError> {
        let delta = i64::try_from(delta).map_err(|_| KeyValueError::Overflow)?;
        let sum = self.sum(Write::Increment { key, delta, signed: false }).await?;
        u64::try_from(sum).map_err(|_| KeyValueError::NoNumber)
    }

    async fn sum(&self, write: Write) -> Result<i64, KeyValueError> {
        match self.write(write).await? {
            Written::Number(sum) => Ok(sum),
            Written::Done | Written::Changed => Err(KeyValueError::NoNumber),
        }
    }

    /// Gives a key a value if its version is still the same; whether it was.
    ///
    /// # Errors
    /// A key or value that is too long, a tenant without room, a back end that
    /// fails.
    pub async fn swap(
        &self,
        key: String,
        version: Option<u64>,
        value: Vec<u8>,
    ) -> Result<bool, KeyValueError> {
        let written = self.write(Write::Swap { key, version, value }).await?;
        Ok(written != Written::Changed)
    }

    async fn write(&self, write: Write) -> Result<Written, KeyValueError> {
        self.check(&write)?;
        let max = self.inner.bytes_max.load(Ordering::Relaxed);
        let written = match &self.inner.backend {
            Backend::Embedded(embedded) => embedded.write(self.space(), max, write).await?,
            Backend::Redis(redis) => redis.write(self.space(), max, write).await?,
        };
        written.map_err(|refused| match refused {
            Refused::Full => KeyValueError::Full { max },
            Refused::NoNumber => KeyValueError::NoNumber,
            Refused::Overflow => KeyValueError::Overflow,
        })
    }

    fn check(&self, write: &Write) -> Result<(), KeyValueError> {
        match write {
            Write::Set(changes) => {
                self.check_keys(changes.iter().map(|(key, _)| key.as_str()))?;
                self.check_values(changes.iter().filter_map(|(_, value)| value.as_deref()))
            }
            Write::Increment { key, .. } => self.check_keys([key.as_str()]),
            Write::Swap { key, value, .. } => {
                self.check_keys([key.as_str()])?;
                self.check_values([value.as_slice()])
            }
        }
    }

    fn check_keys<'a>(&self, keys: impl IntoIterator<Item = &'a str>) -> Result<(), KeyValueError> {
        let Limits { keyvalue_key_bytes_max: max, keyvalue_keys_max: keys_max, .. } = *self.inner.limits;
        let mut count = 0;
        for key in keys {
            count += 1;
            if key.len() > max {
                return Err(KeyValueError::KeyTooLong { bytes: key.len(), max });
            }
        }
        if count > keys_max as usize {
            return Err(KeyValueError::TooManyKeys { keys: count, max: keys_max });
        }
        Ok(())
    }

    fn check_values<'a>(&self, values: impl IntoIterator<Item = &'a [u8]>) -> Result<(), KeyValueError> {
        let max = self.inner.limits.keyvalue_value_bytes_max;
        let mut sum = 0usize;
        for value in values {
            sum = sum.saturating_add(value.len());
            if value.len() > max {
                return Err(KeyValueError::ValueTooLong { bytes: value.len(), max });
            }
        }
        let max = self.call_bytes_max();
        if sum > max { Err(KeyValueError::BatchTooLong { max }) } else { Ok(()) }
    }

    fn call_bytes_max(&self) -> usize {
        self.inner.limits.keyvalue_value_bytes_max.max(CALL_BYTES_MAX)
    }

    fn space(&self) -> &Arc<Space> {
        &self.inner.space
    }
}

/// A page of at most so many of these keys, which are in the order of their
/// places. Those that share a place stay together, or a list that goes on
/// behind it would leave one out.
fn page(mut found: Vec<(u64, String)>, keys_max: usize) -> Page {
    let mut cursor = None;
    if let Some((beyond, _)) = found.get(keys_max) {
        let beyond = *beyond;
        found.truncate(keys_max);
        while found.len() > 1 && found.last().is_some_and(|(place, _)| *place == beyond) {
            found.pop();
        }
        cursor = found.last().map(|(place, _)| *place);
    }
    Page { keys: found.into_iter().map(|(_, key)| key).collect(), cursor }
}

#[cfg(test)]
mod tests;
