use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn handle(_res: ServerResponse, _req: IncomingMessage) -> Result<()> {
    Ok(())
}

fn main() {}
