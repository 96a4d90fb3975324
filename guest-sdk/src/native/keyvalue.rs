//! `wasi:keyvalue`, `store` and `atomics`, with buckets in memory. A bucket is
//! there for a handler if its test grants it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{lock, world};

/// A bucket; a copy is the same one.
#[derive(Debug, Clone, Default)]
pub struct Bucket(Arc<Mutex<Values>>);

#[derive(Debug, Default)]
struct Values {
    entries: BTreeMap<String, Entry>,
    /// Of the last write; it never goes back.
    version: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    value: Vec<u8>,
    version: u64,
}

#[derive(Debug)]
pub enum Error {
    NoSuchStore,
    /// As the host has it; here a bucket is granted or there is none.
    #[allow(dead_code, reason = "the bindings have it")]
    AccessDenied,
    Other(String),
}

pub struct KeyResponse {
    pub keys: Vec<String>,
    pub cursor: Option<String>,
}

/// What a key had when it was looked at.
pub struct Cas {
    bucket: Bucket,
    key: String,
    seen: Option<Entry>,
}

pub enum CasError {
    /// As the host has it; nothing here fails.
    #[allow(dead_code, reason = "the bindings have it")]
    StoreError(Error),
    CasFailed(Cas),
}

pub fn open(identifier: &str) -> Result<Bucket, Error> {
    world::bucket(if identifier.is_empty() { "default" } else { identifier }).ok_or(Error::NoSuchStore)
}

impl Bucket {
    fn values(&self) -> MutexGuard<'_, Values> {
        lock(&self.0)
    }

    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.values().entries.get(key).map(|entry| entry.value.clone()))
    }

    pub fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.values().set(key, value.to_vec());
        Ok(())
    }

    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.values().entries.remove(key);
        Ok(())
    }

    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        Ok(self.values().entries.contains_key(key))
    }

    /// All of them at once: there is no next page.
    pub fn list_keys(&self, _cursor: Option<&str>) -> Result<KeyResponse, Error> {
        Ok(KeyResponse { keys: self.values().entries.keys().cloned().collect(), cursor: None })
    }
}

impl Values {
    fn set(&mut self, key: &str, value: Vec<u8>) {
        self.version += 1;
        self.entries.insert(key.to_owned(), Entry { value, version: self.version });
    }
}

impl Cas {
    pub fn new(bucket: &Bucket, key: &str) -> Result<Self, Error> {
        let seen = bucket.values().entries.get(key).cloned();
        Ok(Cas { bucket: bucket.clone(), key: key.to_owned(), seen })
    }

    pub fn current(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.seen.as_ref().map(|entry| entry.value.clone()))
    }
}

pub fn increment(bucket: &Bucket, key: &str, delta: i64) -> Result<i64, Error> {
    let mut values = bucket.values();
    let before = match values.entries.get(key) {
        None => 0,
        Some(entry) => std::str::from_utf8(&entry.value)
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
            .ok_or_else(|| Error::Other(format!("the value of {key:?} is no number")))?,
    };
    let after = before
        .checked_add(delta)
        .ok_or_else(|| Error::Other(format!("the value of {key:?} would have more than 64 bits")))?;
    values.set(key, after.to_string().into_bytes());
    Ok(after)
}

pub fn swap(cas: Cas, value: &[u8]) -> Result<(), CasError> {
    let Cas { bucket, key, seen } = cas;
    let mut values = bucket.values();
    let there = values.entries.get(&key).cloned();
    let version = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.version);
    if version(&there) != version(&seen) {
        drop(values);
        return Err(CasError::CasFailed(Cas { bucket, key, seen: there }));
    }
    values.set(&key, value.to_vec());
    Ok(())
}
