//! Instances: a store with its memory, limits and WASI, made for a request or
//! taken from the pool, and given back or dropped after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::component::{self, ResourceTable};
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::{WasiHttpCtx, handler};

use crate::config::{AppSettings, DirectoryGrant, InstancePolicy, Limits};
use crate::guest::account::Account;
use crate::guest::api;
use crate::guest::api::bindings::exports::innkeeper::http::handler::Guest as Handler;
use crate::guest::component::{Callee, Exports, Guest};
use crate::guest::cpu::{Cpu, Preemption};
use crate::guest::idle::IdleList;
use crate::guest::log::GuestLog;
use crate::guest::network::{Network, Sockets};
use crate::guest::node_http::server::Servers;
use crate::guest::node_http::start::Listening;
use crate::guest::outgoing::Outgoing;
use crate::guest::stdio::{LogStream, Stream};
use crate::guest::wasi_http;
use crate::guest::wasi_http::outgoing::Hooks;
use crate::guest::wasi_http::worker::Workers;
use crate::keyvalue::Buckets;
use crate::outbound::client::Client;
use crate::wire::exchange::Exchange;
use crate::wire::ledger::Charge;
use crate::wire::site::Control;

/// Makes instances of one component, and keeps pooled ones.
pub struct Instances {
    guest: Guest,
    facts: Arc<AppFacts>,
    policy: InstancePolicy,
    idle: Arc<IdleList>,
    workers: Workers,
}

/// The memory of the tenant, as a limit that a guest can run into.
pub(super) const TENANT_MEMORY: &str = "memory_bytes_max of the tenant";

/// Bytes that the host keeps for an element of a table.
const TABLE_ELEMENT_BYTES: usize = 8;

/// What the guests of an app may reach beside their exchange, as far as each
/// was granted.
pub struct Reach {
    /// The host's listening side.
    pub control: Control,
    /// Other servers.
    pub outbound: Client,
    /// Buckets of keys and values.
    pub buckets: Buckets,
}

/// What every instance of an app has in common.
pub struct AppFacts {
    limits: Arc<Limits>,
    account: Account,
    settings: Arc<AppSettings>,
    log: GuestLog,
    /// Its listening side, if it was granted that.
    control: Option<Control>,
    network: Network,
    outbound: Arc<Client>,
    buckets: Buckets,
}

/// One instance, between calls.
pub struct Instance {
    pub(super) store: Store<HostState>,
    pub(super) inner: component::Instance,
    /// The export that is called most, found once.
    pub(super) handler: Loaded,
    served: u64,
}

/// The handler of an instance, by contract.
pub(super) enum Loaded {
    Innkeeper(Handler),
    WasiHttp02(Proxy),
    WasiHttp03(Box<handler::Proxy>),
    JcoNode(Box<Listening>),
}

/// What the host keeps for an instance.
pub struct HostState {
    pub(super) table: ResourceTable,
    pub(super) http: WasiHttpCtx,
    pub(super) hooks: Hooks,
    /// Those of a Node program.
    pub(super) servers: Servers,
    facts: Arc<AppFacts>,
    /// Made when the guest first asks for WASI: many never do.
    wasi: Option<WasiCtx>,
    pub(super) sockets: Sockets,
    memory: MemoryLimit,
    cpu: Arc<Cpu>,
    /// The exchange under way, 0 for none: what the guest prints is of it.
    current: Arc<AtomicU64>,
    outgoing: Outgoing,
}

#[derive(Debug)]
struct MemoryLimit {
    bytes: Quota,
    table_elements: Quota,
    /// What the tenant is charged for both.
    charge: Charge,
    reached: Option<&'static str>,
}

/// Why there is no instance.
pub(super) struct NoInstance {
    pub(super) error: wasmtime::Error,
    /// The limit on memory that was met, if one was.
    pub(super) memory_limit: Option<&'static str>,
}

/// What all memories, or all tables, of an instance may come to.
#[derive(Debug)]
struct Quota {
    limit: &'static str,
    used: usize,
    max: usize,
}

impl Instances {
    /// Prepares to make instances of `guest`, which may use of `reach` what it
    /// was granted.
    ///
    /// # Errors
    /// A granted name that has no address.
    pub fn new(
        guest: Guest,
        settings: &Arc<AppSettings>,
        account: Account,
        log: GuestLog,
        reach: Reach,
    ) -> anyhow::Result<Self> {
        let Reach { control, outbound, buckets } = reach;
        let limits = settings.limits.clone();
        let idle = guest.engine().idle().open(account.memory.clone());
        let facts = AppFacts {
            log,
            control: settings.grants.server_control.then_some(control),
            network: Network::new(&settings.grants.tcp, &limits, account.outbound.clone())?,
            outbound: Arc::new(outbound),
            buckets,
            settings: settings.clone(),
            account,
            limits,
        };
        let workers = Workers::new(facts.limits.concurrent_requests_per_instance_max);
        Ok(Instances { workers, guest, facts: Arc::new(facts), policy: settings.instances, idle })
    }

    /// Whether clients are shown where the guest failed.
    pub fn is_development(&self) -> bool {
        self.guest.engine().is_development()
    }

    /// The means of its tenant.
    pub fn account(&self) -> &Account {
        &self.facts.account
    }

    /// Pooled instances that wait for a request.
    pub fn idle_count(&self) -> usize {
        self.idle.count()
    }

    /// Which of the optional exports the guest has.
    pub fn exports(&self) -> Exports {
        self.guest.exports()
    }

    /// The host's limits.
    pub fn limits(&self) -> &Limits {
        &self.facts.limits
    }

    /// The CPU time of one call.
    pub(super) fn cpu(&self) -> Arc<Cpu> {
        Arc::new(Cpu::new(self.facts.limits.cpu_time_max, self.facts.account.cpu.clone()))
    }

    /// Whether an instance may have several exchanges at a time.
    pub(super) fn shares_instances(&self) -> bool {
        matches!(self.guest.callee(), Callee::WasiHttp03(_))
            && self.policy == InstancePolicy::Pooled
            && self.facts.limits.concurrent_requests_per_instance_max > 1
    }

    /// Those that run instances for several exchanges.
    pub(super) fn workers(&self) -> &Workers {
        &self.workers
    }

    /// What is called in an instance.
    pub(super) fn callee(&self) -> &Callee {
        self.guest.callee()
    }

    /// An instance for one request, which runs on the time of `cpu`.
    ///
    /// # Errors
    /// wasmtime's: the pool is exhausted, or the component traps at its start.
    pub(super) async fn take(&self, cpu: &Arc<Cpu>) -> Result<Instance, NoInstance> {
        if let Some(mut instance) = self.idle.take() {
            let state = instance.store.data_mut();
            state.cpu = cpu.clone();
            state.memory.reached = None;
            return Ok(instance);
        }
        loop {
            match self.make(cpu).await {
                Err(none) if self.gives_way(&none) => {}
                made => return made,
            }
        }
    }

    async fn make(&self, cpu: &Arc<Cpu>) -> Result<Instance, NoInstance> {
        let mut store = self.store(cpu.clone());
        let made = async {
            let inner = self.guest.pre().instantiate_async(&mut store).await?;
            let handler = match self.guest.callee() {
                Callee::Innkeeper(entries) => Loaded::Innkeeper(entries.handler.load(&mut store, &inner)?),
                Callee::WasiHttp02(indices) => Loaded::WasiHttp02(indices.load(&mut store, &inner)?),
                Callee::WasiHttp03(indices) => {
                    Loaded::WasiHttp03(Box::new(handler::Proxy::P3(indices.load(&mut store, &inner)?)))
                }
                Callee::JcoNode(program) => {
                    Loaded::JcoNode(Box::new(program.start(&mut store, &inner).await?))
                }
            };
            Ok((inner, handler))
        };
        match made.await {
            Ok((inner, handler)) => Ok(Instance { store, inner, handler, served: 0 }),
            Err(error) => Err(NoInstance { error, memory_limit: store.data().memory.reached }),
        }
    }

    /// Whether an idle instance was given up, so that there may be room now.
    fn gives_way(&self, none: &NoInstance) -> bool {
        if none.memory_limit == Some(TENANT_MEMORY) {
            return self.guest.engine().idle().give_up_one_of(&self.facts.account.memory);
        }
        none.error.is::<PoolConcurrencyLimitError>() && self.guest.engine().idle().give_up_one()
    }

    /// Takes back an instance whose call returned, for the next request if the
    /// policy says so.
    pub fn give_back(&self, mut instance: Instance) {
        instance.served += 1;
        self.keep(instance);
    }

    /// Takes back an instance, also one that has served nothing yet, for the
    /// next request if the policy says so.
    pub(super) fn keep(&self, mut instance: Instance) {
        if self.policy == InstancePolicy::PerRequest
            || instance.served >= self.facts.limits.requests_per_instance_max
        {
            return;
        }
        if wasi_http::keeps_something(&mut instance.store.data_mut().table) {
            return;
        }
        instance.at_work_on(None);
        api::forget_exchange(&mut instance.store.data_mut().table);
        self.idle.put(instance);
    }

    fn store(&self, cpu: Arc<Cpu>) -> Store<HostState> {
        let limits = &self.facts.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles_max);
        let outgoing = Outgoing::default();
        let mut store = Store::new(
            self.guest.engine().inner(),
            HostState {
                table,
                http: WasiHttpCtx::new(),
                hooks: Hooks::new(self.facts.outbound.clone(), outgoing.clone()),
                servers: Servers::default(),
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
                    charge: Charge::new(self.facts.account.memory.clone()),
                    reached: None,
                },
                cpu,
                current: Arc::default(),
                outgoing,
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
    /// Says which exchange the instance has from now on.
    pub(super) fn at_work_on(&self, exchange: Option<&Exchange>) {
        let state = self.store.data();
        state.current.store(exchange.map_or(0, Exchange::id), Ordering::Relaxed);
        state.outgoing.begin(exchange, &state.facts.outbound);
    }

    /// Exchanges that it has had.
    pub(super) fn served(&self) -> u64 {
        self.served
    }

    /// Counts so many more.
    pub(super) fn note_served(&mut self, exchanges: u64) {
        self.served += exchanges;
    }

    /// What it asks of others.
    pub(super) fn outgoing(&self) -> Outgoing {
        self.store.data().outgoing.clone()
    }

    /// The limit on memory or tables that the guest has met in this call.
    pub(super) fn memory_limit_reached(&self) -> Option<&'static str> {
        self.store.data().memory.reached
    }
}

impl HostState {
    /// Says which exchange it has last begun with, of perhaps several: what it
    /// prints is put down to that.
    pub(super) fn begin_shared(&self, exchange: u64) {
        self.current.store(exchange, Ordering::Relaxed);
        self.outgoing.begin_shared(exchange);
    }

    /// The host's limits.
    pub(super) fn limits(&self) -> &Limits {
        &self.facts.limits
    }

    /// What it may reach.
    pub(super) fn network(&self) -> &Network {
        &self.facts.network
    }

    /// Where its requests may go, and how.
    pub(super) fn outbound(&self) -> &Arc<Client> {
        &self.facts.outbound
    }

    /// How the app is run.
    pub(super) fn settings(&self) -> &AppSettings {
        &self.facts.settings
    }

    /// Where its lines go.
    pub(super) fn log(&self) -> &GuestLog {
        &self.facts.log
    }

    /// The buckets that it may open.
    pub(super) fn buckets(&self) -> &Buckets {
        &self.facts.buckets
    }

    /// The exchange under way, 0 for none.
    pub(super) fn exchange(&self) -> u64 {
        self.current.load(Ordering::Relaxed)
    }

    /// What it asks of others.
    pub(super) fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// Its way into the app's log.
    pub(super) fn log_stream(&self, stream: Stream) -> LogStream {
        self.facts.log.stream(stream, self.current.clone())
    }

    /// A charge on the memory of its tenant.
    pub(super) fn charge(&self) -> Charge {
        Charge::new(self.facts.account.memory.clone())
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
            // What is not granted is not there.
            let mut builder = WasiCtxBuilder::new();
            let settings = &facts.settings;
            // Where paths begin, which programs made of Node's want to know.
            builder.initial_cwd("/").envs(&settings.env);
            for (name, secret) in &settings.secrets {
                builder.env(name, secret.reveal());
            }
            builder
                .stdout(facts.log.stream(Stream::Stdout, self.current.clone()))
                .stderr(facts.log.stream(Stream::Stderr, self.current.clone()));
            open_directories(&mut builder, &settings.grants.directories);
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
        let bytes = desired.saturating_sub(current);
        Ok(self.bytes.fits(bytes, &mut self.reached) && self.charge(bytes) && self.bytes.take(bytes))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = desired.saturating_sub(current);
        let bytes = elements.saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(self.table_elements.fits(elements, &mut self.reached)
            && self.charge(bytes)
            && self.table_elements.take(elements))
    }
}

impl MemoryLimit {
    /// Takes so many bytes of the tenant's.
    fn charge(&mut self, bytes: usize) -> bool {
        let charged = self.charge.add(bytes as u64);
        if !charged {
            self.reached = Some(TENANT_MEMORY);
        }
        charged
    }
}

impl Quota {
    /// Whether one of them may grow by so much; `reached` is told if not.
    fn fits(&self, more: usize, reached: &mut Option<&'static str>) -> bool {
        let fits = self.used.saturating_add(more) <= self.max;
        if !fits {
            *reached = Some(self.limit);
        }
        fits
    }

    fn take(&mut self, more: usize) -> bool {
        self.used = self.used.saturating_add(more);
        true
    }
}

/// Opens the directories that were granted. One that is gone since the
/// configuration was read is not there for the guest, and the log says so.
fn open_directories(builder: &mut WasiCtxBuilder, directories: &[DirectoryGrant]) {
    for DirectoryGrant { host, guest, writable } in directories {
        let perms = if *writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        if let Err(error) = builder.preopened_dir(host, guest, perms) {
            tracing::error!(directory = %host.display(), "cannot open a granted directory: {error:#}");
        }
    }
}
