//! The sources of a project: whether they are other than they were.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsStr;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::{RecursiveMode, Watcher as _};
use tokio::sync::watch;
use tokio::time::timeout;

/// A change is often several: what comes within this time is one.
const SETTLE: Duration = Duration::from_millis(150);

/// Folders that are made of the sources, or are none.
const LEFT_OUT: [&str; 5] = ["target", "node_modules", "__pycache__", "dist", "build"];

/// Tells when the sources of a project change.
pub struct Sources {
    folder: PathBuf,
    _watcher: notify::RecommendedWatcher,
    events: watch::Receiver<u64>,
    /// What they were when that was last asked.
    seen: u64,
}

impl Sources {
    /// Looks at them from now on.
    ///
    /// # Errors
    /// A system that cannot tell of changes.
    pub fn watch(folder: &Path) -> Result<Self> {
        let cannot = || format!("cannot watch {}", folder.display());
        let (sender, events) = watch::channel(0);
        let root = folder.to_owned();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concerns = |event: notify::Event| {
                !event.kind.is_access() && event.paths.iter().any(|path| is_source(&root, path))
            };
            if event.is_ok_and(concerns) {
                sender.send_modify(|count| *count += 1);
            }
        })
        .with_context(cannot)?;
        watcher.watch(folder, RecursiveMode::Recursive).with_context(cannot)?;
        Ok(Sources { folder: folder.to_owned(), _watcher: watcher, events, seen: digest(folder) })
    }

    /// Waits until a source is other than it was at the last such answer, and
    /// all of them rest.
    pub async fn changed(&mut self) {
        loop {
            if self.events.changed().await.is_err() {
                return std::future::pending().await;
            }
            while let Ok(Ok(())) = timeout(SETTLE, self.events.changed()).await {}
            // Tools write what was there before, and editors touch files.
            let now = digest(&self.folder);
            if std::mem::replace(&mut self.seen, now) != now {
                return;
            }
        }
    }
}

/// Whether a file below `root` is one that an author writes.
fn is_source(root: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(root).unwrap_or(path);
    let left_out = |part: &OsStr| {
        let name = part.to_string_lossy();
        name.starts_with('.') || LEFT_OUT.contains(&name.as_ref())
    };
    !below.iter().any(left_out) && below.extension() != Some(OsStr::new("wasm"))
}

/// A number that is another one if any source is. What cannot be read is not
/// there.
fn digest(root: &Path) -> u64 {
    let mut files = Vec::new();
    list(root, root, &mut files);
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}

fn list(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            _ if !is_source(root, &path) => {}
            // Not through links, which may lead in a circle.
            Ok(kind) if kind.is_dir() => list(root, &path, files),
            Ok(_) => files.push(path),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_sources_is_none() {
        let root = Path::new("/p");
        for path in ["/p/src/lib.rs", "/p/Cargo.toml", "/p/wit/world.wit"] {
            assert!(is_source(root, Path::new(path)), "{path}");
        }
        for path in ["/p/target/x", "/p/.git/index", "/p/app.wasm", "/p/.venv/bin/x", "/p/a/node_modules/b"] {
            assert!(!is_source(root, Path::new(path)), "{path}");
        }
    }

    #[test]
    fn the_digest_is_of_contents() {
        let folder = tempfile::tempdir().expect("there is room");
        let file = folder.path().join("a");
        fs::write(&file, "1").expect("there is room");
        let before = digest(folder.path());
        fs::write(&file, "1").expect("there is room");
        fs::write(folder.path().join("a.wasm"), "2").expect("there is room");
        assert_eq!(digest(folder.path()), before);
        fs::write(&file, "2").expect("there is room");
        assert_ne!(digest(folder.path()), before);
    }
}
