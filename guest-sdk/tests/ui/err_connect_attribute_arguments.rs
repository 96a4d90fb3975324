use innkeeper_guest::{IncomingMessage, Result, Socket, connect_handler};

#[connect_handler(should_upgrade = always)]
fn connect(_req: IncomingMessage, _socket: Socket, _head: Vec<u8>) -> Result<()> {
    Ok(())
}

fn always(_req: &IncomingMessage) -> bool {
    true
}

fn main() {}
