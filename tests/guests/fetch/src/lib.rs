//! A guest that makes the requests that the body of its own request asks for, a
//! JSON array of [`Call`]s, and answers with what came of each. It uses the
//! contract as it is: what the SDK would refuse by itself reaches the host.
//!
//! The query says how: `together` begins all before it waits for any. `call` is
//! one request, `told` what the tests read.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

use call::{Begun, Call};
use told::Told;

mod call;
mod told;

/// More than any test sends.
const BODY_BYTES_MAX: u64 = 1 << 20;

#[handler]
fn fetch(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let calls: Vec<Call> = serde_json::from_slice(&req.read_all(BODY_BYTES_MAX)?)?;
    // Agents live as long as this: what they keep is there for the next call.
    let mut agents = call::Agents::default();
    let told: Vec<Told> = match req.url().ends_with("?together") {
        false => calls.iter().map(|call| agents.follow(call)).collect(),
        true => {
            let begun: Vec<_> = calls.iter().map(|call| agents.begin(call)).collect();
            let wait = |(call, begun): (&Call, std::result::Result<Begun, Told>)| {
                begun.map_or_else(|told| told, |begun| begun.wait(call))
            };
            calls.iter().zip(begun).map(wait).collect()
        }
    };
    res.set_header("Content-Type", "application/json")?;
    Ok(res.end(serde_json::to_vec(&told)?)?)
}
