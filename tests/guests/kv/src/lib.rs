//! A guest that does with keys and values what its request tells it: the header
//! `Script` has calls, separated by `;`, and the response has a line for what
//! came of each. Nothing is compared here.
//!
//! `open NAME` opens a bucket by both drafts; `get K`, `set K V` and so on go
//! through the first draft, and through the second with `2` before them, as in
//! `2 get K`. `config` and `log` are about those interfaces. [`calls`] has the
//! list. It is served by Innkeeper's contract, or by `wasi:http` 0.2 or 0.3
//! with the feature `p2` or `p3`.

mod beside;
mod calls;
mod cas;
#[cfg(not(any(feature = "p2", feature = "p3")))]
mod own;
#[cfg(all(feature = "p2", not(feature = "p3")))]
mod p2;
#[cfg(feature = "p3")]
mod p3;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "kv", generate_all });
}

/// Carries a script out; a line for each call.
fn play(script: &str) -> String {
    let mut buckets = calls::Buckets::default();
    let calls = script.split(';').map(str::trim).filter(|call| !call.is_empty());
    calls.map(|call| buckets.call(call) + "\n").collect()
}
