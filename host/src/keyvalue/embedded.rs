//! Keys and values in a database of the host's own. It blocks, so that nobody
//! waits for it on an I/O thread: one thread writes, as many at a time as have
//! come while it waited for the disk, and some threads for blocking work read.

use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{KeyValueError, Versioned};
use crate::state::{KeyValues, Refused, Space, StateError, Write, Written};

/// Writes that share a transaction: enough that a slow disk is no bottleneck,
/// few enough that the first of them does not wait long for the last.
const SHARING_MAX: usize = 256;

/// Reads at a time. They seldom wait for the disk, and must leave threads for
/// other work that blocks.
const READS_MAX: usize = 16;

/// A database, and what it is written and read by. The thread ends with the
/// last of its copies.
#[derive(Clone)]
pub(super) struct Embedded {
    values: Arc<KeyValues>,
    writes: mpsc::Sender<Job>,
    reads: Arc<Semaphore>,
    runtime: Handle,
}

/// A write that somebody waits for, or waited: it is made all the same.
struct Job {
    space: Arc<Space>,
    bytes_max: u64,
    write: Write,
    done: oneshot::Sender<Result<Result<Written, Refused>, Arc<StateError>>>,
}

impl Embedded {
    /// Starts the thread that writes.
    pub(super) fn start(values: KeyValues, runtime: &Handle) -> Result<Self> {
        let values = Arc::new(values);
        let (writes, jobs) = mpsc::channel(SHARING_MAX);
        let writer = values.clone();
        thread::Builder::new()
            .name("keyvalue".to_owned())
            .spawn(move || write_all(&writer, jobs))
            .context("cannot start the thread for keys and values")?;
        let reads = Arc::new(Semaphore::new(READS_MAX));
        Ok(Embedded { values, writes, reads, runtime: runtime.clone() })
    }

    pub(super) async fn get(
        &self,
        space: &Arc<Space>,
        keys: Vec<String>,
        bytes_max: usize,
    ) -> Result<Option<Vec<Option<Versioned>>>, KeyValueError> {
        let space = space.clone();
        self.read(move |values| values.get(&space, &keys, bytes_max)).await
    }

    pub(super) async fn version(
        &self,
        space: &Arc<Space>,
        key: String,
    ) -> Result<Option<u64>, KeyValueError> {
        let space = space.clone();
        self.read(move |values| values.version(&space, &key)).await
    }

    pub(super) async fn list(
        &self,
        space: &Arc<Space>,
        after: Option<u64>,
        keys_max: usize,
    ) -> Result<Vec<(u64, String)>, KeyValueError> {
        let space = space.clone();
        self.read(move |values| values.list(&space, after, keys_max)).await
    }

    pub(super) async fn write(
        &self,
        space: &Arc<Space>,
        bytes_max: u64,
        write: Write,
    ) -> Result<Result<Written, Refused>, KeyValueError> {
        let (done, written) = oneshot::channel();
        let job = Job { space: space.clone(), bytes_max, write, done };
        self.writes.send(job).await.map_err(|_| broken())?;
        let written = written.await.map_err(|_| broken())?;
        written.map_err(|error| KeyValueError::Unavailable(anyhow!(error)))
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KeyValues) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, KeyValueError> {
        let permit = self.reads.clone().acquire_owned().await.map_err(|_| broken())?;
        let values = self.values.clone();
        let reading = self.runtime.spawn_blocking(move || {
            let read = work(&values);
            drop(permit);
            read
        });
        let read = reading.await.map_err(|_| broken())?;
        read.map_err(|error| KeyValueError::Unavailable(error.into()))
    }
}

/// Makes the writes that come, until nobody can send one any more.
fn write_all(values: &KeyValues, mut jobs: mpsc::Receiver<Job>) {
    let mut sharing = Vec::with_capacity(SHARING_MAX);
    while jobs.blocking_recv_many(&mut sharing, SHARING_MAX) > 0 {
        let writes = sharing.iter().map(|job| (&*job.space, job.bytes_max, &job.write));
        match values.write(writes) {
            Ok(written) => {
                for (job, written) in sharing.drain(..).zip(written) {
                    // Whoever has gone does not want to know.
                    let _gone = job.done.send(Ok(written));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for job in sharing.drain(..) {
                    let _gone = job.done.send(Err(error.clone()));
                }
            }
        }
    }
}

/// What cannot be: the thread outlives whoever sends to it, unless it panicked.
fn broken() -> KeyValueError {
    KeyValueError::Unavailable(anyhow!("the thread for keys and values is gone; restart the host"))
}
