//! 1 GiB through a proxy, to the client or from it: how fast it goes, and what
//! the proxy needs of memory meanwhile.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use innkeeper_harness::DEADLINE;

use super::host::{forget_peak, peak_resident_bytes, resident_bytes};
use super::median;
use super::proxies::Proxy;

const BYTES: u64 = 1024 * 1024 * 1024;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One system call's worth, for `xtask`.
const PIECE_BYTES: usize = 256 * 1024;

/// Which way it goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The body of a response.
    Download,
    /// The body of a request.
    Upload,
}

impl Direction {
    /// Both.
    pub const ALL: [Direction; 2] = [Direction::Download, Direction::Upload];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Download => "1 GiB to the client",
            Direction::Upload => "1 GiB from the client",
        }
    }

    /// Sends a request over a connection of its own; returns the time from the
    /// first byte to the last.
    fn run(self, address: SocketAddr) -> Result<Duration> {
        let mut stream = TcpStream::connect(address).context("cannot connect")?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        let since = Instant::now();
        match self {
            Direction::Download => download(&mut stream),
            Direction::Upload => upload(&mut stream),
        }?;
        Ok(since.elapsed())
    }
}

fn download(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(b"GET /1g HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut head = Vec::new();
    let mut received = 0;
    loop {
        let count = stream.read(&mut piece).context("cannot read the response")?;
        if count == 0 {
            break;
        }
        received += count as u64;
        if !head.windows(4).any(|window| window == b"\r\n\r\n") {
            head.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
    }
    let head_bytes = head.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at as u64 + 4);
    if !head.starts_with(b"HTTP/1.1 200 ") || received != head_bytes + BYTES {
        let head = head.get(..head.len().min(1024)).unwrap_or_default();
        bail!("{received} bytes came, not {BYTES} and a head:\n{}", String::from_utf8_lossy(head));
    }
    Ok(())
}

fn upload(stream: &mut TcpStream) -> Result<()> {
    let head =
        format!("POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {BYTES}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let piece = vec![b'a'; PIECE_BYTES];
    for _ in 0..BYTES / PIECE_BYTES as u64 {
        stream.write_all(&piece).context("cannot send the request")?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("cannot read the response")?;
    if !answer.starts_with("HTTP/1.1 200 ") || !answer.ends_with(&format!("\r\n\r\n{BYTES}")) {
        bail!("not all of it arrived:\n{answer}");
    }
    Ok(())
}

/// A proxy, and what was measured of it.
pub struct Stream {
    proxy: Proxy,
    before: f64,
    speeds: Vec<f64>,
}

impl Stream {
    /// Has it do a little, and looks at its memory after that.
    ///
    /// # Errors
    /// If it does not.
    pub fn new(proxy: Proxy) -> Result<Self> {
        let mut stream = TcpStream::connect(proxy.address).context("cannot connect")?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET /1m HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).context("cannot read the response")?;
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            bail!("the proxy does not work:\n{}", String::from_utf8_lossy(&answer));
        }
        let before = sum(&proxy, resident_bytes)?;
        for process in proxy.workers() {
            forget_peak(*process)?;
        }
        Ok(Stream { proxy, before, speeds: Vec::new() })
    }

    /// One round.
    ///
    /// # Errors
    /// If not all of it comes.
    pub fn run(&mut self, direction: Direction) -> Result<()> {
        let time = direction.run(self.proxy.address)?;
        self.speeds.push(BYTES as f64 / time.as_secs_f64());
        Ok(())
    }

    /// The median of the rounds.
    pub fn bytes_per_second(&self) -> f64 {
        median(self.speeds.clone())
    }

    /// Before, and at the peak of all rounds.
    ///
    /// # Errors
    /// If the proxy is gone.
    pub fn memory(&self) -> Result<Memory> {
        Ok(Memory { before: self.before, peak: sum(&self.proxy, peak_resident_bytes)? })
    }
}

fn sum(proxy: &Proxy, of: fn(u32) -> Result<f64>) -> Result<f64> {
    proxy.workers().iter().map(|process| of(*process)).sum()
}

/// Resident memory of a proxy in bytes.
pub struct Memory {
    before: f64,
    peak: f64,
}

impl Memory {
    /// For the table.
    pub fn told(&self) -> String {
        format!("{:.1} MB before, {:.1} MB at its peak", self.before / 1e6, self.peak / 1e6)
    }
}

/// A speed, for the table.
pub fn mebibytes(bytes_per_second: f64) -> String {
    format!("{:.0} MiB/s", bytes_per_second / MEBIBYTE)
}
