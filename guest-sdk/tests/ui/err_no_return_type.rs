use innkeeper_guest::{IncomingMessage, ServerResponse, handler};

#[handler]
fn handle(_req: IncomingMessage, _res: ServerResponse) {}

fn main() {}
