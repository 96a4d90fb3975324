//! Where log lines go and how they look: standard error, for people or as
//! JSON, written by a thread of its own so that no exchange waits for it.

use std::io::IsTerminal as _;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;

/// Lines waiting for the terminal or the pipe; beyond that they are dropped
/// rather than holding up the server.
const LINES_MAX: usize = 8 * 1024;

/// Starts logging. Lines are written until the guard is dropped.
///
/// `filter` is in the form of `tracing-subscriber`'s `EnvFilter`.
///
/// # Errors
/// A filter that cannot be read, or a logger that is there already.
pub fn start(format: LogFormat, filter: &str, access_log: bool) -> anyhow::Result<WorkerGuard> {
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_MAX).finish(std::io::stderr());
    let mut filter = EnvFilter::try_new(filter)?;
    if !access_log {
        filter = filter.add_directive(format!("{}=off", super::access::TARGET).parse()?);
    }
    let subscriber = Subscriber::builder().with_env_filter(filter).with_writer(writer);
    match format {
        LogFormat::Text => subscriber.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).with_current_span(false).finish().try_init(),
    }?;
    Ok(guard)
}
