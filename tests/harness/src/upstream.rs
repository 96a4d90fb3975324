//! A server that the host connects to, on a port of the system's choice. A test
//! accepts each of its connections and says the bytes, or has all of them
//! [answered](Upstream::answering) and asks afterwards what they carried.
//!
//! As for [`Client`], everything has a deadline, and what does not come is a
//! panic at the test's line.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::Mutex;
use socket2::SockRef;

use crate::DEADLINE;
use crate::message::{self, Message};
use crate::pulse::Pulse;
use crate::wire::{Client, open};

/// A server whose connections a test accepts one by one.
pub struct Upstream {
    listener: TcpListener,
    address: SocketAddr,
}

/// A connection that the host has made. It says and shows bytes as a
/// [`Client`] does, from the other side.
pub struct Connection(Client);

/// A server that answers by itself. Dropping it closes its port, not its
/// connections.
pub struct Answering {
    address: SocketAddr,
    carried: Arc<Carried>,
    closing: Arc<AtomicBool>,
}

#[derive(Default)]
struct Carried {
    /// The requests of each connection, in the order in which they were made.
    connections: Mutex<Vec<Vec<Message>>>,
    /// How many connections have ended.
    ended: Mutex<usize>,
    pulse: Pulse,
}

impl Upstream {
    /// Listens on a free port of `127.0.0.1`.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        // On Linux that is how long `accept` waits, too.
        SockRef::from(&listener).set_read_timeout(Some(DEADLINE)).expect("the time is not zero");
        let address = listener.local_addr().expect("a bound socket has an address");
        Self { listener, address }
    }

    /// Where it listens, as it stands in a URL.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The next connection that is made to it.
    ///
    /// # Panics
    ///
    /// If none is.
    #[must_use]
    #[track_caller]
    pub fn accept(&self) -> Connection {
        match self.listener.accept() {
            Ok((stream, _)) => Connection(Client::over(stream)),
            Err(error) => panic!("nobody has connected to {}: {error}", self.address),
        }
    }

    /// Whether a connection was made that was not accepted yet.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    #[must_use]
    #[track_caller]
    pub fn is_called(&self) -> bool {
        self.listener.set_nonblocking(true).expect("a socket can be set so");
        let accepted = self.listener.accept();
        self.listener.set_nonblocking(false).expect("a socket can be set so");
        match accepted {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("cannot accept on {}: {error}", self.address),
        }
    }

    /// Stops listening; further connections are refused.
    pub fn stop(self) {}

    /// Answers all requests from now on, each with what `answer` makes of it.
    #[must_use]
    pub fn answering(self, answer: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Answering {
        let (carried, closing) = (Arc::new(Carried::default()), Arc::new(AtomicBool::new(false)));
        let answering =
            Answering { address: self.address, carried: carried.clone(), closing: closing.clone() };
        let answer = Arc::new(answer);
        thread::spawn(move || {
            loop {
                let accepted = self.listener.accept();
                if closing.load(Ordering::Acquire) {
                    return;
                }
                // With an error nobody came for so long.
                let Ok((stream, _)) = accepted else { continue };
                let (carried, answer) = (carried.clone(), answer.clone());
                thread::spawn(move || carried.serve(stream, &*answer));
            }
        });
        answering
    }
}

impl Connection {
    /// Closes it, in both directions at once. To the host that is a FIN, or an
    /// RST if there are bytes that were not read.
    pub fn close(self) {}

    /// Drops the connection with an RST.
    pub fn reset(self) {
        self.0.reset();
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.0
    }
}

impl Answering {
    /// Where it listens, as it stands in a URL.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// How many requests each connection has carried so far, in the order in
    /// which the connections were made.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        self.carried.connections.lock().iter().map(Vec::len).collect()
    }

    /// The targets of the requests of each connection.
    #[must_use]
    pub fn targets(&self) -> Vec<Vec<String>> {
        let target = |request: &Message| request.line.split(' ').nth(1).unwrap_or_default().to_owned();
        self.carried.connections.lock().iter().map(|requests| requests.iter().map(target).collect()).collect()
    }

    /// Waits until so many of its connections have ended.
    ///
    /// # Panics
    ///
    /// If they do not.
    #[track_caller]
    pub fn wait_ended(&self, count: usize) {
        let ended = || (*self.carried.ended.lock() >= count).then_some(());
        let waited = self.carried.pulse.wait_for(DEADLINE, ended);
        if waited.is_none() {
            let (ended, all) = (*self.carried.ended.lock(), self.counts().len());
            panic!("waited for the end of {count} connections; {ended} of {all} have ended");
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        // Whoever accepts looks at it when somebody comes.
        let _ = open(self.address);
    }
}

impl Carried {
    /// Answers one connection until either side ends it.
    fn serve(&self, stream: TcpStream, answer: &impl Fn(&Message) -> Vec<u8>) {
        let number = {
            let mut connections = self.connections.lock();
            connections.push(Vec::new());
            connections.len() - 1
        };
        self.converse(stream, number, answer);
        *self.ended.lock() += 1;
        self.pulse.beat();
    }

    fn converse(&self, mut stream: TcpStream, number: usize, answer: &impl Fn(&Message) -> Vec<u8>) {
        // Fails only if the peer is gone, as the first read will tell.
        let _ = stream.set_nodelay(true);
        let mut received = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            while let Ok(Some((request, len))) = message::request(&received) {
                if !request.complete {
                    break;
                }
                received.drain(..len);
                let answer = answer(&request);
                if let Some(requests) = self.connections.lock().get_mut(number) {
                    requests.push(request);
                }
                self.pulse.beat();
                if stream.write_all(&answer).is_err() {
                    return;
                }
            }
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(len) => received.extend_from_slice(buffer.get(..len).unwrap_or_default()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::End;

    fn connect(authority: &str) -> Client {
        Client::connect(authority.parse().expect("an address"))
    }

    #[test]
    fn a_connection_that_is_accepted_says_and_hears() {
        let upstream = Upstream::start();
        assert!(!upstream.is_called());
        let mut client = connect(&upstream.authority());
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut connection = upstream.accept();
        assert_eq!(connection.read_request().line, "GET /a HTTP/1.1");
        connection.send("hello");
        connection.close();
        assert_eq!(client.read_to_end(), (b"hello".to_vec(), End::Closed));
    }

    #[test]
    fn what_was_carried_is_told_by_connection() {
        let upstream = Upstream::start().answering(|_| b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
        let (mut one, mut two) = (connect(&upstream.authority()), connect(&upstream.authority()));
        let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        one.ask(get("/1"));
        one.ask(get("/2"));
        two.ask(get("/3"));
        let mut targets = upstream.targets();
        targets.sort();
        assert_eq!(targets, [vec!["/1", "/2"], vec!["/3"]]);
        drop((one, two));
        upstream.wait_ended(2);
    }
}
