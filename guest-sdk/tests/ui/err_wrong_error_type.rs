use innkeeper_guest::{IncomingMessage, ServerResponse, handler};

struct Mine;

#[handler]
fn handle(_req: IncomingMessage, _res: ServerResponse) -> Result<(), Mine> {
    Err(Mine)
}

fn main() {}
