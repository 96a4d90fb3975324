//! Where guests go that compute for longer than a tick: a second runtime,
//! whose threads have low priority. The connection's task hands the whole call
//! over, instance and exchange inside it, and waits; the I/O threads are free.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::guest::call::Stopped;
use crate::guest::cpu::has_yielded;

/// How much nicer than the I/O threads: enough that they get the processor
/// whenever they want it, and no privilege is needed to ask for it.
const NICENESS: i32 = 10;

/// A call into a guest, boxed so that it can be handed over while it runs.
pub type Running<T> = Pin<Box<dyn Future<Output = Result<T, Stopped>> + Send>>;

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
    pub fn new() -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .thread_name("demoted")
            .on_thread_start(lower_priority)
            .enable_all()
            .build()
            .context("cannot start the threads for demoted guests")?;
        Ok(Demotion { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs a call where it is, and from the slice on that was too long to its
    /// end there. Dropping this drops the call.
    ///
    /// # Errors
    /// The call's own; beside these, only a panic in it or the end of the
    /// runtime.
    pub async fn as_needed<T: Send + 'static>(&self, mut call: Running<T>) -> Result<T, Stopped> {
        let called = poll_fn(|cx| match call.as_mut().poll(cx) {
            Poll::Ready(called) => Poll::Ready(Some(called)),
            Poll::Pending if has_yielded() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        match called.await {
            Some(called) => called,
            None => match AbortOnDropHandle::new(self.handle.spawn(call)).await {
                Ok(called) => called,
                Err(error) => Err(Stopped::Trapped(format!("a demoted call broke off: {error}"))),
            },
        }
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
