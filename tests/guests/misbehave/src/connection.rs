//! What a guest may know of its connection, and how it may end it.

use std::time::Duration;

use innkeeper_guest::{Result, ServerResponse, Socket};

use crate::outcome;

/// Answers with a line for each fact.
pub fn tell(socket: &Socket, res: &ServerResponse) -> Result<()> {
    println!("set-no-delay: {}", outcome(socket.set_no_delay(false)));
    let probes = socket.set_keep_alive(true, Duration::from_secs(60));
    println!("set-keep-alive: {}", outcome(probes));
    let facts = [
        format!("remote-address: {}\n", socket.remote_address()),
        format!("remote-port: {}\n", socket.remote_port()),
        format!("local-address: {}\n", socket.local_address()),
        format!("local-port: {}\n", socket.local_port()),
        format!("encrypted: {}\n", socket.encrypted()),
        format!("bytes-read: {}\n", socket.bytes_read()),
        format!("bytes-written: {}\n", socket.bytes_written()),
        format!("exchanges: {}\n", socket.exchanges()),
    ];
    Ok(res.end(facts.concat())?)
}

/// Drops the connection in the middle of a body, and goes on as if it had not.
pub fn destroy(res: &ServerResponse) -> Result<()> {
    res.write("part")?;
    res.flush_headers()?;
    res.destroy();
    println!("write: {}", outcome(res.write("more")));
    println!("end: {}", outcome(res.end_empty()));
    println!("finished: {}", outcome(res.finished()));
    Ok(())
}

pub fn destroy_soon(socket: &Socket, res: &ServerResponse, grace: Duration) -> Result<()> {
    socket.destroy_soon(grace);
    Ok(res.end("the last answer")?)
}
