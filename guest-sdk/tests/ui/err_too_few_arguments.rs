use innkeeper_guest::{IncomingMessage, Result, handler};

#[handler]
fn handle(_req: IncomingMessage) -> Result<()> {
    Ok(())
}

fn main() {}
