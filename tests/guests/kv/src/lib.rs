//! A guest that does with keys and values what its request tells it: the header
//! `Script` has calls, separated by `;`, and the response has a line for what
//! came of each. Nothing is compared here.
//!
//! `open NAME` opens a bucket by both drafts; `get K`, `set K V` and so on go
//! through the first draft, and through the second with `2` before them, as in
//! `2 get K`. `config` and `log` are about those interfaces. [`calls`] has the
//! list.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

mod beside;
mod calls;
mod cas;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "kv", generate_all });
}

#[handler]
fn kv(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let script = req.header_str("script").unwrap_or_default();
    let mut buckets = calls::Buckets::default();
    for call in script.split(';').map(str::trim).filter(|call| !call.is_empty()) {
        let told = buckets.call(call);
        res.write(format!("{told}\n"))?;
    }
    Ok(res.end_empty()?)
}
