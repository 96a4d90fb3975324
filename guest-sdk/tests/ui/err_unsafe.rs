use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
unsafe fn handle(_req: IncomingMessage, _res: ServerResponse) -> Result<()> {
    Ok(())
}

fn main() {}
