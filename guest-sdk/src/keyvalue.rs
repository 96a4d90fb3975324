//! Keys and values that outlive instances, versions of the app and the host
//! (`wasi:keyvalue`): counters, sessions, settings. With the feature `keyvalue`.
//!
//! A [`Bucket`] is the app's own, or its tenant's, as the operator grants it:
//! `--keyvalue default` on the command line, `keyvalue = ["default"]` in the
//! file. Every call waits for the host, and for nothing else of this request.
//!
//! ```
//! # use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler, keyvalue};
//! #[handler]
//! fn visits(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
//!     let visits = keyvalue::open("default")?.increment("visits", 1)?;
//!     Ok(res.end(format!("visit {visits}\n"))?)
//! }
//! # fn main() {}
//! ```

use std::fmt;

#[cfg(target_family = "wasm")]
use crate::bindings::keyvalue::wasi::keyvalue::{atomics, store};

#[cfg(not(target_family = "wasm"))]
use crate::native::keyvalue::{self as atomics, self as store};

/// A bucket of keys and values.
#[derive(Debug)]
pub struct Bucket(pub(crate) store::Bucket);

/// Why a bucket did not do as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyValueError {
    /// The operator has not granted it to this app.
    NotGranted,
    /// A key or value is too long, the tenant has no room left, the values
    /// cannot be reached: in the host's words.
    Other(String),
}

/// The keys of a bucket, one after the other; see [`Bucket::keys`].
#[derive(Debug)]
pub struct Keys<'a> {
    bucket: &'a Bucket,
    page: std::vec::IntoIter<String>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    After(String),
    End,
}

/// Opens a bucket.
///
/// # Errors
/// [`KeyValueError::NotGranted`], unless the operator has granted it.
pub fn open(name: &str) -> Result<Bucket, KeyValueError> {
    // See `next`.
    #[cfg(target_family = "wasm")]
    crate::bindings::keyvalue::__link_custom_section_describing_imports();
    Ok(Bucket(store::open(name)?))
}

impl Bucket {
    /// The value of a key.
    ///
    /// # Errors
    /// If the values cannot be reached.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KeyValueError> {
        Ok(self.0.get(key)?)
    }

    /// Gives a key a value; when this returns it is kept.
    ///
    /// # Errors
    /// A key or value that is too long, a tenant without room, values that
    /// cannot be reached.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), KeyValueError> {
        Ok(self.0.set(key, value.as_ref())?)
    }

    /// Removes a key, whether it is there or not.
    ///
    /// # Errors
    /// If the values cannot be reached.
    pub fn delete(&self, key: &str) -> Result<(), KeyValueError> {
        Ok(self.0.delete(key)?)
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// If the values cannot be reached.
    pub fn exists(&self, key: &str) -> Result<bool, KeyValueError> {
        Ok(self.0.exists(key)?)
    }

    /// All keys, in no order that means anything. Those that come and go
    /// meanwhile may be among them or not.
    pub fn keys(&self) -> Keys<'_> {
        Keys { bucket: self, page: Vec::new().into_iter(), next: Next::First }
    }

    /// Adds to a number, which is 0 if the key is not there, and returns the
    /// sum. Of several that do so at once none is lost. The value is the number
    /// in decimal.
    ///
    /// # Errors
    /// A value that is no number, a sum of more than 64 bits, and those of
    /// [`Bucket::set`].
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, KeyValueError> {
        Ok(atomics::increment(&self.0, key, delta)?)
    }

    /// Makes a new value of the one that there is, and returns it. If somebody
    /// else has written the key meanwhile, `change` is asked again, with what
    /// is there now.
    ///
    /// # Errors
    /// Those of [`Bucket::set`].
    pub fn update(
        &self,
        key: &str,
        mut change: impl FnMut(Option<Vec<u8>>) -> Vec<u8>,
    ) -> Result<Vec<u8>, KeyValueError> {
        let mut cas = atomics::Cas::new(&self.0, key)?;
        loop {
            let value = change(cas.current()?);
            match atomics::swap(cas, &value) {
                Ok(()) => return Ok(value),
                Err(atomics::CasError::CasFailed(now)) => cas = now,
                Err(atomics::CasError::StoreError(error)) => return Err(error.into()),
            }
        }
    }
}

impl Iterator for Keys<'_> {
    type Item = Result<String, KeyValueError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(key) = self.page.next() {
                return Some(Ok(key));
            }
            let after = match std::mem::replace(&mut self.next, Next::End) {
                Next::First => None,
                Next::After(cursor) => Some(cursor),
                Next::End => return None,
            };
            match self.bucket.0.list_keys(after.as_deref()) {
                Ok(page) => {
                    self.page = page.keys.into_iter();
                    self.next = page.cursor.map_or(Next::End, Next::After);
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

impl From<store::Error> for KeyValueError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore | store::Error::AccessDenied => KeyValueError::NotGranted,
            store::Error::Other(what) => KeyValueError::Other(what),
        }
    }
}

impl fmt::Display for KeyValueError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyValueError::NotGranted => {
                out.write_str("the bucket is not granted; have the operator name it in keyvalue")
            }
            KeyValueError::Other(what) => out.write_str(what),
        }
    }
}

impl std::error::Error for KeyValueError {}
