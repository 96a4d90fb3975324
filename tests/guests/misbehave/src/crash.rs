//! Ways to end an instance, or to have it ended: traps, endless work (and long
//! work that does end), and more memory, stack or handles than there are.

use std::hint::black_box;
use std::mem;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse};

/// Executes `unreachable`, which is what an abort is on WebAssembly.
pub fn trap() -> ! {
    std::process::abort()
}

/// Never returns and never calls the host.
pub fn compute_for_ever() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

/// Computes for so many rounds of a million steps, and answers with the number
/// of them.
pub fn compute(res: &ServerResponse, rounds: u64) -> Result<()> {
    let mut number = 0_u64;
    for _ in 0..rounds * 1_000_000 {
        number = black_box(number.wrapping_add(1));
    }
    Ok(res.end((number / 1_000_000).to_string())?)
}

pub fn compute_after_head(res: &ServerResponse) -> Result<()> {
    res.flush_headers()?;
    compute_for_ever()
}

/// Touches every page, so that it is resident.
pub fn grow_for_ever() -> ! {
    let mut memory = Vec::new();
    loop {
        memory.push(vec![1_u8; 1024 * 1024]);
        black_box(&memory);
    }
}

/// Each handle is an entry in a table of the host.
pub fn leak_handles(req: &IncomingMessage) -> ! {
    loop {
        mem::forget(req.subscribe());
    }
}

/// Each level keeps a kilobyte on the stack.
#[expect(unconditional_recursion, reason = "running out of stack is the purpose")]
pub fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 128]);
    recurse(depth + 1) + black_box(frame)[0]
}
