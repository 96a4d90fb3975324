use innkeeper_guest::{IncomingMessage, Result, Socket, connect_handler};

#[connect_handler]
async fn connect(_req: IncomingMessage, _socket: Socket, _head: Vec<u8>) -> Result<()> {
    Ok(())
}

fn main() {}
