//! A worker runs one instance of WASI 0.3 for several exchanges at a time, as a
//! task of its own. It ends when none of them is left, and gives the instance
//! back; or with its instance, and then all of them end.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::stream::{FuturesUnordered, Stream as _};
use parking_lot::Mutex;
use wasmtime::AsContextMut as _;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{Prepared, Proxy, Request, Response};

use crate::guest::call::{Stopped, blame, supervised};
use crate::guest::cpu::{Cpu, has_yielded};
use crate::guest::instance::{HostState, Instance, Instances, Loaded};

/// What an exchange wants of an instance.
pub struct Job {
    /// Its request.
    pub request: Request,
    /// Where the response goes.
    pub answers: oneshot::Sender<wasmtime::Result<Response>>,
    /// Its place in the worker.
    pub ticket: Arc<Ticket>,
}

/// An exchange, as its worker knows it.
pub struct Ticket {
    exchange: u64,
    cpu_nanos: AtomicU64,
}

/// The workers of one version of an app that may take another exchange.
pub struct Workers {
    open: Mutex<Vec<Arc<Worker>>>,
    /// Exchanges that each has at most at a time.
    concurrent_max: usize,
}

/// One worker, as exchanges know it.
pub struct Worker {
    state: Mutex<State>,
    cpu: Arc<Cpu>,
    /// Exchanges that its instance may yet have.
    left: u64,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Those that are not over, the oldest first, queued ones among them.
    tickets: Vec<Arc<Ticket>>,
    /// All that it was ever given.
    taken: u64,
    /// Its guest computes, or may be about to.
    busy: bool,
    /// It takes no more.
    closed: bool,
    /// It has a call that nobody waits for.
    abandoned: bool,
    /// The guest has nothing under way.
    quiet: bool,
    end: Option<End>,
    waker: Option<Waker>,
    /// Exchanges that wait for its end, or for its rest.
    waiting: Vec<Waker>,
}

/// Why a worker's instance ended.
struct End {
    stopped: Option<Stopped>,
    /// The exchange that it is put down to, if there was one: the youngest,
    /// because nothing says which it was, and most faults come early.
    blamed: Option<Arc<Ticket>>,
}

/// How a worker comes to its end without a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The instance is for the next.
    Idle,
    /// The instance has a call that nobody waits for.
    GivenUp,
}

impl Ticket {
    /// For an exchange by its number.
    pub fn new(exchange: u64) -> Self {
        Ticket { exchange, cpu_nanos: AtomicU64::new(0) }
    }

    /// Its share of what the instance has computed.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed))
    }
}

impl Workers {
    /// None yet; each may have so many exchanges at a time.
    pub fn new(concurrent_max: u32) -> Self {
        Workers { open: Mutex::default(), concurrent_max: concurrent_max as usize }
    }

    /// Gives a job to a worker that has room and does not compute.
    ///
    /// # Errors
    /// The job, if there is none.
    pub fn hand(&self, job: Job) -> Result<Arc<Worker>, Box<Job>> {
        let mut job = Box::new(job);
        let mut open = self.open.lock();
        open.retain(|worker| !worker.state.lock().closed);
        for worker in open.iter() {
            match worker.take(job, self.concurrent_max) {
                Ok(()) => return Ok(worker.clone()),
                Err(back) => job = back,
            }
        }
        Err(job)
    }
}

impl Worker {
    /// Starts one with its first job.
    pub fn start(instances: &Arc<Instances>, instance: Instance, cpu: Arc<Cpu>, job: Job) -> Arc<Self> {
        let left = instances.limits().requests_per_instance_max.saturating_sub(instance.served());
        let mut state = State { taken: 1, busy: true, closed: left <= 1, ..State::default() };
        state.tickets.push(job.ticket.clone());
        state.queue.push_back(job);
        let worker = Arc::new(Worker { state: Mutex::new(state), cpu, left });
        if left > 1 {
            instances.workers().open.lock().push(worker.clone());
        }
        tokio::spawn(work(worker.clone(), instances.clone(), instance));
        worker
    }

    fn take(&self, job: Box<Job>, concurrent_max: usize) -> Result<(), Box<Job>> {
        let mut state = self.state.lock();
        if state.closed || state.busy || state.tickets.len() >= concurrent_max {
            return Err(job);
        }
        state.taken += 1;
        state.closed = state.taken >= self.left;
        state.tickets.push(job.ticket.clone());
        state.queue.push_back(*job);
        state.quiet = false;
        self.cpu.share_among(state.tickets.len(), state.tickets.len() == 1);
        state.wake();
        // One that waits for the guest's rest is not the last any more.
        state.waiting.drain(..).for_each(Waker::wake);
        Ok(())
    }

    /// Ready when the exchange, which was answered, may leave: a
    /// guest that goes on after its answer does so on the time of its last
    /// exchange.
    pub fn poll_leave(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.quiet || state.tickets.len() > 1 || state.end.is_some() {
            return Poll::Ready(());
        }
        state.waiting.push(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the part of an exchange, which was `answered` or given up.
    pub fn leave(&self, ticket: &Arc<Ticket>, answered: bool) {
        let mut state = self.state.lock();
        state.tickets.retain(|other| !Arc::ptr_eq(other, ticket));
        let queued = state.queue.len();
        state.queue.retain(|job| !Arc::ptr_eq(&job.ticket, ticket));
        if !answered && queued == state.queue.len() {
            state.closed = true;
            state.abandoned = true;
        }
        self.cpu.share_among(state.tickets.len(), true);
        state.wake();
    }

    /// Whether its instance has ended with a fault.
    pub fn is_over(&self) -> bool {
        self.state.lock().end.is_some()
    }

    /// Why its instance ended, as far as that concerns the exchange with
    /// `ticket`.
    pub fn poll_end(&self, cx: &mut Context<'_>, ticket: &Arc<Ticket>) -> Poll<Stopped> {
        let mut state = self.state.lock();
        let Some(end) = &mut state.end else {
            state.waiting.push(cx.waker().clone());
            return Poll::Pending;
        };
        let blamed = end.blamed.as_ref().is_some_and(|blamed| Arc::ptr_eq(blamed, ticket));
        let stopped = if blamed { end.stopped.take() } else { None };
        Poll::Ready(stopped.unwrap_or(Stopped::Neighbour))
    }

    fn end(&self, stopped: Stopped) {
        let mut state = self.state.lock();
        state.closed = true;
        let blamed = state.tickets.last().cloned();
        if blamed.is_none() {
            tracing::warn!("an instance ended after its exchanges: {stopped:?}");
        }
        state.end = Some(End { stopped: Some(stopped), blamed });
        state.queue.clear();
        state.waiting.drain(..).for_each(Waker::wake);
    }

    /// The next job, if the guest is free for one.
    fn next(&self, cx: &mut Context<'_>, may_take: bool) -> Option<Job> {
        let mut state = self.state.lock();
        state.waker = Some(cx.waker().clone());
        if may_take { state.queue.pop_front() } else { None }
    }

    /// Whether the worker's part is over: then it takes no more.
    fn rests(&self, quiet: bool) -> bool {
        let mut state = self.state.lock();
        state.quiet = quiet;
        if quiet {
            state.waiting.drain(..).for_each(Waker::wake);
        }
        if !quiet || !state.tickets.is_empty() {
            return false;
        }
        state.closed = true;
        true
    }

    /// Whether nobody waits for the call that its instance still has.
    fn is_given_up(&self) -> bool {
        let state = self.state.lock();
        state.abandoned && state.tickets.is_empty()
    }

    /// Shares out what the instance has computed since `before`.
    fn share_out(&self, before: Duration) {
        let used = self.cpu.used().saturating_sub(before);
        let state = self.state.lock();
        let Some(share) = u32::try_from(state.tickets.len()).ok().and_then(|among| used.checked_div(among))
        else {
            return;
        };
        let nanos = u64::try_from(share.as_nanos()).unwrap_or(u64::MAX);
        for ticket in &state.tickets {
            ticket.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
        }
    }

    fn set_busy(&self, busy: bool) {
        self.state.lock().busy = busy;
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The worker's task.
async fn work(worker: Arc<Worker>, instances: Arc<Instances>, instance: Instance) {
    let share = instances.account().share.clone();
    let running = {
        let worker = worker.clone();
        async move { run(&worker, &instances, instance).await }
    };
    if let Err(stopped) = share.as_needed(Box::pin(running)).await {
        // Without an end of its own it panicked.
        if !worker.is_over() {
            worker.end(stopped);
        }
    }
}

/// Runs an instance until nobody needs it.
async fn run(worker: &Worker, instances: &Instances, mut instance: Instance) -> Result<(), Stopped> {
    let ran = {
        let mut serving = pin!(serve(worker, &mut instance));
        let observed = poll_fn(|cx| {
            worker.set_busy(true);
            let polled = serving.as_mut().poll(cx);
            if polled.is_pending() && worker.is_given_up() {
                return Poll::Ready(Ok(Ok(Rest::GivenUp)));
            }
            worker.set_busy(polled.is_pending() && has_yielded());
            polled.map(Ok)
        });
        let mut before = worker.cpu.used();
        supervised(&worker.cpu, pin!(observed), |_| {
            worker.share_out(before);
            before = worker.cpu.used();
            Poll::Pending
        })
        .await?
    };
    match ran {
        Ok(Rest::Idle) => {
            instance.note_served(worker.state.lock().taken);
            instances.keep(instance);
            Ok(())
        }
        Ok(Rest::GivenUp) => Ok(()),
        Err(error) => {
            // Said before the instance is dropped, whose streams end with it.
            worker.end(blame(&error, instance.memory_limit_reached()));
            Ok(())
        }
    }
}

async fn serve(worker: &Worker, instance: &mut Instance) -> wasmtime::Result<Rest> {
    let Loaded::WasiHttp03(proxy) = &instance.handler else {
        return Err(wasmtime::Error::msg("an instance of another contract"));
    };
    instance.store.run_concurrent(async |accessor| calls(worker, accessor, proxy).await).await?
}

/// Takes jobs as they come, until there is none and the guest is at rest.
async fn calls(worker: &Worker, accessor: &Accessor<HostState>, proxy: &Proxy) -> wasmtime::Result<Rest> {
    let Proxy::P3(service) = proxy else {
        return Err(wasmtime::Error::msg("an instance of another contract"));
    };
    let entry = *service.wasi_http_handler().func_handle().func();
    let mut calls = pin!(FuturesUnordered::new());
    poll_fn(|cx| {
        loop {
            match calls.as_mut().poll_next(cx) {
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(Some(Ok(_))) => continue,
                Poll::Ready(None) | Poll::Pending => {}
            }
            // One call at a time begins: until it waits, it may compute.
            let may_take = accessor.poll_ready_for_concurrent_call(entry, cx).is_ready();
            if let Some(Job { request, answers, ticket }) = worker.next(cx, may_take) {
                let prepared = accessor.with(|mut store| {
                    store.data_mut().begin_shared(ticket.exchange);
                    Prepared::new(store.as_context_mut(), proxy, request, HostState::http, answers)
                })?;
                // How long it may take is the exchange's to know.
                calls.push(prepared.run(accessor, pending()));
                continue;
            }
            let quiet = calls.is_empty() && accessor.poll_no_interesting_tasks(cx).is_ready();
            return if worker.rests(quiet) { Poll::Ready(Ok(Rest::Idle)) } else { Poll::Pending };
        }
    })
    .await
}
