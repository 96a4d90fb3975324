//! Components as files: `components/<sha256>.wasm`, written below `uploads/`
//! first. A file has its final name only when all its bytes are on the disk.
//! Which of them are needed the database knows; here it is only known which
//! are about to be.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use sha2::Digest;

use super::{Sha256, StateError, Store};

/// The directories of components and uploads.
#[derive(Debug)]
pub(super) struct Components {
    components: PathBuf,
    uploads: PathBuf,
    uploads_begun: AtomicU64,
    pending: Mutex<Pending>,
}

/// Components that are uploaded but not named by a version yet, and how many
/// uploads brought each. Whoever removes a component, or has the database name
/// one, holds this lock meanwhile, so that neither can miss the other.
#[derive(Debug, Default)]
pub(super) struct Pending(HashMap<Sha256, usize>);

impl Store {
    /// Begins the upload of a component.
    ///
    /// # Errors
    ///
    /// If the file cannot be made.
    pub fn begin_upload(&self) -> Result<Upload, StateError> {
        self.components.begin_upload()
    }

    /// Where a component is, or would be.
    pub fn component_path(&self, sha256: &Sha256) -> PathBuf {
        self.components.path(sha256)
    }

    /// Reads a component and checks that it is what its name says.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged or cannot be read.
    pub fn verify(&self, sha256: &Sha256) -> Result<(), StateError> {
        self.components.verify(sha256)
    }
}

impl Components {
    pub(super) fn open(directory: &Path) -> Result<Self, StateError> {
        let components = directory.join("components");
        let uploads = directory.join("uploads");
        for made in [&components, &uploads] {
            fs::create_dir_all(made).map_err(|error| StateError::io("create", made, error))?;
        }
        sync_directory(directory)?;
        Ok(Components { components, uploads, uploads_begun: AtomicU64::new(0), pending: Mutex::default() })
    }

    /// The lock for naming and removing components.
    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock()
    }

    pub(super) fn path(&self, sha256: &Sha256) -> PathBuf {
        self.components.join(format!("{sha256}.wasm"))
    }

    /// The bytes that a component's file has; none if there is none.
    pub(super) fn size(&self, sha256: &Sha256) -> Result<Option<u64>, StateError> {
        let path = self.path(sha256);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StateError::io("look at", &path, error)),
        }
    }

    fn verify(&self, sha256: &Sha256) -> Result<(), StateError> {
        let path = self.path(sha256);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StateError::ComponentMissing { path });
            }
            opened => opened.map_err(|error| StateError::io("open", &path, error))?,
        };
        let found = hash(&mut file).map_err(|error| StateError::io("read", &path, error))?;
        if found == *sha256 { Ok(()) } else { Err(StateError::wrong_hash(path, &found)) }
    }

    fn begin_upload(self: &Arc<Self>) -> Result<Upload, StateError> {
        let number = self.uploads_begun.fetch_add(1, Ordering::Relaxed);
        let path = self.uploads.join(format!("{number}.part"));
        let file = File::create_new(&path).map_err(|error| StateError::io("create", &path, error))?;
        let part = Part { file, path };
        Ok(Upload { components: self.clone(), part, hasher: sha2::Sha256::new(), bytes: 0 })
    }

    /// Whether no component is there.
    pub(super) fn is_empty(&self) -> Result<bool, StateError> {
        Ok(self.list()?.is_empty())
    }

    /// All components that are there. What has another name is not ours.
    pub(super) fn list(&self) -> Result<Vec<Sha256>, StateError> {
        let name = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".wasm")?.parse().ok();
        Ok(files(&self.components)?.iter().filter_map(|path| name(path)).collect())
    }

    /// Removes a component. The caller holds [`Components::pending`], or is
    /// the only one yet.
    pub(super) fn remove(&self, sha256: &Sha256) -> Result<(), StateError> {
        remove_file(&self.path(sha256))
    }

    /// Removes what earlier hosts left half uploaded, and says how many.
    pub(super) fn remove_uploads(&self) -> Result<usize, StateError> {
        let leftovers = files(&self.uploads)?;
        leftovers.iter().try_for_each(|path| remove_file(path))?;
        Ok(leftovers.len())
    }
}

impl Pending {
    fn add(&mut self, sha256: Sha256) {
        *self.0.entry(sha256).or_default() += 1;
    }

    /// One upload of it came to its end: a version names it, or will not.
    pub(super) fn settle(&mut self, sha256: &Sha256) {
        if let Some(uploads) = self.0.get_mut(sha256) {
            *uploads -= 1;
            if *uploads == 0 {
                self.0.remove(sha256);
            }
        }
    }

    /// Whether a version is about to name it.
    pub(super) fn has(&self, sha256: &Sha256) -> bool {
        self.0.contains_key(sha256)
    }
}

/// A component that is being uploaded. Dropping it before [`Upload::finish`]
/// removes what has been written.
#[derive(Debug)]
pub struct Upload {
    components: Arc<Components>,
    part: Part,
    hasher: sha2::Sha256,
    bytes: u64,
}

impl Upload {
    /// Writes the next bytes.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails; the upload can then only be dropped.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        self.part.file.write_all(bytes).map_err(|error| StateError::io("write", &self.part.path, error))?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Puts the component in its place, on the disk to stay, and says what it
    /// is called and how many bytes it has. A file that is there already is
    /// replaced: it may have been damaged, and this one is known to be good.
    ///
    /// It is kept until [`Store::add_version`] or [`Store::discard`] has been
    /// called for it, or to the end of the process.
    ///
    /// # Errors
    ///
    /// If the disk is full or fails; nothing of the upload is left then.
    pub fn finish(self) -> Result<(Sha256, u64), StateError> {
        let Upload { components, part, hasher, bytes } = self;
        part.file.sync_all().map_err(|error| StateError::io("write", &part.path, error))?;
        let sha256 = Sha256::finish(hasher);
        let path = components.path(&sha256);
        // A component that is being removed must not be this one.
        let mut pending = components.pending();
        fs::rename(&part.path, &path).map_err(|error| StateError::io("create", &path, error))?;
        sync_directory(&components.components)?;
        pending.add(sha256);
        Ok((sha256, bytes))
    }
}

/// A file that goes with its owner, unless it has been moved.
#[derive(Debug)]
struct Part {
    file: File,
    path: PathBuf,
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Err(error) = remove_file(&self.path) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an upload's file stays until the next start"
            );
        }
    }
}

fn hash(from: &mut impl Read) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    io::copy(from, &mut hasher)?;
    Ok(Sha256::finish(hasher))
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, StateError> {
    fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(|error| StateError::io("list", directory, error))
}

fn remove_file(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// Has a directory's names on the disk: a rename is not there to stay before.
pub(super) fn sync_directory(directory: &Path) -> Result<(), StateError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StateError::io("write", directory, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        let mut upload = store.begin_upload().unwrap();
        upload.write(b"fits").unwrap();
        // The system's own full disk.
        upload.part.file = File::options().write(true).open("/dev/full").unwrap();
        let error = upload.write(b"does not").unwrap_err();
        assert!(matches!(error, StateError::NoSpace { .. }), "{error}");
        drop(upload);
        assert_eq!(files(&store.components.uploads).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(store.components.list().unwrap(), []);
    }
}
