use innkeeper_guest::{IncomingMessage, Result, ServerResponse, upgrade_handler};

#[upgrade_handler]
fn upgrade(_req: IncomingMessage, _res: ServerResponse) -> Result<()> {
    Ok(())
}

fn main() {}
