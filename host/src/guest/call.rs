//! One call into a guest: polled where the connection lives, watched while it
//! waits, demoted when it computes for too long, ended when a limit says so.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::timeout;
use wasmtime::component::{Resource, ResourceTableError};
use wasmtime::error::Context as _;
use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::event::Event;
use crate::guest::api;
use crate::guest::component::{Callee, Entries};
use crate::guest::cpu::{Cpu, has_yielded};
use crate::guest::instance::{Instance, Instances, Loaded, TENANT_MEMORY};
use crate::guest::node_http;
use crate::guest::outgoing::Outgoing;
use crate::guest::trap::explain;
use crate::guest::wasi_http;
use crate::guest::wasi_http::reply::judged;
use crate::wire::error::ClientFault;
use crate::wire::exchange::Exchange;
use crate::wire::watch::{Interruption, Watch};

/// Why a handler did not return.
#[derive(Debug)]
pub enum Stopped {
    /// The guest trapped; this is why.
    Trapped(String),
    /// The guest's `cpu_time_max`.
    CpuTime,
    /// The guest's handler of a tunnel failed.
    GaveUp,
    /// The guest's `wall_time_max`.
    WallTime,
    /// A limit on memory, tables or handles, after which the guest gave up.
    Limit(&'static str),
    /// The memory of the tenant, after which the guest gave up.
    TenantMemory,
    /// There was no room for an instance.
    Full,
    /// The guest gave an error code of `wasi:http` in place of its answer.
    ErrorCode {
        /// The status that says the same.
        status: u16,
        /// What it says.
        what: String,
    },
    /// The contract has no words for the request.
    Untold(ClientFault),
    /// The instance ended, and it was another exchange that it is put down to.
    Neighbour,
    /// The exchange was over first.
    Interrupted(Interruption),
}

/// Makes or takes an instance and has it answer `exchange`, by the export that
/// `event` is for, which it must have; gives the instance back once the handler
/// has returned. Dropping the future ends the guest and leaves the exchange as
/// it is.
///
/// # Errors
/// Why the handler did not return; the instance is gone then.
pub async fn call(instances: &Arc<Instances>, exchange: Exchange, event: Event) -> Result<(), Stopped> {
    let share = instances.account().share.clone();
    let instances = instances.clone();
    let running = async move {
        let cpu = instances.cpu();
        let answering = pin!(answer(&instances, &cpu, exchange.clone(), event));
        watched(&exchange, &cpu, answering).await
    };
    share.as_needed(Box::pin(running)).await
}

/// Asks a guest's `should-upgrade`, which it must have, in an instance for
/// that alone. Dropping the future ends the guest.
///
/// # Errors
/// Those of [`call`].
pub async fn wants_upgrade(instances: &Arc<Instances>, exchange: Exchange) -> Result<bool, Stopped> {
    let share = instances.account().share.clone();
    let instances = instances.clone();
    let running = async move {
        let cpu = instances.cpu();
        let deciding = pin!(decide(&instances, &cpu, exchange.clone()));
        watched(&exchange, &cpu, deciding).await
    };
    share.as_needed(Box::pin(running)).await
}

/// Makes an instance for no request, within the limits of a call, and keeps it
/// if the policy is to: that shows that the component starts, and brings its
/// code into memory. Dropping the future ends the guest.
///
/// # Errors
/// Why it does not start.
pub async fn warm(instances: &Arc<Instances>) -> Result<(), Stopped> {
    let share = instances.account().share.clone();
    let wall_time_max = instances.limits().wall_time_max;
    let instances = instances.clone();
    let starting = share.as_needed(Box::pin(async move {
        let cpu = instances.cpu();
        let made = pin!(instance_of(&instances, &cpu));
        let instance = supervised(&cpu, made, |_| Poll::Pending).await?;
        instances.keep(instance);
        Ok(())
    }));
    match wall_time_max {
        Some(max) => timeout(max, starting).await.unwrap_or(Err(Stopped::WallTime)),
        None => starting.await,
    }
}

/// Runs what a guest does with an exchange, until either is over.
async fn watched<T>(
    exchange: &Exchange,
    cpu: &Cpu,
    guest: Pin<&mut (impl Future<Output = Result<T, Stopped>> + Send)>,
) -> Result<T, Stopped> {
    let deadline = exchange.limits().wall_time_max.and_then(|max| exchange.started().checked_add(max));
    let mut watch = Watch::new(exchange.clone());
    let run = supervised(cpu, guest, |cx| {
        if !has_yielded() || exchange.is_stalled() {
            // What the guest has written is on the wire while it waits; and
            // what did not fit before goes on while it computes. If that
            // fails, the response knows.
            let _ = exchange.poll_flush(cx);
        }
        // A tunnel has no end of its own.
        let deadline = deadline.filter(|_| !exchange.is_tunnel());
        let over = watch.poll(cx, deadline).map(|interruption| match interruption {
            Interruption::Deadline => Stopped::WallTime,
            other => Stopped::Interrupted(other),
        });
        // Whoever waits for the body says so when it is polled.
        exchange.expect_nothing();
        over
    })
    .await;
    exchange.note_cpu(cpu.used());
    run
}

/// Runs what a guest does in slices of `cpu`, and looks after each whether it
/// is `over`.
pub(super) async fn supervised<T>(
    cpu: &Cpu,
    mut guest: Pin<&mut (impl Future<Output = Result<T, Stopped>> + Send)>,
    mut over: impl FnMut(&mut Context<'_>) -> Poll<Stopped>,
) -> Result<T, Stopped> {
    poll_fn(|cx| match cpu.slice(|| guest.as_mut().poll(cx)) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => over(cx).map(Err),
    })
    .await
}

/// An instance for one call. Its start, too, is the guest's own code.
pub(super) async fn instance_of(instances: &Instances, cpu: &Arc<Cpu>) -> Result<Instance, Stopped> {
    match instances.take(cpu).await {
        Ok(mut instance) => {
            // Two ticks: a call begun just before a tick is not hit by it.
            instance.store.set_epoch_deadline(2);
            Ok(instance)
        }
        Err(none) if none.error.is::<PoolConcurrencyLimitError>() => Err(Stopped::Full),
        Err(none) => Err(blame(&none.error, none.memory_limit)),
    }
}

/// What runs in slices, to answer.
async fn answer(
    instances: &Arc<Instances>,
    cpu: &Arc<Cpu>,
    exchange: Exchange,
    event: Event,
) -> Result<(), Stopped> {
    if instances.shares_instances() {
        return wasi_http::shared::answer(instances, &exchange).await;
    }
    let mut instance = instance_of(instances, cpu).await?;
    instance.at_work_on(Some(&exchange));
    let outgoing = instance.outgoing();
    let handled = beside(&outgoing, handle(&mut instance, instances.callee(), cpu, exchange, event)).await;
    match handled {
        Ok(handled) => {
            instances.give_back(instance);
            handled
        }
        Err(error) => Err(blame(&error, instance.memory_limit_reached())),
    }
}

/// What runs in slices, to decide.
async fn decide(instances: &Instances, cpu: &Arc<Cpu>, exchange: Exchange) -> Result<bool, Stopped> {
    let mut instance = instance_of(instances, cpu).await?;
    instance.at_work_on(Some(&exchange));
    let outgoing = instance.outgoing();
    let decided = beside(&outgoing, should_upgrade(&mut instance, instances.callee(), exchange)).await;
    match decided {
        Ok(wanted) => {
            instances.give_back(instance);
            Ok(wanted)
        }
        Err(error) => Err(blame(&error, instance.memory_limit_reached())),
    }
}

/// Runs a guest's function; whenever it waits, what it has asked of others goes
/// on.
async fn beside<T>(outgoing: &Outgoing, guest: impl Future<Output = T>) -> T {
    let mut guest = pin!(guest);
    poll_fn(|cx| {
        let polled = guest.as_mut().poll(cx);
        if polled.is_pending() && !has_yielded() {
            outgoing.poll(cx);
        }
        polled
    })
    .await
}

async fn should_upgrade(
    Instance { store, inner, .. }: &mut Instance,
    callee: &Callee,
    exchange: Exchange,
) -> wasmtime::Result<bool> {
    let Callee::Innkeeper(entries) = callee else { return Ok(false) };
    let guest = loaded(&entries.upgrade)?.load(&mut *store, inner)?;
    let request = api::hand_request(&mut store.data_mut().table, exchange)?;
    let wanted = guest.call_should_upgrade(&mut *store, Resource::new_borrow(request.rep())).await?;
    store.data_mut().table.delete(request)?;
    Ok(wanted)
}

/// Calls the export that the event is for.
async fn handle(
    instance: &mut Instance,
    callee: &Callee,
    cpu: &Cpu,
    exchange: Exchange,
    event: Event,
) -> wasmtime::Result<Result<(), Stopped>> {
    match (&instance.handler, callee) {
        (Loaded::Innkeeper(_), Callee::Innkeeper(entries)) => {
            let whole = handle_ours(instance, entries, cpu, exchange, event).await?;
            Ok(if whole { Ok(()) } else { Err(Stopped::GaveUp) })
        }
        (Loaded::WasiHttp02(proxy), _) => {
            let outcome = wasi_http::call::answer(&mut instance.store, proxy, &exchange).await?;
            Ok(judged(outcome))
        }
        (Loaded::WasiHttp03(proxy), _) => {
            let outcome = wasi_http::concurrent::answer(&mut instance.store, proxy, &exchange).await?;
            Ok(judged(outcome))
        }
        (Loaded::JcoNode(listening), _) => {
            node_http::call::answer(&mut instance.store, listening, &exchange).await
        }
        (Loaded::Innkeeper(_), _) => Err(wasmtime::Error::msg("an instance of another contract")),
    }
}

/// Calls an export of our own contract; returns whether a guest that took the
/// connection over is content with how that ended.
async fn handle_ours(
    Instance { store, inner, handler, .. }: &mut Instance,
    entries: &Entries,
    cpu: &Cpu,
    exchange: Exchange,
    event: Event,
) -> wasmtime::Result<bool> {
    let Loaded::Innkeeper(handler) = handler else { return Ok(true) };
    macro_rules! answer_with {
        ($guest:expr) => {{
            let guest = $guest;
            let (request, response) = api::hand_over(&mut store.data_mut().table, exchange)?;
            guest.call_handle(store, request, response).await?;
            Ok(true)
        }};
    }
    macro_rules! take_over_with {
        ($guest:expr) => {{
            let guest = $guest;
            let head = exchange.begin_tunnel();
            cpu.earn(exchange.limits().tunnel_cpu_per_second);
            let request = api::hand_request(&mut store.data_mut().table, exchange.clone())?;
            let socket = api::hand_socket(&mut store.data_mut().table, exchange)?;
            Ok(guest.call_handle(store, request, socket, &head).await?.is_ok())
        }};
    }
    match event {
        Event::Request => answer_with!(handler),
        Event::CheckContinue => answer_with!(loaded(&entries.check_continue)?.load(&mut *store, inner)?),
        Event::CheckExpectation => {
            answer_with!(loaded(&entries.check_expectation)?.load(&mut *store, inner)?)
        }
        Event::Connect => take_over_with!(loaded(&entries.connect)?.load(&mut *store, inner)?),
        Event::Upgrade => take_over_with!(loaded(&entries.upgrade)?.load(&mut *store, inner)?),
    }
}

/// An export that the event says is there.
fn loaded<T>(entry: &Option<T>) -> wasmtime::Result<&T> {
    entry.as_ref().context("an export that is not there")
}

/// Which limit a failed call ran into, if it was one. `memory` is the limit on
/// memory or tables that the guest met before it gave up.
pub(super) fn blame(error: &wasmtime::Error, memory: Option<&'static str>) -> Stopped {
    if let Some(Trap::Interrupt) = error.downcast_ref() {
        return Stopped::CpuTime;
    }
    if memory == Some(TENANT_MEMORY) {
        return Stopped::TenantMemory;
    }
    if let Some(limit) = memory {
        return Stopped::Limit(limit);
    }
    let host_table_full = matches!(error.downcast_ref(), Some(ResourceTableError::Full));
    // wasmtime's own handle table has no error type for this.
    if host_table_full || error.root_cause().to_string().contains("store handle limit exceeded") {
        return Stopped::Limit("handles_max");
    }
    Stopped::Trapped(explain(error))
}
