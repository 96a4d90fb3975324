//! Where guests go that compute for longer than a tick: a second runtime,
//! whose threads have low priority. The connection's task hands the whole call
//! over, instance and exchange inside it, and waits; the I/O threads are free.

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

/// How much nicer than the I/O threads: enough that they get the processor
/// whenever they want it, and no privilege is needed to ask for it.
const NICENESS: i32 = 10;

/// The runtime of demoted calls.
pub struct Demotion {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Demotion {
    /// Starts its threads, one for each processor.
    ///
    /// # Errors
    /// What the system says about threads.
    pub fn new() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .thread_name("demoted")
            .on_thread_start(lower_priority)
            .enable_all()
            .build()
            .context("cannot start the threads for demoted guests")?;
        Ok(Demotion { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs `call` to its end there. Dropping this drops the call.
    ///
    /// # Errors
    /// None but a panic in the call, or the end of the runtime.
    pub async fn run<T: Send + 'static>(&self, call: impl Future<Output = T> + Send + 'static) -> Result<T> {
        AbortOnDropHandle::new(self.handle.spawn(call)).await.context("a demoted call broke off")
    }
}

impl Drop for Demotion {
    fn drop(&mut self) {
        // Dropped on an I/O thread, where a runtime must not block.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn lower_priority() {
    // Linux takes a thread's number here, and counts niceness by thread.
    let thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(thread), NICENESS) {
        tracing::warn!(%error, "demoted guests run at normal priority");
    }
}
