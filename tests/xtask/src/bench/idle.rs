//! What an idle keep-alive connection costs a server in resident memory.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail};
use innkeeper_harness::DEADLINE;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many connections are opened.
pub const CONNECTIONS: usize = 2000;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const BODY: &[u8] = b"Hello world\n";

/// Opens connections that make one request each and then stay, and compares
/// the server's resident memory.
pub fn bytes_per_connection(address: SocketAddr, process: u32) -> Result<f64> {
    // What the first requests bring up once is not a connection's.
    let warm: Vec<_> = (0..100).map(|_| connection(address)).collect::<Result<_>>()?;
    let before = resident_bytes(process)?;
    let held: Vec<_> = (0..CONNECTIONS).map(|_| connection(address)).collect::<Result<_>>()?;
    let after = resident_bytes(process)?;
    drop((warm, held));
    Ok((after - before) / CONNECTIONS as f64)
}

fn connection(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).context("cannot connect")?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(REQUEST).context("cannot send a request")?;
    let mut received = Vec::new();
    let mut buffer = [0; 1024];
    while !received.ends_with(BODY) {
        match stream.read(&mut buffer).context("no response")? {
            0 => bail!("the server closed the connection"),
            len => received.extend_from_slice(buffer.get(..len).unwrap_or_default()),
        }
    }
    Ok(stream)
}

fn resident_bytes(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("{path} has no VmRSS"))?;
    Ok(kilobytes * 1024.0)
}

/// Both ends of a connection need an open file. Servers inherit the limit, so
/// it is raised before they start.
pub fn raise_open_files() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: maximum, maximum };
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit on open files")
}
