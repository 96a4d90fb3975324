//! One connection of a case, seen from the scripted side: the client's, or
//! the upstream's. A thread reads all the time, so that what comes, and when
//! it ends, is known whatever the script is doing.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::SockRef;

use super::script::Step;
use crate::bytes::count;
use crate::pulse::Pulse;
use crate::wire;

/// How long `wait-for` waits at most, and how long a write may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection under a script.
pub struct Peer {
    /// None once this side has closed, or if there never was one.
    stream: Option<Arc<TcpStream>>,
    reader: Option<JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
    pulse: Pulse,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The bytes that came.
    pub received: Vec<u8>,
    /// The bytes that were sent.
    pub sent: Vec<u8>,
    /// In how many reads they came.
    pub segments: usize,
    /// How it stands.
    pub state: State,
    /// When the other side ended it, from the connect.
    pub ended_after: Option<Duration>,
    opened: Instant,
    paused: bool,
    /// This side goes away: what the reader sees now is our own doing.
    leaving: bool,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The other side has not ended it.
    Open,
    /// The other side sent a FIN.
    Closed,
    /// The other side sent an RST, or did not take a write.
    Reset,
    /// It never came about.
    Refused,
}

impl Seen {
    /// A connection that stands so, and of which nothing else is known yet.
    pub fn with_state(state: State) -> Self {
        Self {
            received: Vec::new(),
            sent: Vec::new(),
            segments: 0,
            state,
            ended_after: None,
            opened: Instant::now(),
            paused: false,
            leaving: false,
        }
    }

    fn end(&mut self, state: State) {
        // A write that fails after a FIN does not take the FIN back.
        if self.state == State::Open && !self.leaving {
            self.state = state;
            self.ended_after = Some(self.opened.elapsed());
        }
    }
}

impl Peer {
    /// Connects; a connection that is refused is a state, not an error.
    pub fn connect(address: SocketAddr, pulse: &Pulse) -> Self {
        match wire::open(address) {
            Ok(stream) => Self::on(stream, pulse),
            Err(_) => Self {
                stream: None,
                reader: None,
                seen: Arc::new(Mutex::new(Seen::with_state(State::Refused))),
                pulse: pulse.clone(),
            },
        }
    }

    /// Takes over a connection.
    pub fn on(stream: TcpStream, pulse: &Pulse) -> Self {
        // Both fail only on sockets that are gone, which the reader then sees.
        let _ = stream.set_nodelay(true);
        let _ = stream.set_write_timeout(Some(PATIENCE));
        let stream = Arc::new(stream);
        let seen = Arc::new(Mutex::new(Seen::with_state(State::Open)));
        let reader = {
            let (stream, seen, pulse) = (stream.clone(), seen.clone(), pulse.clone());
            thread::spawn(move || read_all(&stream, &seen, &pulse))
        };
        Self { stream: Some(stream), reader: Some(reader), seen, pulse: pulse.clone() }
    }

    /// What is known so far.
    pub fn seen(&self) -> Arc<Mutex<Seen>> {
        self.seen.clone()
    }

    /// Plays one step to its end.
    pub fn play(&mut self, step: &Step) {
        match step {
            Step::Send(bytes) => self.send(&bytes.0),
            // The one sleep: a script that lets time pass wants just that.
            Step::Wait(time) => thread::sleep(*time),
            Step::WaitFor(bytes, times) => {
                self.wait(PATIENCE, |seen| {
                    seen.state != State::Open || count(&seen.received, &bytes.0) >= *times
                });
            }
            Step::WaitClose(time) => self.wait(*time, |seen| seen.state != State::Open),
            Step::HalfClose => {
                if let Some(stream) = &self.stream {
                    // Fails if the other side has gone, which the reader sees.
                    let _ = stream.shutdown(Shutdown::Write);
                }
            }
            Step::Close => self.leave(),
            Step::Reset => {
                if let Some(stream) = &self.stream {
                    let _ = SockRef::from(&**stream).set_linger(Some(Duration::ZERO));
                }
                self.leave();
            }
            Step::PauseReading => self.seen.lock().paused = true,
            Step::ResumeReading => {
                self.seen.lock().paused = false;
                self.pulse.beat();
            }
        }
    }

    fn send(&self, bytes: &[u8]) {
        let Some(stream) = &self.stream else { return };
        self.seen.lock().sent.extend_from_slice(bytes);
        if (&**stream).write_all(bytes).is_err() {
            self.seen.lock().end(State::Reset);
        }
        self.pulse.beat();
    }

    fn wait(&self, within: Duration, mut until: impl FnMut(&Seen) -> bool) {
        self.pulse.wait_for(within, || until(&self.seen.lock()).then_some(()));
    }

    /// Closes from this side. The reader is woken by closing the reading half,
    /// which sends nothing; then the last handle goes.
    fn leave(&mut self) {
        self.seen.lock().leaving = true;
        self.pulse.beat();
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(Shutdown::Read);
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.stream = None;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.leave();
    }
}

fn read_all(mut stream: &TcpStream, seen: &Mutex<Seen>, pulse: &Pulse) {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        // Looked at without being taken, so that a pause leaves it there.
        let ready = stream.peek(&mut [0]);
        wait_while_paused(seen, pulse);
        let read = ready.and_then(|_| stream.read(&mut buffer));
        let mut seen = seen.lock();
        if seen.leaving {
            return;
        }
        match read {
            Ok(0) => seen.end(State::Closed),
            Ok(len) => {
                seen.received.extend_from_slice(buffer.get(..len).unwrap_or_default());
                seen.segments += 1;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => seen.end(State::Reset),
        }
        let over = seen.state != State::Open;
        drop(seen);
        pulse.beat();
        if over {
            return;
        }
    }
}

fn wait_while_paused(seen: &Mutex<Seen>, pulse: &Pulse) {
    while seen.lock().paused && !seen.lock().leaving {
        pulse.wait_for(PATIENCE, || {
            let seen = seen.lock();
            (!seen.paused || seen.leaving).then_some(())
        });
    }
}
