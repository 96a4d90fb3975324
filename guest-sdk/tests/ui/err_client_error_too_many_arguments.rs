use innkeeper_guest::{ClientError, Socket, client_error_handler};

#[client_error_handler]
fn complain(_error: ClientError, _socket: Socket) -> Option<Vec<u8>> {
    None
}

fn main() {}
