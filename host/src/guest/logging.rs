//! `wasi:logging`: lines with a level and a context, which go where those of
//! standard output go, by the same rates.

use wasmtime::component::{ComponentType, Lift, Linker};

use crate::guest::instance::HostState;

/// The interface by the names that it has: the draft, and as many components
/// have it.
const NAMES: [&str; 2] = ["wasi:logging/logging", "wasi:logging/logging@0.1.0-draft"];

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub enum Level {
    /// What the author follows step by step.
    #[component(name = "trace")]
    Trace,
    /// What the author looks for a fault by.
    #[component(name = "debug")]
    Debug,
    /// What happens as it should.
    #[component(name = "info")]
    Info,
    /// What might become a fault.
    #[component(name = "warn")]
    Warn,
    /// A fault.
    #[component(name = "error")]
    Error,
    /// A fault that nothing goes on after.
    #[component(name = "critical")]
    Critical,
}

impl Level {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Critical => "critical",
        }
    }
}

/// Links it, with a version and without.
///
/// # Errors
/// None but wasmtime's own, on a name that is defined twice.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    for name in NAMES {
        linker.instance(name)?.func_wrap(
            "log",
            |store, (level, context, message): (Level, String, String)| {
                let state = store.data();
                let exchange = state.exchange();
                state.log().log(level, (exchange != 0).then_some(exchange), &context, &message);
                Ok(())
            },
        )?;
    }
    Ok(())
}
