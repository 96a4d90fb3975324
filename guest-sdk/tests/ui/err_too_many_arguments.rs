use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn handle(_req: IncomingMessage, _res: ServerResponse, _more: u32) -> Result<()> {
    Ok(())
}

fn main() {}
