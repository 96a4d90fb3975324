//! The load generator of measurements in which single requests count: each
//! connection is kept alive and has one request at a time, whose time is
//! taken and whose answer is looked at.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use innkeeper_harness::{DEADLINE, wire};

/// Connections of a load: more than there are processors, so that they wait
/// for each other as those of strangers do.
pub const CONNECTIONS: usize = 8;

const BUFFER_BYTES: usize = 16 * 1024;

/// What is asked for, and what is the right answer.
#[derive(Clone)]
pub struct Target {
    /// Whom to ask.
    pub address: SocketAddr,
    /// The request.
    pub request: String,
    /// The body of the answer, whose status is 200.
    pub body: &'static str,
}

/// What became of the requests.
#[derive(Default)]
pub struct Tally {
    /// Time of each answered request in microseconds, sorted.
    latencies: Vec<f64>,
    /// Those whose answer was another one.
    pub wrong: usize,
    /// Requests without an answer, or with a part of one.
    pub lost: usize,
    /// Requests that met a connection as it was closed, before any byte of an
    /// answer: clients send those again (RFC 9112, 9.3.1).
    pub met_close: usize,
    /// Connections that were not opened, or closed before any answer.
    pub refused: usize,
    seconds: f64,
}

/// Connections that ask.
pub struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
    since: Instant,
}

impl Target {
    /// `GET /` of a host, which says hello.
    pub fn hello(address: SocketAddr, host: &str) -> Self {
        Target { address, request: format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), body: "Hello world\n" }
    }

    /// Asks for so long.
    ///
    /// # Errors
    /// If any request was not answered as it should be.
    pub fn drive(&self, time: Duration) -> Result<Tally> {
        let clients = Clients::start(self);
        sleep(time);
        let tally = clients.stop()?;
        if tally.wrong + tally.lost + tally.met_close + tally.refused > 0 {
            bail!("some requests failed: {}", tally.faults());
        }
        Ok(tally)
    }
}

impl Clients {
    /// Opens the connections.
    pub fn start(target: &Target) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let (target, stop) = (target.clone(), stop.clone());
            spawn(move || ask_on(&target, &stop))
        };
        let threads = (0..CONNECTIONS).map(client).collect();
        Clients { threads, since: Instant::now(), stop }
    }

    /// Asks no more, and waits for the last answers.
    ///
    /// # Errors
    /// A defect of the generator.
    pub fn stop(self) -> Result<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        self.ended()
    }

    /// Waits until every connection was refused.
    ///
    /// # Errors
    /// A defect of the generator.
    pub fn ended(self) -> Result<Tally> {
        let mut all = Tally::default();
        for thread in self.threads {
            let tally = thread.join().map_err(|_| anyhow!("a connection of the load generator panicked"))?;
            all.latencies.extend(tally.latencies);
            all.wrong += tally.wrong;
            all.lost += tally.lost;
            all.met_close += tally.met_close;
            all.refused += tally.refused;
        }
        all.latencies.sort_by(f64::total_cmp);
        all.seconds = self.since.elapsed().as_secs_f64();
        Ok(all)
    }
}

impl Tally {
    /// Requests that were answered.
    pub fn answered(&self) -> usize {
        self.latencies.len()
    }

    /// Answered requests for each second.
    pub fn per_second(&self) -> f64 {
        self.answered() as f64 / self.seconds
    }

    /// The time in microseconds that this part of the requests took at most.
    pub fn quantile(&self, part: f64) -> f64 {
        let rank = (self.latencies.len() as f64 * part) as usize;
        self.latencies.get(rank).copied().unwrap_or(f64::NAN)
    }

    fn faults(&self) -> String {
        format!(
            "{} wrong, {} lost, {} on a connection as it was closed, {} connections refused",
            self.wrong, self.lost, self.met_close, self.refused
        )
    }
}

/// Asks until told to stop, or until the server takes no more connections.
fn ask_on(target: &Target, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = connect(target.address) else {
            tally.refused += 1;
            break;
        };
        let mut fresh = true;
        while !stop.load(Ordering::Relaxed) {
            let since = Instant::now();
            match exchange(&mut stream, target, &mut buffer) {
                Ok(answer) => {
                    tally.latencies.push(since.elapsed().as_secs_f64() * 1e6);
                    tally.wrong += usize::from(!answer.right);
                    fresh = false;
                    if answer.closes {
                        break;
                    }
                }
                Err(lost) => {
                    match lost {
                        Lost::MetClose if fresh => tally.refused += 1,
                        Lost::MetClose => tally.met_close += 1,
                        Lost::Otherwise => tally.lost += 1,
                    }
                    break;
                }
            }
        }
    }
    tally
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = wire::open(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}

struct Answer {
    right: bool,
    closes: bool,
}

enum Lost {
    MetClose,
    Otherwise,
}

fn exchange(stream: &mut TcpStream, target: &Target, buffer: &mut [u8]) -> Result<Answer, Lost> {
    stream.write_all(target.request.as_bytes()).map_err(|error| lost(&error))?;
    let mut len = 0;
    loop {
        let read = match stream.read(buffer.get_mut(len..).unwrap_or_default()) {
            // Nothing of an answer: the server closed as the request came.
            Ok(0) if len == 0 => return Err(Lost::MetClose),
            Ok(0) => return Err(Lost::Otherwise),
            Ok(read) => read,
            Err(error) if len == 0 => return Err(lost(&error)),
            Err(_) => return Err(Lost::Otherwise),
        };
        len += read;
        let received = buffer.get(..len).unwrap_or_default();
        if let Some(answer) = whole(received, target.body) {
            return Ok(answer);
        }
    }
}

fn lost(error: &io::Error) -> Lost {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Lost::MetClose,
        _ => Lost::Otherwise,
    }
}

/// The answer, if all of it is there. It has a `Content-Length`.
fn whole(received: &[u8], body: &str) -> Option<Answer> {
    let text = str::from_utf8(received).ok()?;
    let (head, came) = text.split_once("\r\n\r\n")?;
    let field = |name: &str| {
        let fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    };
    let length: usize = field("content-length").and_then(|value| value.parse().ok()).unwrap_or(usize::MAX);
    if came.len() < length {
        return None;
    }
    let right = head.starts_with("HTTP/1.1 200 ") && came == body;
    let closes = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Some(Answer { right, closes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_looked_at_when_it_is_whole() {
        let whole_of = |text: &str| whole(text.as_bytes(), "hi").map(|answer| (answer.right, answer.closes));
        assert_eq!(whole_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), None);
        assert_eq!(whole_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"), None);
        assert_eq!(whole_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), Some((true, false)));
        assert_eq!(whole_of("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nhi"), Some((false, false)));
        let closing = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: close\r\n\r\nho";
        assert_eq!(whole_of(closing), Some((false, true)));
    }

    #[test]
    fn quantiles_of_a_tally() {
        let tally = Tally { latencies: (0..100).map(f64::from).collect(), seconds: 2.0, ..Tally::default() };
        assert!((tally.quantile(0.5) - 50.0).abs() < f64::EPSILON);
        assert!((tally.quantile(0.99) - 99.0).abs() < f64::EPSILON);
        assert!((tally.per_second() - 50.0).abs() < f64::EPSILON);
    }
}
