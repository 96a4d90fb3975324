//! Ways to end an instance, or to have it ended.

use std::hint::black_box;

/// Never returns and never calls the host.
pub fn compute_for_ever() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

/// Touches every page, so that it is resident.
pub fn grow_for_ever() -> ! {
    let mut memory = Vec::new();
    loop {
        memory.push(vec![1_u8; 1024 * 1024]);
        black_box(&memory);
    }
}

/// Each level keeps a kilobyte on the stack.
#[expect(unconditional_recursion, reason = "running out of stack is the purpose")]
pub fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 128]);
    recurse(depth + 1) + black_box(frame)[0]
}
