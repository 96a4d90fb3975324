//! Instances: a store with its memory, limits and WASI, made for a request or
//! taken from the pool, and given back or dropped after it.

use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::config::{AppConfig, InstancePolicy, Limits};
use crate::guest::api;
use crate::guest::api::bindings::App as Bindings;
use crate::guest::component::Guest;
use crate::guest::cpu::{Cpu, Preemption};
use crate::guest::engine::Engine;
use crate::guest::stdio::{GuestLog, Stream};

/// Makes instances of one component, and keeps pooled ones.
pub struct Instances {
    engine: Engine,
    guest: Guest,
    facts: Arc<AppFacts>,
    policy: InstancePolicy,
    idle: Mutex<Vec<Instance>>,
}

/// What every instance of an app has in common.
pub struct AppFacts {
    limits: Arc<Limits>,
    env: Vec<(String, String)>,
    log: GuestLog,
}

/// One instance, between calls.
pub struct Instance {
    pub(super) store: Store<HostState>,
    pub(super) bindings: Bindings,
    served: u64,
}

/// What the host keeps for an instance.
pub struct HostState {
    pub(super) table: ResourceTable,
    facts: Arc<AppFacts>,
    /// Made when the guest first asks for WASI: many never do.
    wasi: Option<WasiCtx>,
    memory: MemoryLimit,
    cpu: Arc<Cpu>,
}

#[derive(Debug)]
struct MemoryLimit {
    bytes: Quota,
    table_elements: Quota,
    reached: Option<&'static str>,
}

/// What all memories, or all tables, of an instance may come to.
#[derive(Debug)]
struct Quota {
    limit: &'static str,
    used: usize,
    max: usize,
}

impl Instances {
    /// Prepares to make instances of `guest`.
    pub fn new(engine: Engine, guest: Guest, app: &AppConfig, limits: Arc<Limits>) -> Self {
        let log = GuestLog::new(&app.name, limits.log_bytes_per_second);
        let facts = Arc::new(AppFacts { limits, env: app.env.clone(), log });
        Instances { engine, guest, facts, policy: app.instances, idle: Mutex::new(Vec::new()) }
    }

    /// An instance for one request, which runs on the time of `cpu`.
    ///
    /// # Errors
    /// wasmtime's: the pool is exhausted, or the component traps at its start.
    pub async fn take(&self, cpu: &Arc<Cpu>) -> wasmtime::Result<Instance> {
        let idle = self.idle.lock().pop();
        if let Some(mut instance) = idle {
            let state = instance.store.data_mut();
            state.cpu = cpu.clone();
            state.memory.reached = None;
            return Ok(instance);
        }
        let mut store = self.store(cpu.clone());
        let bindings = self.guest.pre().instantiate_async(&mut store).await?;
        Ok(Instance { store, bindings, served: 0 })
    }

    /// Takes back an instance whose call returned, for the next request if the
    /// policy says so.
    pub fn give_back(&self, mut instance: Instance) {
        instance.served += 1;
        if self.policy == InstancePolicy::PerRequest
            || instance.served >= self.facts.limits.requests_per_instance_max
        {
            return;
        }
        api::forget_exchange(&mut instance.store.data_mut().table);
        self.idle.lock().push(instance);
    }

    fn store(&self, cpu: Arc<Cpu>) -> Store<HostState> {
        let limits = &self.facts.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles_max);
        let mut store = Store::new(
            self.engine.inner(),
            HostState {
                table,
                facts: self.facts.clone(),
                wasi: None,
                memory: MemoryLimit {
                    bytes: Quota { limit: "memory_bytes_max", used: 0, max: limits.memory_bytes_max },
                    table_elements: Quota {
                        limit: "table_elements_max",
                        used: 0,
                        max: limits.table_elements_max,
                    },
                    reached: None,
                },
                cpu,
            },
        );
        store.limiter(|state| &mut state.memory);
        store.set_max_component_handles(limits.handles_max);
        // A call brings the host no more than the guest's memory holds.
        store.set_hostcall_fuel(limits.memory_bytes_max);
        store.set_epoch_deadline(2);
        store.epoch_deadline_callback(|context| match context.data().cpu.preempt() {
            Preemption::Go => Ok(UpdateDeadline::Continue(1)),
            Preemption::Yield => Ok(UpdateDeadline::Yield(1)),
            Preemption::Stop => Ok(UpdateDeadline::Interrupt),
        });
        store
    }
}

impl Instance {
    /// The limit on memory or tables that the guest has met in this call.
    pub(super) fn memory_limit_reached(&self) -> Option<&'static str> {
        self.store.data().memory.reached
    }
}

impl HostState {
    /// The host's limits.
    pub(super) fn limits(&self) -> &Limits {
        &self.facts.limits
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let facts = &self.facts;
        let ctx = self.wasi.get_or_insert_with(|| {
            WasiCtxBuilder::new()
                .envs(&facts.env)
                .stdout(facts.log.stream(Stream::Stdout))
                .stderr(facts.log.stream(Stream::Stderr))
                // No directory, and no network: what is not granted is not there.
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .build()
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.bytes.grow(current, desired, &mut self.reached))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.table_elements.grow(current, desired, &mut self.reached))
    }
}

impl Quota {
    /// Whether one of them may grow; `reached` is told if not.
    fn grow(&mut self, current: usize, desired: usize, reached: &mut Option<&'static str>) -> bool {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.max {
            *reached = Some(self.limit);
            return false;
        }
        self.used = used;
        true
    }
}
