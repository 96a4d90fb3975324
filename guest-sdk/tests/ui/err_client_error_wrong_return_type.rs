use innkeeper_guest::{ClientError, client_error_handler};

#[client_error_handler]
fn complain(_error: ClientError) -> u16 {
    400
}

fn main() {}
