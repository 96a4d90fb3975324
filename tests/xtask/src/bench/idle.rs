//! What an idle connection costs a server in resident memory: one that has
//! made a request, or one that a guest has taken over.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail};
use innkeeper_harness::DEADLINE;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::host::resident_bytes;

/// How a connection comes to be idle.
pub struct Idle {
    /// How many connections are opened.
    pub connections: usize,
    request: &'static [u8],
    /// The last bytes of the answer.
    until: &'static [u8],
}

/// After one request, kept alive.
pub const KEPT_ALIVE: Idle =
    Idle { connections: 2000, request: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", until: b"Hello world\n" };

/// After an upgrade, with a word each way.
pub const TUNNEL: Idle = Idle {
    connections: 1000,
    request: b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nping",
    until: b"ping",
};

/// How many connections are opened beforehand: what the first ones bring up
/// once is not a connection's.
pub const WARM: usize = 100;

/// Opens connections that stay, and compares the server's resident memory.
pub fn bytes_per_connection(address: SocketAddr, process: u32, idle: &Idle) -> Result<f64> {
    let open = |count| (0..count).map(|_| connection(address, idle)).collect::<Result<Vec<_>>>();
    let warm = open(WARM)?;
    let before = resident_bytes(process)?;
    let held = open(idle.connections)?;
    let after = resident_bytes(process)?;
    drop((warm, held));
    Ok((after - before) / idle.connections as f64)
}

fn connection(address: SocketAddr, idle: &Idle) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).context("cannot connect")?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(idle.request).context("cannot send a request")?;
    let mut received = Vec::new();
    let mut buffer = [0; 1024];
    while !received.ends_with(idle.until) {
        match stream.read(&mut buffer).context("no response")? {
            0 => bail!("the server closed the connection"),
            len => received.extend_from_slice(buffer.get(..len).unwrap_or_default()),
        }
    }
    Ok(stream)
}

/// Both ends of a connection need an open file. Servers inherit the limit, so
/// it is raised before they start.
pub fn raise_open_files() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: maximum, maximum };
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit on open files")
}
