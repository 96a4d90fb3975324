//! Where guests go that compute for longer than a tick, or whose tenant is out
//! of CPU time: threads of low priority, shared fairly by tenant. The
//! connection's task hands the whole call over, instance and exchange inside
//! it, and waits; the I/O threads are free. Whose turn it is decides
//! `queue`.

mod queue;

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use anyhow::Context as _;
use async_task::{ScheduleInfo, WithInfo};
use tokio::runtime::Handle;

use crate::guest::budget::Budget;
use crate::guest::call::Stopped;
use crate::guest::cpu::{has_yielded, holding_back, thread_time};
use crate::guest::demotion::queue::{Call, Done, Place, Queue, Turn};

/// How much nicer than the I/O threads: enough that they get the processor
/// when they want it; not so much that a thread which holds a lock of theirs
/// hardly ever runs (`docs/decisions/009`). It needs no privilege.
const NICENESS: i32 = 10;

/// Fewest threads. With one alone, a call that is in a long host function,
/// where nothing preempts it, would hold up all the others.
const THREADS_MIN: usize = 2;

/// A call into a guest, boxed so that it can be handed over while it runs.
pub type Running<T> = Pin<Box<dyn Future<Output = Result<T, Stopped>> + Send>>;

/// The threads of demoted calls. Dropping it blocks nobody: the threads end on
/// their own once every [`Share`] is gone as well, and so every call.
pub struct Demotion {
    threads: Arc<Threads>,
}

/// A tenant's part in the threads: as much CPU time as every other tenant that
/// wants it, whatever number of calls each has there.
#[derive(Clone)]
pub struct Share {
    seat: Arc<Seat>,
}

/// Held by all that may bring calls or has some there.
struct Threads {
    queue: Arc<Queue>,
}

struct Seat {
    /// The tenant's place in the queue.
    number: u64,
    tenant: String,
    budget: Arc<Budget>,
    threads: Arc<Threads>,
}

impl Demotion {
    /// Starts the threads, one for each processor: more would only take turns.
    /// Timers and sockets of the calls are those of the tokio runtime that
    /// this is called in, which must outlive the calls.
    ///
    /// # Errors
    /// No tokio runtime; what the system says about threads.
    pub fn new() -> anyhow::Result<Self> {
        let runtime = Handle::try_current().context("demoted guests need a tokio runtime")?;
        let threads = Arc::new(Threads { queue: Arc::new(Queue::default()) });
        let count = thread::available_parallelism().map_or(THREADS_MIN, |count| count.get().max(THREADS_MIN));
        for _ in 0..count {
            let (queue, runtime) = (threads.queue.clone(), runtime.clone());
            thread::Builder::new()
                .name("demoted".to_owned())
                .spawn(move || work(&queue, &runtime))
                .context("cannot start the threads for demoted guests")?;
        }
        Ok(Demotion { threads })
    }

    /// The part of a tenant, one for all its calls, whose CPU time is
    /// `budget`'s.
    pub fn share(&self, tenant: &str, budget: Arc<Budget>) -> Share {
        let number = self.threads.queue.join(budget.clone());
        Share {
            seat: Arc::new(Seat { number, tenant: tenant.to_owned(), budget, threads: self.threads.clone() }),
        }
    }

    /// Demoted calls that could run now and wait for a thread.
    pub fn waiting(&self) -> usize {
        self.threads.queue.waiting()
    }

    /// Demoted calls that run now.
    pub fn running(&self) -> usize {
        self.threads.queue.running()
    }
}

impl Share {
    /// The tenant's CPU time.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.seat.budget
    }

    /// Runs a call where it is, and from the slice on that was too long, or
    /// that its tenant has no CPU time for, to its end on the threads. Dropping
    /// this drops the call.
    ///
    /// # Errors
    /// The call's own; beside these, only a panic in it.
    pub async fn as_needed<T: Send + 'static>(&self, mut call: Running<T>) -> Result<T, Stopped> {
        let called = poll_fn(|cx| {
            if self.budget().debt().is_some() {
                return Poll::Ready(None);
            }
            match call.as_mut().poll(cx) {
                Poll::Ready(called) => Poll::Ready(Some(called)),
                Poll::Pending if has_yielded() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        match called.await {
            Some(called) => called,
            None => self.demote(call).await,
        }
    }

    async fn demote<T: Send + 'static>(&self, call: Running<T>) -> Result<T, Stopped> {
        let place = Arc::new(Place::default());
        let contained = Contained { call: Some(call), place: place.clone(), tenant: self.seat.clone() };
        let seat = self.seat.clone();
        let schedule = WithInfo(move |call: Call, info: ScheduleInfo| {
            seat.threads.queue.push(seat.number, call, info.woken_while_running);
        });
        let (call, task) = async_task::Builder::new().metadata(place).spawn(|_| contained, schedule);
        call.schedule();
        let called = task.fallible().await;
        called.unwrap_or_else(|| Err(Stopped::Trapped("a demoted call was given up".to_owned())))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.threads.queue.leave(self.number);
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A call whose panics, running or being dropped, go no further.
struct Contained<T> {
    call: Option<Running<T>>,
    place: Arc<Place>,
    tenant: Arc<Seat>,
}

impl<T> Future for Contained<T> {
    type Output = Result<T, Stopped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|panic| {
            let message = message_of(&*panic);
            tracing::error!(tenant = %self.tenant.tenant, "a demoted call panicked: {message}");
            Poll::Ready(Err(Stopped::Trapped(format!("a demoted call panicked: {message}"))))
        })
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        let call = self.call.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(call))) {
            let message = message_of(&*panic);
            tracing::error!(tenant = %self.tenant.tenant, "a demoted call panicked as it ended: {message}");
        }
        self.place.give_up();
    }
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// A thread's life.
fn work(queue: &Queue, runtime: &Handle) {
    lower_priority();
    while let Some(turn) = queue.next() {
        match turn {
            Turn::Wake(waker) => waker.wake(),
            Turn::Run { seat, call, hold } => {
                let place = call.metadata().clone();
                let waker = hold.then(|| call.waker());
                let before = thread_time();
                // Not just within the runtime, but as one of its tasks, whose
                // polls have a budget: so loops over sockets that always have
                // more to read end here as they do on its own threads.
                let run = || _ = runtime.block_on(async move { call.run() });
                let held_back = if hold {
                    holding_back(run)
                } else {
                    run();
                    false
                };
                let ran = thread_time().saturating_sub(before);
                queue.settle(Done { seat, ran, place, waker, held_back });
            }
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

#[cfg(test)]
mod tests;
