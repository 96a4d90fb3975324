//! The engine: how components are compiled, where instances live in memory,
//! and the clock by which guests are preempted.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use wasmtime::{
    Config, Enabled, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::config::{Cache, Limits};
use crate::guest::idle::IdleLists;
use crate::guest::plain;

/// The length of an epoch tick: how long a guest may compute, at most twice
/// over, before the host looks at it.
pub const TICK: Duration = Duration::from_millis(1);

/// Core instances, memories and tables that one component may consist of. A
/// Rust component has three core instances; composed ones have several of that.
const CORE_INSTANCES_MAX: u32 = 20;

/// Bytes of each instance's memory, tables and stack that stay mapped when it
/// is gone, and are reset instead of given back: cheaper than faulting them in
/// again for the next request. Only what was touched costs anything. Memory:
/// what an instance that answers a megabyte touches. Tables: one page, which
/// most fit in and which is reset without asking the kernel what was touched.
const KEEP_RESIDENT: (usize, usize, usize) = (4 << 20, 4096, 64 * 1024);

/// The stack of a guest's fiber: wasm's part, and room for host functions.
const STACK_BYTES: (usize, usize) = (512 * 1024, 1 << 20);

/// An engine; its clock ticks for as long as it lives.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    idle: IdleLists,
    kind: Kind,
}

/// What an engine is for.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// WASI 0.3, which costs every call something; without it our own contract
    /// and WASI 0.2.
    pub concurrency: bool,
    /// A host of its author's own: traps come with the lines of the sources, as
    /// far as the component has them.
    pub development: bool,
}

impl Engine {
    /// Makes an engine. Its idle instances are in `idle`.
    ///
    /// # Errors
    /// A pool that does not fit the address space, a cache directory that
    /// cannot be used.
    pub fn new(limits: &Limits, cache: &Cache, kind: Kind, idle: IdleLists) -> Result<Self> {
        let mut config = Config::new();
        config.concurrency_support(kind.concurrency);
        config.wasm_component_model_async(kind.concurrency);
        // Otherwise an environment variable would have a say in it.
        config.wasm_backtrace_details(match kind.development {
            true => WasmBacktraceDetails::Enable,
            false => WasmBacktraceDetails::Disable,
        });
        config.epoch_interruption(true);
        config.cranelift_opt_level(OptLevel::Speed);
        config.memory_init_cow(true);
        config.max_wasm_stack(STACK_BYTES.0);
        config.async_stack_size(STACK_BYTES.1);
        config.cache(open_cache(cache)?);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
        let inner = wasmtime::Engine::new(&config)
            .map_err(plain)
            .with_context(|| format!("cannot set up the sandbox for {} instances", limits.instances_max))?;
        start_clock(inner.weak())?;
        Ok(Engine { inner, idle, kind })
    }

    /// Instances that wait for a request.
    pub(super) fn idle(&self) -> &IdleLists {
        &self.idle
    }

    /// Whether it is the one for WASI 0.3.
    pub(super) fn has_concurrency(&self) -> bool {
        self.kind.concurrency
    }

    /// Whether clients are shown where a guest failed.
    pub(super) fn is_development(&self) -> bool {
        self.kind.development
    }

    /// wasmtime's own.
    pub fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let instances = limits.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        // Room for the usual component in each place, and for at least one of
        // the largest that is let in.
        .total_core_instances(instances.saturating_mul(4).max(CORE_INSTANCES_MAX))
        .total_memories(instances.max(CORE_INSTANCES_MAX))
        .total_tables(instances.saturating_mul(2).max(CORE_INSTANCES_MAX))
        .max_tables_per_module(CORE_INSTANCES_MAX)
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(CORE_INSTANCES_MAX)
        .max_tables_per_component(CORE_INSTANCES_MAX)
        .max_memory_size(limits.memory_bytes_max)
        .table_elements(limits.table_elements_max)
        .linear_memory_keep_resident(KEEP_RESIDENT.0)
        .table_keep_resident(KEEP_RESIDENT.1)
        .async_stack_keep_resident(KEEP_RESIDENT.2)
        // Zeroes only the pages that a guest has touched, where the kernel
        // can say which (Linux 6.7).
        .pagemap_scan(Enabled::Auto);
    pool
}

fn open_cache(cache: &Cache) -> Result<Option<wasmtime::Cache>> {
    let mut config = wasmtime::CacheConfig::new();
    match cache {
        Cache::Off => return Ok(None),
        Cache::Default => {}
        Cache::Directory(directory) => {
            config.with_directory(directory);
        }
    }
    let opened = wasmtime::Cache::new(config).map_err(plain);
    match (opened, cache) {
        (Ok(cache), _) => Ok(Some(cache)),
        (Err(error), Cache::Directory(directory)) => {
            Err(error).with_context(|| format!("cannot use {} as cache directory", directory.display()))
        }
        (Err(error), _) => {
            // No home directory, or not ours to write: slower starts, no harm.
            tracing::warn!("components are compiled at every start: {error:#}");
            Ok(None)
        }
    }
}

/// Ticks until the engine is gone.
fn start_clock(engine: EngineWeak) -> Result<()> {
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("epoch".to_owned()).spawn(tick).context("cannot start the clock thread")?;
    Ok(())
}
