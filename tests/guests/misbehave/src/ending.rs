//! Responses that end late, twice, or not at all.

use std::hint::black_box;
use std::time::{Duration, Instant};

use innkeeper_guest::{Error, Result, ServerResponse};

use crate::outcome;

/// The client cannot see these any more; the log tells.
pub fn write_after_end(res: &ServerResponse) -> Result<()> {
    res.end("ended")?;
    println!("write: {}", outcome(res.write("more")));
    println!("try-write: {}", outcome(res.try_write("more")));
    println!("end with a piece: {}", outcome(res.end("more")));
    println!("end: {}", outcome(res.end_empty()));
    println!("set-header: {}", outcome(res.set_header("X-Late", "1")));
    println!("add-trailers: {}", outcome(res.add_trailers([("X", "1")])));
    Ok(())
}

pub fn fail() -> Result<()> {
    Err(Error::msg("the guest gives up"))
}

pub fn fail_after_head(res: &ServerResponse) -> Result<()> {
    res.write("part")?;
    res.flush_headers()?;
    fail()
}

pub fn wait_until_finished(res: &ServerResponse) -> Result<()> {
    println!("finished before end: {}", outcome(res.finished()));
    res.write("a body")?;
    res.end_empty()?;
    println!("finished: {}", outcome(res.finished()));
    println!("writable-finished: {}", res.writable_finished());
    Ok(())
}

/// Computes for so long after the client has its answer.
pub fn work_after_end(res: &ServerResponse, time: Duration) -> Result<()> {
    res.end("ended")?;
    let start = Instant::now();
    let mut number = 0_u64;
    while start.elapsed() < time {
        for _ in 0..10_000 {
            number = black_box(number.wrapping_add(1));
        }
    }
    println!("post-work done");
    Ok(())
}
