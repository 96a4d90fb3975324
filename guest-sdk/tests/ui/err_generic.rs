use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

#[handler]
fn handle<T>(_req: IncomingMessage, _res: ServerResponse) -> Result<()> {
    Ok(())
}

fn main() {}
