use innkeeper_guest::{IncomingMessage, Result, Socket, upgrade_handler};

#[upgrade_handler(should_upgrade = always)]
fn upgrade(_req: IncomingMessage, _socket: Socket, _head: Vec<u8>) -> Result<()> {
    Ok(())
}

fn always() -> bool {
    true
}

fn main() {}
