//! Ways to end an instance that has a tunnel, or to have it ended.

use std::hint::black_box;
use std::time::{Duration, Instant};

use innkeeper_guest::{Error, Result};

use crate::tunnel::Tunnel;

/// Executes `unreachable`, which is what an abort is on WebAssembly.
pub fn trap() -> ! {
    std::process::abort()
}

pub fn trap_after_answer(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    trap()
}

pub fn fail() -> Result<()> {
    Err(Error::msg("the guest gives up"))
}

pub fn fail_after_answer(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    fail()
}

pub fn compute_for_ever(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    compute(None)
}

/// Computes for so long, or for ever.
pub fn compute(time: Option<Duration>) -> Result<()> {
    let start = Instant::now();
    let mut number = 0_u64;
    while time.is_none_or(|time| start.elapsed() < time) {
        for _ in 0..10_000 {
            number = black_box(number.wrapping_add(1));
        }
    }
    Ok(())
}
