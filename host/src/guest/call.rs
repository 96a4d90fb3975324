//! One call into a guest: polled where the connection lives, watched while it
//! waits, demoted when it computes for too long, ended when a limit says so.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use wasmtime::component::ResourceTableError;
use wasmtime::{FrameInfo, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::guest::api::{self, bindings::App as Bindings};
use crate::guest::cpu::{Cpu, has_yielded};
use crate::guest::demotion::Demotion;
use crate::guest::instance::{Instance, Instances};
use crate::guest::stdio::printable;
use crate::wire::exchange::Exchange;
use crate::wire::watch::{Interruption, Watch};

/// Innermost functions of a guest's stack that a log line names.
const FRAMES_MAX: usize = 8;

/// Why a handler did not return.
#[derive(Debug)]
pub enum Stopped {
    /// The guest trapped; this is why.
    Trapped(String),
    /// The guest's `cpu_time_max`.
    CpuTime,
    /// The guest's `wall_time_max`.
    WallTime,
    /// A limit on memory, tables or handles, after which the guest gave up.
    Limit(&'static str),
    /// There was no room for an instance.
    Full,
    /// The exchange was over first.
    Interrupted(Interruption),
}

type Running = Pin<Box<dyn Future<Output = Result<Instance, Stopped>> + Send>>;

/// Makes or takes an instance and has it answer `exchange`; gives it back once
/// the handler has returned. Dropping the future ends the guest and leaves the
/// exchange as it is.
///
/// # Errors
/// Why the handler did not return; the instance is gone then.
pub async fn call(
    instances: &Arc<Instances>,
    exchange: Exchange,
    demotion: &Demotion,
) -> Result<Instance, Stopped> {
    // Boxed, so that it can be handed over while it runs.
    let mut running: Running = Box::pin(run(instances.clone(), exchange));
    let finished = poll_fn(|cx| match running.as_mut().poll(cx) {
        Poll::Ready(called) => Poll::Ready(Some(called)),
        Poll::Pending if has_yielded() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match finished.await {
        Some(called) => called,
        None => match demotion.run(running).await {
            Ok(called) => called,
            Err(error) => Err(Stopped::Trapped(format!("{error:#}"))),
        },
    }
}

async fn run(instances: Arc<Instances>, exchange: Exchange) -> Result<Instance, Stopped> {
    let cpu = Arc::new(Cpu::new(exchange.limits().cpu_time_max));
    let deadline = exchange.limits().wall_time_max.and_then(|max| exchange.started().checked_add(max));
    let mut watch = Watch::new(exchange.clone());
    let mut answering = pin!(answer(&instances, &cpu, exchange.clone()));
    poll_fn(|cx| {
        exchange.expect_nothing();
        if let Poll::Ready(result) = cpu.slice(|| answering.as_mut().poll(cx)) {
            return Poll::Ready(result);
        }
        if !has_yielded() || exchange.is_stalled() {
            // What the guest has written is on the wire while it waits; and
            // what did not fit before goes on while it computes. If that
            // fails, the response knows.
            let _ = exchange.poll_flush(cx);
        }
        watch.poll(cx, deadline).map(|interruption| match interruption {
            Interruption::Deadline => Err(Stopped::WallTime),
            other => Err(Stopped::Interrupted(other)),
        })
    })
    .await
}

/// What runs in slices: a component's start, too, is its own code.
async fn answer(instances: &Instances, cpu: &Arc<Cpu>, exchange: Exchange) -> Result<Instance, Stopped> {
    let mut instance = match instances.take(cpu).await {
        Ok(instance) => instance,
        Err(error) if error.is::<PoolConcurrencyLimitError>() => return Err(Stopped::Full),
        Err(error) => return Err(blame(&error, None)),
    };
    match handle(&mut instance, exchange).await {
        Ok(()) => Ok(instance),
        Err(error) => Err(blame(&error, instance.memory_limit_reached())),
    }
}

async fn handle(instance: &mut Instance, exchange: Exchange) -> wasmtime::Result<()> {
    let Instance { store, bindings, .. } = instance;
    // Two ticks: a call begun just before a tick is not hit by it.
    store.set_epoch_deadline(2);
    let (request, response) = api::hand_over(&mut store.data_mut().table, exchange)?;
    Bindings::innkeeper_http_handler(bindings).call_handle(store, request, response).await
}

/// Which limit a failed call ran into, if it was one. `memory` is the limit on
/// memory or tables that the guest met before it gave up.
fn blame(error: &wasmtime::Error, memory: Option<&'static str>) -> Stopped {
    if let Some(Trap::Interrupt) = error.downcast_ref() {
        return Stopped::CpuTime;
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

/// The cause of a trap in one line, and the guest's own stack if it has one.
fn explain(error: &wasmtime::Error) -> String {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return format!("the guest exited with code {code}");
    }
    let cause = printable(error.root_cause().to_string().as_bytes());
    let frames = error.downcast_ref().map(WasmBacktrace::frames).unwrap_or_default();
    let names = frames.iter().filter_map(FrameInfo::func_name).take(FRAMES_MAX);
    // Without the hash that tells two builds of a function apart.
    let stack: Vec<_> = names.map(|name| format!("{:#}", rustc_demangle::demangle(name))).collect();
    if stack.is_empty() {
        return cause;
    }
    // The names are the guest's own.
    format!("{cause}; in {}", printable(stack.join(" < ").as_bytes()))
}
