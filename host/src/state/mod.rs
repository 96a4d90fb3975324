//! The state directory: what was deployed, and what is known of it.
//!
//! Components lie in it as files named by their SHA-256, everything else in an
//! embedded database. What changes together changes in one transaction, so
//! that a host that is killed at any moment leaves the state before or the
//! state after, and the next one starts from it.
//!
//! What guests keep in their buckets lies beside it in a database of its own.
//!
//! All of it is plain blocking code that knows nothing of guests and HTTP:
//! whoever calls from a task does so on a thread for blocking work.

mod apps;
mod history;
mod tokens;
mod quotas;
mod components;
mod database;
mod records;
mod sha256;
mod operator;
mod keyvalues;
mod error;
#[cfg(test)]
mod tests;

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use components::Upload;
pub use error::StateError;
pub use keyvalues::{KeyValues, Refused, Space, Write, Written, place_of, size_of};
pub use operator::{TokenFileError, operator_token};
pub use records::{
    Action, AppRecord, CanaryRecord, Event, HistoryRecord, Scope, Serving, TokenRecord, VersionRecord,
};
pub use sha256::Sha256;

use crate::config::Name;
use components::Components;
use database::{Database, STATE};

/// The state of a host. One host has it at a time; its threads share it.
#[derive(Debug)]
pub struct Store {
    database: Database,
    components: Arc<Components>,
    directory: PathBuf,
    /// Locked for as long as the store lives.
    _lock: File,
}

/// What was found, and put right, when the state was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Versions whose component is not as it should be. They stay in the
    /// state: their file can be restored, or uploaded again.
    pub damaged: Vec<DamagedVersion>,
    /// Components that no version names, removed: those of deploys that were
    /// never finished.
    pub components_removed: Vec<Sha256>,
    /// Uploads that were never finished, removed.
    pub uploads_removed: usize,
}

/// A version whose component is missing, or has the wrong size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedVersion {
    /// The app.
    pub app: Name,
    /// The version's number.
    pub number: u64,
    /// The component that it names.
    pub sha256: Sha256,
    /// The bytes that the file should have.
    pub bytes: u64,
    /// Those that it has; none if it is missing.
    pub bytes_found: Option<u64>,
}

impl Store {
    /// Opens the state in a directory; makes an empty one, for its owner only,
    /// where there is none.
    ///
    /// Leftovers are removed whatever their age: the lock says that no other
    /// host is at work here, and a clock may have been set.
    ///
    /// # Errors
    ///
    /// If another host has it, if the database is damaged, missing beside
    /// components or of a newer format, or if the system refuses something. A
    /// damaged component is no error: see [`Recovery::damaged`].
    pub fn open(directory: &Path) -> Result<(Store, Recovery), StateError> {
        make_directory(directory)?;
        let lock = lock(directory)?;
        let components = Components::open(directory)?;
        let database = Database::open(directory, &STATE, components.is_empty()?)?;
        let directory = directory.to_owned();
        let store = Store { database, components: Arc::new(components), directory, _lock: lock };
        let recovery = store.recover()?;
        Ok((store, recovery))
    }

    fn recover(&self) -> Result<Recovery, StateError> {
        let uploads_removed = self.components.remove_uploads()?;
        let mut named = std::collections::HashSet::new();
        let mut damaged = Vec::new();
        for (app, version) in self.all_versions()? {
            named.insert(version.sha256);
            let bytes_found = self.components.size(&version.sha256)?;
            if bytes_found != Some(version.bytes) {
                let VersionRecord { number, sha256, bytes, .. } = version;
                damaged.push(DamagedVersion { app, number, sha256, bytes, bytes_found });
            }
        }
        let mut components_removed = self.components.list()?;
        components_removed.retain(|sha256| !named.contains(sha256));
        for sha256 in &components_removed {
            self.components.remove(sha256)?;
        }
        Ok(Recovery { damaged, components_removed, uploads_removed })
    }
}

fn make_directory(directory: &Path) -> Result<(), StateError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| StateError::io("create", directory, error))
}

/// A lock of our own, beside that of the database: it also stands for the
/// components, and for the moment in which the database is made.
fn lock(directory: &Path) -> Result<File, StateError> {
    let path = directory.join("lock");
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| StateError::io("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StateError::io("lock", &path, error)),
    }
}
