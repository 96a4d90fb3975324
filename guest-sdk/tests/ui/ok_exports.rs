//! All exports beside each other, with the shapes that each may have.
#![deny(warnings)]

use innkeeper_guest::{
    ClientError, ErrorCode, IncomingMessage, Result, ServerResponse, Socket, check_continue_handler,
    check_expectation_handler, client_error_handler, connect_handler, handler, upgrade_handler,
};

#[handler]
fn answer(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    Ok(res.end("x")?)
}

#[upgrade_handler(should_upgrade = decisions::upgrade)]
fn upgrade(_req: IncomingMessage, mut socket: Socket, head: Vec<u8>) -> Result<()> {
    std::io::copy(&mut std::io::Read::chain(&head[..], &socket), &mut &socket)?;
    std::io::Write::flush(&mut socket)?;
    Ok(())
}

mod decisions {
    pub fn upgrade(req: &innkeeper_guest::IncomingMessage) -> bool {
        req.header("upgrade").is_some()
    }
}

mod always {
    use super::*;

    #[upgrade_handler]
    fn upgrade(_: IncomingMessage, socket: Socket, _: Vec<u8>) -> Result<(), ErrorCode> {
        socket.end_empty()
    }
}

#[connect_handler]
fn connect(_req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    Ok(socket.end(head)?)
}

#[check_continue_handler]
fn gate(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    Ok(res.write_continue()?)
}

#[check_expectation_handler]
fn expect(_req: IncomingMessage, res: ServerResponse) -> Result<(), ErrorCode> {
    res.end_empty()
}

#[client_error_handler]
fn complain(error: ClientError) -> Option<Vec<u8>> {
    (error.status == 400).then_some(error.raw_packet)
}

mod text {
    #[innkeeper_guest::client_error_handler]
    fn complain(error: innkeeper_guest::ClientError) -> Option<String> {
        Some(error.reason)
    }
}

mod borrowed {
    #[innkeeper_guest::client_error_handler]
    fn complain(_error: innkeeper_guest::ClientError) -> Option<&'static str> {
        Some("HTTP/1.1 400 No\r\n\r\n")
    }
}

fn main() {}
