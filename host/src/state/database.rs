//! The embedded database: opening it, transactions, and records as JSON. What
//! the tables hold is the subject of the files beside this one.
//!
//! After an I/O error the database wants to be opened again; that is done at
//! the next use, so that a disk that was full for a while costs no restart.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use redb::{ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StateError;
use super::components::sync_directory;

/// A table of records.
pub(super) type Records<K> = TableDefinition<'static, K, &'static [u8]>;

/// Apps by name.
pub(super) const APPS: Records<&str> = TableDefinition::new("apps");
/// Versions by app and number.
pub(super) const VERSIONS: Records<(&str, u64)> = TableDefinition::new("versions");
/// Which versions name a component; it follows from [`VERSIONS`] and is always
/// changed with it.
pub(super) const NAMED: TableDefinition<(&[u8; 32], &str, u64), ()> = TableDefinition::new("named");
/// Changes by sequence number.
pub(super) const HISTORY: Records<u64> = TableDefinition::new("history");
/// Tokens by their SHA-256.
pub(super) const TOKENS: Records<&[u8; 32]> = TableDefinition::new("tokens");
/// Quotas by tenant.
pub(super) const QUOTAS: Records<&str> = TableDefinition::new("quotas");
/// What is to be known of the database itself.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");

/// The key in [`META`] of the format.
const FORMAT: &str = "format";
/// The format of these tables; it rises when an older host could no longer
/// read them.
const FORMAT_KNOWN: u64 = 1;

/// A database of a state directory.
pub(super) struct Layout {
    /// Its file in the directory.
    pub(super) file: &'static str,
    /// Makes its tables, those for records; that of its format it has anyway.
    pub(super) tables: fn(&WriteTransaction) -> Result<(), redb::TableError>,
    /// Bytes of cache. redb's own default of a gibibyte is for databases that
    /// are a host's work.
    pub(super) cache_bytes: usize,
    /// What to do about one that is damaged.
    pub(super) remedy: &'static str,
}

/// What is known of deploys: a few megabytes.
pub(super) const STATE: Layout = Layout {
    file: "state.redb",
    tables: |transaction| {
        transaction.open_table(APPS)?;
        transaction.open_table(VERSIONS)?;
        transaction.open_table(NAMED)?;
        transaction.open_table(HISTORY)?;
        transaction.open_table(TOKENS)?;
        transaction.open_table(QUOTAS)?;
        Ok(())
    },
    cache_bytes: 8 << 20,
    remedy: "restore it from a backup, or move it and the directory components away to begin with nothing deployed",
};

/// How the file is opened; a test has one that fails.
type Opener = Box<dyn Fn(&Path) -> Result<redb::Database, redb::Error> + Send + Sync>;

/// The database.
pub(super) struct Database {
    path: PathBuf,
    remedy: &'static str,
    opener: Opener,
    /// None after an I/O error.
    handle: RwLock<Option<redb::Database>>,
}

/// What a transaction can fail with; the database adds its file.
pub(super) enum Fault {
    Database(redb::Error),
    Unreadable { table: &'static str, source: serde_json::Error },
    Refused(StateError),
}

impl Database {
    /// Opens a database of a state directory; makes it if it may be new.
    pub(super) fn open(directory: &Path, layout: &Layout, may_be_new: bool) -> Result<Self, StateError> {
        let path = directory.join(layout.file);
        match fs::metadata(&path) {
            // redb would take it for a new one.
            Ok(metadata) if metadata.len() == 0 => {
                let (detail, remedy) = ("it is empty".to_owned(), layout.remedy);
                return Err(StateError::Damaged { path, detail, remedy });
            }
            Ok(_) => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StateError::io("look at", &path, error));
            }
            Err(_) if !may_be_new => return Err(StateError::Missing { path }),
            Err(_) => make(directory, layout, &path)?,
        }
        let cache_bytes = layout.cache_bytes;
        Self::open_with(path, layout.remedy, Box::new(move |path| Ok(checking(cache_bytes).open(path)?)))
    }

    /// One that is in memory, and gone with the process.
    pub(super) fn in_memory(layout: &Layout) -> Result<Self, StateError> {
        let (cache_bytes, tables) = (layout.cache_bytes, layout.tables);
        let path = PathBuf::from(layout.file);
        let opener = move |_: &Path| {
            let database = redb::Builder::new()
                .set_cache_size(cache_bytes)
                .create_with_backend(redb::backends::InMemoryBackend::new())?;
            fill(&database, tables)?;
            Ok(database)
        };
        Self::open_with(path, layout.remedy, Box::new(opener))
    }

    pub(super) fn open_with(path: PathBuf, remedy: &'static str, opener: Opener) -> Result<Self, StateError> {
        let database = Database { path, remedy, opener, handle: RwLock::new(None) };
        database.check_format()?;
        Ok(database)
    }

    fn check_format(&self) -> Result<(), StateError> {
        let found = self.read(|transaction| {
            Ok(transaction.open_table(META)?.get(FORMAT)?.map(|format| format.value()))
        })?;
        let path = self.path.clone();
        match found {
            Some(FORMAT_KNOWN) => Ok(()),
            Some(found) if found > FORMAT_KNOWN => {
                Err(StateError::NewerFormat { path, found, known: FORMAT_KNOWN })
            }
            _ => {
                let (detail, remedy) = ("it does not say its format".to_owned(), self.remedy);
                Err(StateError::Damaged { path, detail, remedy })
            }
        }
    }

    /// Reads what one transaction sees.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, StateError> {
        self.run(|database| work(&database.begin_read()?))
    }

    /// Changes all that `work` does or, if it fails, nothing. When this
    /// returns the change is on the disk.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, StateError> {
        self.run(|database| {
            let transaction = database.begin_write()?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    fn run<T>(&self, work: impl FnOnce(&redb::Database) -> Result<T, Fault>) -> Result<T, StateError> {
        let outcome = loop {
            if let Some(database) = self.handle.read().as_ref() {
                break work(database);
            }
            self.reopen()?;
        };
        outcome.map_err(|fault| {
            if matches!(&fault, Fault::Database(redb::Error::Io(_) | redb::Error::PreviousIo)) {
                *self.handle.write() = None;
            }
            self.explain(fault)
        })
    }

    fn reopen(&self) -> Result<(), StateError> {
        let mut handle = self.handle.write();
        if handle.is_none() {
            *handle = Some((self.opener)(&self.path).map_err(|error| self.explain(Fault::Database(error)))?);
        }
        Ok(())
    }

    fn explain(&self, fault: Fault) -> StateError {
        let (path, remedy) = (self.path.clone(), self.remedy);
        match fault {
            Fault::Refused(error) => error,
            Fault::Unreadable { table, source } => {
                let detail = format!("a record of {table} cannot be read: {source}");
                StateError::Damaged { path, detail, remedy }
            }
            Fault::Database(error) => explain(path, remedy, error),
        }
    }
}

/// What an error of the database means to the operator.
fn explain(path: PathBuf, remedy: &'static str, error: redb::Error) -> StateError {
    use redb::Error;
    match error {
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => {
            StateError::InUse { directory: path.parent().unwrap_or(&path).to_owned() }
        }
        Error::Io(error) if is_nonsense(&error) => {
            StateError::Damaged { path, detail: error.to_string(), remedy }
        }
        Error::Io(error) => StateError::io("use", &path, error),
        Error::Corrupted(_)
        | Error::UpgradeRequired(_)
        | Error::RepairAborted
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TypeDefinitionChanged { .. }
        | Error::TableDoesNotExist(_) => StateError::Damaged { path, detail: error.to_string(), remedy },
        other => StateError::Database { path, source: Box::new(other) },
    }
}

/// Whether the file could be read, and what was read is no database.
fn is_nonsense(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput
    )
}

/// Makes an empty database under another name first, so that one that has its
/// name is whole, and one that is empty has been damaged.
fn make(directory: &Path, layout: &Layout, path: &Path) -> Result<(), StateError> {
    let unfinished = path.with_added_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StateError::io("remove", &unfinished, error));
        }
        _ => {}
    }
    redb::Database::create(&unfinished)
        .map_err(redb::Error::from)
        .and_then(|database| fill(&database, layout.tables))
        .map_err(|error| explain(unfinished.clone(), layout.remedy, error))?;
    fs::rename(&unfinished, path).map_err(|error| StateError::io("create", path, error))?;
    sync_directory(directory)
}

/// Makes the tables of a database that is new.
fn fill(
    database: &redb::Database,
    tables: fn(&WriteTransaction) -> Result<(), redb::TableError>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(FORMAT, FORMAT_KNOWN)?;
    tables(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// Opens a file and checks all of it, whoever closed it: redb may panic over
/// a damaged one that it trusts.
fn checking(cache_bytes: usize) -> redb::Builder {
    let mut builder = redb::Builder::new();
    builder.set_check_integrity_on_open(true).set_cache_size(cache_bytes);
    builder
}

/// A record as it is stored.
pub(super) fn encode(table: &'static str, record: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(record).map_err(|source| Fault::Refused(StateError::Encode { table, source }))
}

/// A record as it was stored.
pub(super) fn decode<T: DeserializeOwned>(table: &'static str, stored: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(stored).map_err(|source| Fault::Unreadable { table, source })
}

impl fmt::Debug for Database {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        Fault::Refused(error)
    }
}

macro_rules! database_faults {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Fault::Database(error.into())
            }
        }
    )*};
}

database_faults!(TransactionError, TableError, StorageError, CommitError);

#[cfg(test)]
mod tests;
