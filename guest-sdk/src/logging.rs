//! The crate `log` in a component: each record is a line of the app's log
//! (`wasi:logging`), with its level, and its target as the context.

use log::{LevelFilter, Log, Metadata, Record};

use crate::bindings::logging as host;
use crate::bindings::logging::wasi::logging::logging::{self, Level};

/// The variable that says how much is logged.
const LEVEL: &str = "RUST_LOG";

/// What is logged unless that says otherwise: a library may well have a line
/// for each byte at the levels below.
const DEFAULT: LevelFilter = LevelFilter::Info;

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            logging::log(level(record.level()), record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Has records go to the host, unless the guest has a logger of its own. To be
/// called before its code; any number of times.
pub fn begin() {
    // See `next`.
    host::__link_custom_section_describing_imports();
    if log::set_logger(&Logger).is_ok() {
        let wanted = std::env::var(LEVEL).ok().and_then(|level| level.parse().ok());
        log::set_max_level(wanted.unwrap_or(DEFAULT));
    }
}

fn level(level: log::Level) -> Level {
    match level {
        log::Level::Trace => Level::Trace,
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warn,
        log::Level::Error => Level::Error,
    }
}
