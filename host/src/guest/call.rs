//! One call into a guest: polled where the connection lives, watched while it
//! waits, demoted when it computes for too long, ended when a limit says so.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::guest::api::{self, bindings::App as Bindings};
use crate::guest::cpu::has_yielded;
use crate::guest::demotion::Demotion;
use crate::guest::instance::Instance;
use crate::wire::exchange::Exchange;
use crate::wire::watch::{Interruption, Watch};

/// How a call ended.
#[derive(Debug)]
pub enum Outcome {
    /// The handler returned.
    Returned,
    /// The guest trapped; this is why.
    Trapped(String),
    /// The guest's `cpu_time_max`.
    CpuTime,
    /// The guest's `wall_time_max`.
    WallTime,
    /// A limit on memory, tables or handles, after which the guest gave up.
    Limit(&'static str),
    /// The exchange was over first.
    Interrupted(Interruption),
}

/// A call that is over.
pub struct Called {
    /// How it ended.
    pub outcome: Outcome,
    /// The instance, if it can serve again.
    pub instance: Option<Instance>,
}

/// Has `instance` answer `exchange`. Dropping the future ends the guest and
/// leaves the exchange as it is.
pub async fn call(instance: Instance, exchange: Exchange, demotion: &Arc<Demotion>) -> Called {
    // Boxed, so that it can be handed over while it runs.
    let mut running: Pin<Box<dyn Future<Output = Called> + Send>> = Box::pin(run(instance, exchange));
    let finished = poll_fn(|cx| match running.as_mut().poll(cx) {
        Poll::Ready(called) => Poll::Ready(Some(called)),
        Poll::Pending if has_yielded() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    match finished.await {
        Some(called) => called,
        None => demotion.run(running).await.unwrap_or_else(|error| Called {
            outcome: Outcome::Trapped(format!("{error:#}")),
            instance: None,
        }),
    }
}

async fn run(mut instance: Instance, exchange: Exchange) -> Called {
    let cpu = instance.cpu.clone();
    cpu.reset();
    let deadline = exchange.limits().wall_time_max.and_then(|max| exchange.started().checked_add(max));
    let mut watch = Watch::new(exchange.clone());
    let ended = {
        let mut handling = pin!(handle(&mut instance, exchange.clone()));
        poll_fn(|cx| {
            if let Poll::Ready(result) = cpu.slice(|| handling.as_mut().poll(cx)) {
                return Poll::Ready(Ok(result));
            }
            if !has_yielded() {
                // What the guest has written is on the wire while it waits.
                // If that fails, the response knows.
                let _ = exchange.poll_flush(cx);
            }
            watch.poll(cx, deadline).map(Err)
        })
        .await
    };
    match ended {
        Ok(Ok(())) => Called { outcome: Outcome::Returned, instance: Some(instance) },
        Ok(Err(error)) => Called { outcome: blame(&error, &instance), instance: None },
        Err(Interruption::Deadline) => Called { outcome: Outcome::WallTime, instance: None },
        Err(interruption) => Called { outcome: Outcome::Interrupted(interruption), instance: None },
    }
}

async fn handle(instance: &mut Instance, exchange: Exchange) -> wasmtime::Result<()> {
    let Instance { store, bindings, .. } = instance;
    store.set_epoch_deadline(2);
    let (request, response) = api::hand_over(&mut store.data_mut().table, exchange)?;
    Bindings::innkeeper_http_handler(bindings).call_handle(store, request, response).await
}

/// Which limit a failed call ran into, if it was one.
fn blame(error: &wasmtime::Error, instance: &Instance) -> Outcome {
    if let Some(Trap::Interrupt) = error.downcast_ref() {
        return Outcome::CpuTime;
    }
    if let Some(limit) = instance.store.data().memory_limit_reached() {
        return Outcome::Limit(limit);
    }
    let host_table_full = matches!(error.downcast_ref(), Some(ResourceTableError::Full));
    // wasmtime's own handle table has no error type for this.
    if host_table_full || error.root_cause().to_string().contains("store handle limit exceeded") {
        return Outcome::Limit("handles_max");
    }
    Outcome::Trapped(explain(error))
}

/// The cause of a trap in one line, and the guest's own stack if it has one.
fn explain(error: &wasmtime::Error) -> String {
    if let Some(I32Exit(code)) = error.downcast_ref() {
        return format!("the guest exited with code {code}");
    }
    let cause = error.root_cause().to_string();
    let stack: Vec<_> = match error.downcast_ref::<wasmtime::WasmBacktrace>() {
        Some(trace) => trace.frames().iter().filter_map(wasmtime::FrameInfo::func_name).take(8).collect(),
        None => Vec::new(),
    };
    if stack.is_empty() { cause } else { format!("{cause}; in {}", stack.join(" < ")) }
}
