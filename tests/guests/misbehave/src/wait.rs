//! Waiting, longer than anyone wants to.

use std::thread::sleep;
use std::time::Duration;

use innkeeper_guest::{Result, ServerResponse};

pub fn sleep_then_answer(res: &ServerResponse, time: Duration) -> Result<()> {
    sleep(time);
    Ok(res.end("slept")?)
}

pub fn sleep_for_ever() -> ! {
    loop {
        sleep(Duration::from_secs(3600));
    }
}

/// Nothing is sent or received once the head is gone.
pub fn sleep_past_a_timeout(res: &ServerResponse, timeout: Duration) -> Result<()> {
    res.set_timeout(timeout);
    res.flush_headers()?;
    sleep_for_ever()
}
