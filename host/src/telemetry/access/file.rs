//! A file of lines, written by a thread of its own so that no exchange waits
//! for a disk. Lines that the disk is too slow for are lost, and counted.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that wait for the disk; what is lost after a second at full load.
const LINES_MAX: usize = 32 * 1024;

/// Who may read it: its owner and its group.
const MODE: u32 = 0o640;

/// How often lost lines and faults of the disk are told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Lines on their way into a file.
pub(super) struct LineFile {
    lines: NonBlocking,
    lost: ErrorCounter,
    told: Mutex<Told>,
    reopen: Arc<AtomicBool>,
    /// Writes what waits when it is dropped.
    _worker: WorkerGuard,
}

/// How many lost lines the log knows of.
#[derive(Debug, Default)]
struct Told {
    lines: usize,
    at: Option<Instant>,
}

impl LineFile {
    /// Appends to a file, which is made if it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = open(path).with_context(|| {
            let path = path.display();
            format!("cannot open the access log {path}; its directory has to be there, and writable")
        })?;
        let reopen = Arc::new(AtomicBool::new(false));
        let out = BufWriter::new(file);
        let writer = Reopening { out, path: path.to_owned(), reopen: reopen.clone(), failed: None };
        Ok(LineFile::writing(writer, reopen, LINES_MAX))
    }

    /// Writes to standard output.
    pub(super) fn stdout() -> Self {
        LineFile::writing(io::stdout(), Arc::default(), LINES_MAX)
    }

    fn writing(writer: impl Write + Send + 'static, reopen: Arc<AtomicBool>, lines_max: usize) -> Self {
        let (lines, worker) =
            NonBlockingBuilder::default().lossy(true).buffered_lines_limit(lines_max).finish(writer);
        let lost = lines.error_counter();
        LineFile { lines, lost, told: Mutex::default(), reopen, _worker: worker }
    }

    /// Has a whole line written, with its end.
    pub(super) fn put(&self, line: &[u8]) {
        // It never fails: a line that finds no room is lost, and counted.
        let _ = self.lines.clone().write_all(line);
        self.tell_lost(Instant::now());
    }

    /// Has the file opened again by its name before the next line.
    pub(super) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Tells the log of lost lines, now and then; returns how many it told of.
    fn tell_lost(&self, now: Instant) -> usize {
        let lost = self.lost.dropped_lines();
        // Who finds it locked leaves the telling to the other.
        let Some(mut told) = self.told.try_lock() else { return 0 };
        let lines = lost - told.lines.min(lost);
        if lines == 0 || told.at.is_some_and(|at| now.duration_since(at) < TELL_EVERY) {
            return 0;
        }
        *told = Told { lines: lost, at: Some(now) };
        tracing::warn!("{lines} lines of the access log were lost: the disk is too slow for them");
        lines
    }
}

/// A file that is opened again when it is told to be.
struct Reopening {
    out: BufWriter<File>,
    path: PathBuf,
    reopen: Arc<AtomicBool>,
    /// When the last fault was told.
    failed: Option<Instant>,
}

impl Reopening {
    /// The worker that calls this would drop the error, and the line with it.
    fn tell(&mut self, error: &io::Error) {
        if self.failed.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.failed = Some(Instant::now());
            let path = self.path.display();
            tracing::error!(%error, %path, "cannot write the access log, lines are lost");
        }
    }
}

impl Write for Reopening {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.reopen.swap(false, Ordering::Relaxed) {
            self.flush()?;
            match open(&self.path) {
                Ok(file) => self.out = BufWriter::new(file),
                Err(error) => self.tell(&error),
            }
        }
        // In one piece, so that no half of a line is ever left out.
        if let Err(error) = self.out.write_all(line) {
            self.tell(&error);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Err(error) = self.out.flush() {
            self.tell(&error);
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::mpsc;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("innkeeper-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn lines_are_appended_and_the_file_is_reopened_by_name() {
        let folder = folder("access");
        let (path, moved) = (folder.join("access.log"), folder.join("access.log.1"));
        fs::write(&path, "before\n").unwrap();
        let file = LineFile::open(&path).unwrap();
        file.put(b"one\n");
        drop(file);
        let file = LineFile::open(&path).unwrap();
        fs::rename(&path, &moved).unwrap();
        file.reopen();
        file.put(b"two\n");
        // Dropping it waits for the worker.
        drop(file);
        assert_eq!(fs::read_to_string(&moved).unwrap(), "before\none\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o137, 0);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let error = LineFile::open(Path::new("/no/such/folder/access.log")).err().unwrap();
        assert!(error.to_string().contains("/no/such/folder/access.log"), "{error}");
    }

    /// A disk that takes nothing until it is let.
    struct Slow(mpsc::Receiver<()>);

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lost_lines_are_counted_and_told_now_and_then() {
        let (go, wait) = mpsc::channel();
        let file = LineFile::writing(Slow(wait), Arc::default(), 1);
        // At most one is with the disk and one waits, so that two are lost.
        (0..4).for_each(|_| drop(file.lines.clone().write_all(b"line\n")));
        let now = Instant::now();
        let told = file.tell_lost(now);
        assert!((2..=3).contains(&told), "{told}");
        file.lines.clone().write_all(b"line\n").unwrap();
        file.lines.clone().write_all(b"line\n").unwrap();
        assert_eq!(file.tell_lost(now + TELL_EVERY / 2), 0);
        assert!(file.tell_lost(now + TELL_EVERY) >= 1);
        drop(go);
    }
}
