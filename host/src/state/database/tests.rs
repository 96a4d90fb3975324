//! The database on a disk that fails, of another format, and with records that
//! cannot be read.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::*;
use crate::state::{Action, Event, Store};

/// A disk that can be full: it takes no byte more then.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn room(&self) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.room()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> Result<(), io::Error> {
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.room()?;
        self.file.write(offset, data)
    }
}

/// A store whose database lies on such a disk.
fn store_on_a_disk(directory: &Path) -> (Store, Arc<AtomicBool>) {
    let (mut store, _) = Store::open(directory).unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let switch = full.clone();
    let opener = move |path: &Path| {
        let file = FileBackend::new(File::options().read(true).write(true).open(path)?)?;
        Ok(checking(STATE.cache_bytes).create_with_backend(Disk { file, full: switch.clone() })?)
    };
    // The file is locked until the first one lets go of it.
    *store.database.handle.write() = None;
    store.database = Database::open_with(directory.join(STATE.file), STATE.remedy, Box::new(opener)).unwrap();
    (store, full)
}

fn event() -> Event {
    Event { action: Action::QuotasChanged, by: "me".to_owned(), detail: String::new() }
}

#[test]
fn a_full_disk_changes_nothing_and_passes() {
    let directory = tempfile::tempdir().unwrap();
    let (store, full) = store_on_a_disk(directory.path());
    let tenant = "t".parse().unwrap();
    store.set_quotas(&tenant, &1.into(), event()).unwrap();
    full.store(true, Ordering::Relaxed);
    let error = store.set_quotas(&tenant, &2.into(), event()).unwrap_err();
    assert!(matches!(error, StateError::NoSpace { .. }), "{error:?}");
    let again = store.set_quotas(&tenant, &2.into(), event()).unwrap_err();
    assert!(matches!(again, StateError::NoSpace { .. }), "{again:?}");
    full.store(false, Ordering::Relaxed);
    assert_eq!(store.quotas().unwrap(), [(tenant.clone(), 1.into())].into());
    store.set_quotas(&tenant, &3.into(), event()).unwrap();
    assert_eq!(store.quotas().unwrap(), [(tenant, 3.into())].into());
    assert_eq!(store.history(|_| true, 10).unwrap().len(), 2);
}

#[test]
fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(directory.path()).unwrap();
    let format = |format| {
        store.database.write(|transaction| {
            transaction.open_table(META)?.insert(FORMAT, format)?;
            Ok(())
        })
    };
    format(FORMAT_KNOWN + 1).unwrap();
    drop(store);
    let error = Store::open(directory.path()).unwrap_err();
    assert!(matches!(error, StateError::NewerFormat { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_record_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(directory.path()).unwrap();
    store
        .database
        .write(|transaction| {
            transaction.open_table(APPS)?.insert("a", b"{\"name\": \"a\"}".as_slice())?;
            Ok(())
        })
        .unwrap();
    let error = store.apps().unwrap_err().to_string();
    assert!(error.contains("a record of apps cannot be read: missing field"), "{error}");
}
