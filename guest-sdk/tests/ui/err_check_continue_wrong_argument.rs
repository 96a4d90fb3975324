use innkeeper_guest::{IncomingMessage, Result, Socket, check_continue_handler};

#[check_continue_handler]
fn gate(_req: IncomingMessage, _socket: Socket) -> Result<()> {
    Ok(())
}

fn main() {}
