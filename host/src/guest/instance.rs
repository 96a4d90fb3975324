//! Instances: a store with its memory, limits and WASI, made for a request or
//! taken from the pool, and given back or dropped after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use wasmtime::component::{self, ResourceTable};
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::config::{AppSettings, InstancePolicy, Limits, Name};
use crate::guest::api;
use crate::guest::api::bindings::exports::innkeeper::http::handler::Guest as Handler;
use crate::guest::component::{Entries, Exports, Guest};
use crate::guest::cpu::{Cpu, Preemption};
use crate::guest::engine::Engine;
use crate::guest::log::{GuestLog, LogQuota};
use crate::guest::network::{Network, Sockets};
use crate::guest::stdio::Stream;
use crate::wire::site::Control;

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
    /// Its listening side, if it was granted that.
    control: Option<Control>,
    network: Network,
}

/// One instance, between calls.
pub struct Instance {
    pub(super) store: Store<HostState>,
    pub(super) inner: component::Instance,
    /// The export that is called most, found once.
    pub(super) handler: Handler,
    served: u64,
}

/// What the host keeps for an instance.
pub struct HostState {
    pub(super) table: ResourceTable,
    facts: Arc<AppFacts>,
    /// Made when the guest first asks for WASI: many never do.
    wasi: Option<WasiCtx>,
    pub(super) sockets: Sockets,
    memory: MemoryLimit,
    cpu: Arc<Cpu>,
    /// The exchange under way, 0 for none: what the guest prints is of it.
    current: Arc<AtomicU64>,
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
    /// Prepares to make instances of `guest`, which may use `control` if it was
    /// granted that.
    ///
    /// # Errors
    /// A granted name that has no address.
    pub fn new(
        engine: Engine,
        guest: Guest,
        name: &Name,
        settings: &AppSettings,
        control: Control,
    ) -> anyhow::Result<Self> {
        let limits = settings.limits.clone();
        let secrets =
            settings.secrets.iter().map(|(name, secret)| (name.clone(), secret.reveal().to_owned()));
        let facts = AppFacts {
            env: settings.env.iter().cloned().chain(secrets).collect(),
            log: GuestLog::new(name, name, Arc::new(LogQuota::new(u64::MAX)), limits.log_bytes_per_second),
            control: settings.grants.server_control.then_some(control),
            network: Network::new(&settings.grants.tcp, &limits)?,
            limits,
        };
        let idle = Mutex::new(Vec::new());
        Ok(Instances { engine, guest, facts: Arc::new(facts), policy: settings.instances, idle })
    }

    /// Which of the optional exports the guest has.
    pub fn exports(&self) -> Exports {
        self.guest.exports()
    }

    /// The host's limits.
    pub fn limits(&self) -> &Limits {
        &self.facts.limits
    }

    /// What is called in an instance.
    pub(super) fn entries(&self) -> &Entries {
        self.guest.entries()
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
        let inner = self.guest.pre().instantiate_async(&mut store).await?;
        let handler = self.guest.entries().handler.load(&mut store, &inner)?;
        Ok(Instance { store, inner, handler, served: 0 })
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
        instance.at_work_on(0);
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
                sockets: Sockets::default(),
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
                current: Arc::default(),
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
    /// Says which exchange the instance has from now on, 0 for none.
    pub(super) fn at_work_on(&self, exchange: u64) {
        self.store.data().current.store(exchange, Ordering::Relaxed);
    }

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

    /// What it may reach.
    pub(super) fn network(&self) -> &Network {
        &self.facts.network
    }

    /// The listening side, if it may be controlled.
    pub(super) fn granted_control(&self) -> Option<&Control> {
        self.facts.control.as_ref()
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let facts = &self.facts;
        let ctx = self.wasi.get_or_insert_with(|| {
            // No directory: what is not granted is not there.
            let mut builder = WasiCtxBuilder::new();
            builder
                .envs(&facts.env)
                .stdout(facts.log.stream(Stream::Stdout, self.current.clone()))
                .stderr(facts.log.stream(Stream::Stderr, self.current.clone()));
            facts.network.grant(&mut builder);
            builder.build()
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
