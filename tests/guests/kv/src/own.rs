//! The guest of Innkeeper's own contract.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn kv(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let script = req.header_str("script").unwrap_or_default();
    Ok(res.end(crate::play(&script))?)
}
