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
    folders: Vec<PathBuf>,
    _watcher: notify::RecommendedWatcher,
    events: watch::Receiver<u64>,
    /// What they were when that was last asked.
    seen: u64,
}

impl Sources {
    /// Looks at those in these folders from now on.
    ///
    /// # Errors
    /// A system that cannot tell of changes.
    pub fn watch(mut folders: Vec<PathBuf>) -> Result<Self> {
        // Each by itself, and none twice for being below another.
        folders.sort();
        folders.dedup_by(|folder, before| folder.starts_with(before));
        let (sender, events) = watch::channel(0);
        let roots = folders.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concerns = |event: notify::Event| {
                !event.kind.is_access() && event.paths.iter().any(|path| is_source_of(&roots, path))
            };
            if event.is_ok_and(concerns) {
                sender.send_modify(|count| *count += 1);
            }
        })
        .context("cannot watch the sources")?;
        for folder in &folders {
            let cannot = || format!("cannot watch {}", folder.display());
            watcher.watch(folder, RecursiveMode::Recursive).with_context(cannot)?;
        }
        let seen = digest(&folders);
        Ok(Sources { folders, _watcher: watcher, events, seen })
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
            let now = digest(&self.folders);
            if std::mem::replace(&mut self.seen, now) != now {
                return;
            }
        }
    }
}

/// Whether a file is one that an author writes, in any of these folders.
fn is_source_of(roots: &[PathBuf], path: &Path) -> bool {
    roots.iter().any(|root| path.starts_with(root) && is_source(root, path))
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
fn digest(roots: &[PathBuf]) -> u64 {
    let mut files = Vec::new();
    roots.iter().for_each(|root| list(root, root, &mut files));
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
        let roots = [folder.path().to_owned()];
        let before = digest(&roots);
        fs::write(&file, "1").expect("there is room");
        fs::write(folder.path().join("a.wasm"), "2").expect("there is room");
        assert_eq!(digest(&roots), before);
        fs::write(&file, "2").expect("there is room");
        assert_ne!(digest(&roots), before);
    }

    #[tokio::test]
    async fn a_change_in_any_folder_is_one() {
        let folder = tempfile::tempdir().expect("there is room");
        let [project, beside] = ["project", "beside"].map(|name| folder.path().join(name));
        for folder in [&project, &beside] {
            fs::create_dir(folder).expect("there is room");
        }
        let below = project.join("src");
        fs::create_dir(&below).expect("there is room");
        let mut sources =
            Sources::watch(vec![below, beside.clone(), project.clone()]).expect("it can be watched");
        assert_eq!(sources.folders, [beside.clone(), project]);
        fs::write(beside.join("lib.rs"), "1").expect("there is room");
        timeout(Duration::from_secs(20), sources.changed()).await.expect("it is told");
    }
}
