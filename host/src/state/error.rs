//! What can go wrong with the state: each error names the file and what can be
//! done about it.

use std::io;
use std::path::{Path, PathBuf};

use super::Sha256;
use crate::config::Name;

/// Why the state could not be opened, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Two hosts, one directory.
    #[error("{} is in use by another innkeeper; stop that one, or give this one a state directory of its own", directory.display())]
    InUse {
        /// The state directory.
        directory: PathBuf,
    },
    /// The disk, or a quota of it, is full. The state is as it was.
    #[error("no space left for {}; make room and try again, nothing has been changed", path.display())]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something else.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database is not what this host wrote.
    #[error("the database {} is damaged: {detail}; {remedy}", path.display())]
    Damaged {
        /// The database's file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// There are components, but nothing says whose they are.
    #[error("the database {} is missing, but there are components beside it; restore it from a backup, or move the directory components away to begin with nothing deployed", path.display())]
    Missing {
        /// Where the database should be.
        path: PathBuf,
    },
    /// A newer host has had it.
    #[error("the database {} has format {found}, this innkeeper knows formats up to {known}; run the version that wrote it, or a newer one", path.display())]
    NewerFormat {
        /// The database's file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format that this host knows.
        known: u64,
    },
    /// The database failed in a way of its own.
    #[error("the database {} failed; if it does so again, restart the host, which checks the file", path.display())]
    Database {
        /// The database's file.
        path: PathBuf,
        /// What it said.
        source: Box<redb::Error>,
    },
    /// A record could not be written down.
    #[error("cannot write a record of {table} as JSON")]
    Encode {
        /// The table that it was for.
        table: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The system has no random bytes.
    #[error("cannot get random bytes from the system")]
    Random(#[source] io::Error),
    /// No such app.
    #[error("there is no app {0}; deploy it first")]
    UnknownApp(Name),
    /// No such version.
    #[error("app {app} has no version {number}; `innkeeper apps` lists those it has")]
    UnknownVersion {
        /// The app.
        app: Name,
        /// The number that was asked for.
        number: u64,
    },
    /// No such component.
    #[error("the component {} is missing; upload it again", path.display())]
    ComponentMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A component is not what its name says.
    #[error("the component {} is damaged: {detail}; upload it again", path.display())]
    ComponentDamaged {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

impl StateError {
    /// What the system said when it was asked to do something with a file.
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StateError::NoSpace { path, source },
            _ => StateError::Io { action, path, source },
        }
    }

    /// The component of this hash is damaged.
    pub(super) fn wrong_hash(path: PathBuf, found: &Sha256) -> Self {
        StateError::ComponentDamaged { path, detail: format!("its SHA-256 is {found}") }
    }
}
