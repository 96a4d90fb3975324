//! What a guest waits for beside a request: time, its own request, the first
//! of several. And not waiting at all.

use std::hint::black_box;
use std::time::Duration;

use innkeeper_guest::{Error, Result, poll};

use crate::run::{Run, number};

/// `sleep MILLISECONDS`.
pub fn sleep(run: &Run, argument: &str) -> Result<()> {
    std::thread::sleep(Duration::from_millis(number(argument)?));
    run.line("slept", argument)
}

/// `own`: waits for a byte of the guest's own body, or its end; so a test says
/// when to go on.
pub fn read_own_byte(run: &Run) -> Result<()> {
    let byte = run.req.read_piece(1)?.unwrap_or_default();
    run.line("own", byte.escape_ascii())
}

/// `first NAME NAME …`: which of these requests has news.
pub fn wait_for_first(run: &Run, names: &str) -> Result<()> {
    let names: Vec<_> = names.split_whitespace().collect();
    let mut pollables = Vec::new();
    for name in &names {
        pollables
            .push(run.requests.get(*name).ok_or_else(|| Error::msg("no such request"))?.request.subscribe());
    }
    let ready = poll(&pollables.iter().collect::<Vec<_>>());
    let ready: Vec<_> = ready.into_iter().filter_map(|index| names.get(index).copied()).collect();
    run.line("first", ready.join(" "))
}

/// `compute`: until somebody ends it.
pub fn compute_for_ever() -> Result<()> {
    loop {
        black_box(());
    }
}
