//! Calls on a socket where they mean nothing, each with what the host says.

use std::time::Duration;

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, Socket};

use crate::outcome;
use crate::tunnel::Tunnel;

/// To an ordinary handler the bytes of its connection are denied; it answers
/// with a line for each attempt.
pub fn use_socket_of_request(req: &IncomingMessage, res: &ServerResponse) -> Result<()> {
    Ok(res.end(attempts(&req.socket()).concat())?)
}

/// The request's socket, beside the one that was given: both are the tunnel.
pub fn use_second_socket(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    print!("{}", attempts(&tunnel.req.socket()).concat());
    Ok(())
}

pub fn after_end(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    let socket = &tunnel.socket;
    println!("read of 0 bytes: {}", outcome(socket.read_piece(0)));
    println!("end: {}", outcome(socket.end_empty()));
    println!("end: {}", outcome(socket.end_empty()));
    println!("end with bytes: {}", outcome(socket.end("more")));
    println!("write: {}", outcome(socket.write("more")));
    println!("try-write: {}", outcome(socket.try_write("more")));
    println!("flush: {}", outcome(socket.flush()));
    println!("read: {}", outcome(socket.read_piece(1)));
    Ok(())
}

/// Goes on as if the connection were still there.
pub fn destroy(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    tunnel.socket.destroy();
    print!("{}", attempts(&tunnel.socket).concat());
    Ok(())
}

pub fn destroy_soon(tunnel: &Tunnel, grace: Duration) -> Result<()> {
    tunnel.answer()?;
    tunnel.socket.destroy_soon(grace);
    Ok(tunnel.socket.write("the last bytes")?)
}

/// What a tunnel tells of itself, as a line for each fact.
pub fn tell_facts(tunnel: &Tunnel) -> Result<()> {
    tunnel.answer()?;
    let socket = &tunnel.socket;
    println!("set-no-delay: {}", outcome(socket.set_no_delay(false)));
    println!("set-keep-alive: {}", outcome(socket.set_keep_alive(true, Duration::from_secs(60))));
    let facts = [
        format!("remote-address: {}\n", socket.remote_address()),
        format!("local-port: {}\n", socket.local_port()),
        format!("bytes-read: {}\n", socket.bytes_read()),
        format!("bytes-written: {}\n", socket.bytes_written()),
        format!("exchanges: {}\n", socket.exchanges()),
    ];
    Ok(socket.write(facts.concat())?)
}

/// A line for each call and what the host said.
fn attempts(socket: &Socket) -> [String; 6] {
    [
        ("read", outcome(socket.read_piece(1))),
        ("write", outcome(socket.write("x"))),
        ("try-write", outcome(socket.try_write("x"))),
        ("flush", outcome(socket.flush())),
        ("end", outcome(socket.end("x"))),
        ("end without bytes", outcome(socket.end_empty())),
    ]
    .map(|(what, told)| format!("{what}: {told}\n"))
}
