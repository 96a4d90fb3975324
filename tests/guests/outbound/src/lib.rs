//! A guest that makes requests to other servers as its own request tells it:
//! the header `Script` has calls, separated by `;`, and the response has a line
//! for what came of each, as soon as that is known. Nothing is compared here.
//!
//! `NAME = METHOD URL` makes a request of that name, `NAME = agent` an agent;
//! `NAME call …` calls it. [`run`] has the list, the modules the calls by
//! subject. A script that ends returns, whatever is still under way.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

use run::Run;

mod run;
mod asked;
mod body;
mod answer;
mod tunnel;
mod agents;
mod waiting;

#[handler]
fn outbound(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let script = req.header_str("script").unwrap_or_default();
    let mut run = Run::new(&req, &res);
    // The client learns that it has begun.
    res.flush_headers()?;
    for call in script.split(';').map(str::trim).filter(|call| !call.is_empty()) {
        run.call(call)?;
    }
    Ok(res.end_empty()?)
}
