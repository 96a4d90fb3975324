//! What a hostile tenant does: each way with its own clients, which begin
//! again whenever the host has ended what they began. They come from several
//! addresses, because the host takes only so many connections of one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use innkeeper_harness::wire::open_from;
use socket2::SockRef;

/// The tenant's host.
pub const HOST: &str = "hostile.example";

const LOOPS: usize = 4;
const HOGS: usize = 4;
const FLOODS: usize = 4;
const SLOW_READERS: usize = 32;
const IDLE: usize = 2000;

/// Below what the clients themselves would take from the good tenant: they
/// run on the same processors.
const CHURN_PER_SECOND: u32 = 1000;

/// How soon a client notices that it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// A way to be hostile.
#[derive(Clone, Copy)]
pub enum Hostile {
    /// Requests that compute for ever.
    Loops,
    /// Requests that touch as much memory as they get, and trap.
    MemoryHog,
    /// Responses without end, read a little at a time.
    SlowReader,
    /// Requests that print 100,000 lines each.
    LogFlood,
    /// Connections that have made a request, and stay.
    Idle,
    /// Connections that make one request each.
    Churn,
}

/// Hostile clients at work.
pub struct Attack {
    at_work: Arc<AtWork>,
    clients: Vec<JoinHandle<()>>,
    since: Instant,
}

struct AtWork {
    address: SocketAddr,
    stop: AtomicBool,
    /// What has come to its end.
    ended: AtomicU64,
    /// Of the next address to come from.
    next: AtomicU8,
}

impl Hostile {
    /// All ways, in the order of the report.
    pub const ALL: [Self; 6] =
        [Self::Loops, Self::MemoryHog, Self::SlowReader, Self::LogFlood, Self::Idle, Self::Churn];

    /// What it is called.
    pub fn name(self) -> String {
        match self {
            Self::Loops => format!("{LOOPS} endless loops"),
            Self::MemoryHog => format!("{HOGS} memory hogs"),
            Self::SlowReader => format!("{SLOW_READERS} slow readers"),
            Self::LogFlood => format!("{FLOODS} log floods"),
            Self::Idle => format!("{IDLE} idle connections"),
            Self::Churn => format!("churn of {CHURN_PER_SECOND} connections/s"),
        }
    }

    /// What is wanted of the quantiles beside it.
    pub fn bar(self) -> &'static str {
        match self {
            Self::Loops => "p50 ≤ 1.3, p99 ≤ 10",
            _ => "",
        }
    }

    /// Begins.
    ///
    /// # Errors
    /// Connections that should stay and cannot be opened.
    pub fn attack(self, address: SocketAddr) -> Result<Attack> {
        let at_work = Arc::new(AtWork {
            address,
            stop: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            next: AtomicU8::new(0),
        });
        let requests = |path: &'static str, count| {
            let client = |_| {
                let at_work = at_work.clone();
                spawn(move || at_work.repeat(path))
            };
            (0..count).map(client).collect()
        };
        let since = Instant::now();
        let clients = match self {
            Self::Loops => requests("/loop", LOOPS),
            Self::MemoryHog => requests("/grow", HOGS),
            Self::LogFlood => requests("/log-flood", FLOODS),
            Self::SlowReader => {
                let streams = at_work.open_all("/output", SLOW_READERS)?;
                let at_work = at_work.clone();
                vec![spawn(move || at_work.read_slowly(streams))]
            }
            Self::Idle => {
                let streams = at_work.open_all("/ok", IDLE)?;
                let at_work = at_work.clone();
                vec![spawn(move || at_work.stay(streams))]
            }
            Self::Churn => {
                let at_work = at_work.clone();
                vec![spawn(move || at_work.churn())]
            }
        };
        Ok(Attack { at_work, clients, since })
    }
}

impl Attack {
    /// Ends it; returns how much came to its end for each second: requests
    /// that the host has ended, or pieces that were read.
    pub fn end(self) -> f64 {
        let ended = self.at_work.ended.load(Ordering::Relaxed) as f64 / self.since.elapsed().as_secs_f64();
        self.at_work.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            // One that panicked is at its end, too.
            let _ = client.join();
        }
        ended
    }
}

impl AtWork {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Sends a request, after which the host closes.
    fn request(&self, path: &str) -> io::Result<TcpStream> {
        self.send(path, "Connection: close\r\n")
    }

    fn send(&self, path: &str, fields: &str) -> io::Result<TcpStream> {
        let last = 2 + self.next.fetch_add(1, Ordering::Relaxed) % 100;
        let mut stream = open_from(Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))), self.address)?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n").as_bytes())?;
        stream.set_read_timeout(Some(LOOK))?;
        Ok(stream)
    }

    /// Opens connections that have made a request each.
    fn open_all(&self, path: &str, count: usize) -> Result<Vec<TcpStream>> {
        let opened = (0..count).map(|_| self.send(path, "")).collect::<io::Result<_>>();
        opened.with_context(|| format!("cannot open {count} connections"))
    }

    fn repeat(&self, path: &str) {
        while self.goes_on() {
            match self.request(path).and_then(|stream| self.await_end(stream)) {
                Ok(()) => _ = self.ended.fetch_add(1, Ordering::Relaxed),
                // It is refused for now.
                Err(_) => sleep(LOOK),
            }
        }
    }

    /// Reads until the host closes. A client that is to stop resets its
    /// connection: that ends the guest, and a FIN does not.
    fn await_end(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while self.goes_on() {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
        reset(&stream)
    }

    fn read_slowly(&self, mut streams: Vec<TcpStream>) {
        let mut buffer = [0; 1024];
        for stream in &streams {
            // A stream that blocks keeps the next ones from being read, no more.
            let _ = stream.set_nonblocking(true);
        }
        while self.goes_on() {
            sleep(2 * LOOK);
            for stream in &mut streams {
                match stream.read(&mut buffer) {
                    Ok(read) if read > 0 => _ = self.ended.fetch_add(1, Ordering::Relaxed),
                    Err(error) if is_timeout(&error) => {}
                    _ => {
                        if let Ok(fresh) = self.send("/output", "") {
                            let _ = fresh.set_nonblocking(true);
                            *stream = fresh;
                        }
                    }
                }
            }
        }
        for stream in &streams {
            let _ = reset(stream);
        }
    }

    /// The host keeps them for longer than a round.
    fn stay(&self, streams: Vec<TcpStream>) {
        while self.goes_on() {
            sleep(LOOK);
        }
        for stream in &streams {
            let _ = reset(stream);
        }
    }

    fn churn(&self) {
        let begun = Instant::now();
        let mut due = 0;
        while self.goes_on() {
            while f64::from(due) < begun.elapsed().as_secs_f64() * f64::from(CHURN_PER_SECOND) {
                due += 1;
                if self.request("/ok").and_then(|stream| self.await_end(stream)).is_ok() {
                    self.ended.fetch_add(1, Ordering::Relaxed);
                }
            }
            sleep(Duration::from_millis(1));
        }
    }
}

fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
