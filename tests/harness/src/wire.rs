//! A client that says exactly the bytes it is told to, and shows exactly the
//! bytes that came back.
//!
//! Everything has a deadline, [`DEADLINE`] until set. What does not
//! come as it should is a panic at the test's line, with what came instead.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::DEADLINE;
use crate::bytes::{DATE, DATE_LEN, count, find, mask_date, show};
use crate::message::{self, Message};

/// One connection to the server.
pub struct Client {
    stream: TcpStream,
    /// Received and not yet handed out.
    pending: Vec<u8>,
    /// Received before that; only to be shown when something fails.
    consumed: Vec<u8>,
    end: Option<End>,
    within: Duration,
}

/// How the server ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a FIN: an orderly close.
    Closed,
    /// With an RST.
    Reset,
}

impl Client {
    /// Opens a connection.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::on(open(address), address)
    }

    /// Opens a connection that comes from another address of this machine:
    /// to the server it is another peer.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    #[track_caller]
    pub fn connect_from(source: IpAddr, address: SocketAddr) -> Self {
        Self::on(open_from(Some(source), address), address)
    }

    #[track_caller]
    fn on(opened: io::Result<TcpStream>, address: SocketAddr) -> Self {
        let stream = match opened {
            Ok(stream) => stream,
            Err(error) => panic!("cannot connect to {address}: {error}"),
        };
        Self::over(stream)
    }

    /// The other side of a connection that was accepted: it says and shows
    /// bytes in the same way.
    pub(crate) fn over(stream: TcpStream) -> Self {
        // Each `send` is a segment of its own.
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        Self { stream, pending: Vec::new(), consumed: Vec::new(), end: None, within: DEADLINE }
    }

    /// Waits so long for what is read from now on.
    pub fn set_deadline(&mut self, within: Duration) -> &mut Self {
        self.within = within;
        self
    }

    /// The address that the server sees.
    ///
    /// # Panics
    ///
    /// Never on a connected socket.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends bytes in one write.
    ///
    /// # Panics
    ///
    /// If the server does not take them.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        if let Err(error) = self.stream.write_all(bytes.as_ref()) {
            let sent = bytes.as_ref();
            panic!("cannot send\n{}\n{error}; received so far\n{}", show(sent), show(&self.all()));
        }
        self
    }

    /// Sends bytes that the server may not want any more; whether it took
    /// them.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends bytes in several writes, cut at these places.
    ///
    /// # Panics
    ///
    /// If a place is outside, or the server does not take them.
    #[track_caller]
    pub fn send_split(&mut self, bytes: impl AsRef<[u8]>, places: &[usize]) -> &mut Self {
        let bytes = bytes.as_ref();
        let mut from = 0;
        for &place in places.iter().chain([&bytes.len()]) {
            self.send(bytes.get(from..place).expect("the places are in order and inside"));
            from = place;
        }
        self
    }

    /// Sends a FIN: no more bytes will come from here.
    ///
    /// # Panics
    ///
    /// If the connection is gone.
    #[track_caller]
    pub fn half_close(&mut self) -> &mut Self {
        self.stream.shutdown(Shutdown::Write).expect("the connection is there");
        self
    }

    /// Drops the connection with an RST.
    ///
    /// # Panics
    ///
    /// Never on a connected socket.
    pub fn reset(self) {
        let linger = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        linger.expect("a lingering time can be set");
    }

    /// Reads up to and with `needle`.
    ///
    /// # Panics
    ///
    /// If it does not come.
    #[track_caller]
    pub fn read_until(&mut self, needle: impl AsRef<[u8]>) -> Vec<u8> {
        let needle = needle.as_ref();
        let wanted = format!("`{}`", needle.escape_ascii());
        let end_of = end_of(needle);
        let len = self.wait(&wanted, |pending, _| end_of(pending));
        self.take(len)
    }

    /// Waits until `needle` has come, and leaves it to be read.
    ///
    /// # Panics
    ///
    /// If it does not come.
    #[track_caller]
    pub fn wait_until(&mut self, needle: impl AsRef<[u8]>) -> &mut Self {
        let needle = needle.as_ref();
        let wanted = format!("`{}`", needle.escape_ascii());
        let end_of = end_of(needle);
        self.wait(&wanted, |pending, _| end_of(pending));
        self
    }

    /// Reads up to and with `needle`, or to the end of the connection; whether
    /// it came.
    ///
    /// # Panics
    ///
    /// If neither comes.
    #[track_caller]
    pub fn read_to(&mut self, needle: impl AsRef<[u8]>) -> bool {
        let needle = needle.as_ref();
        let wanted = format!("`{}` or the end", needle.escape_ascii());
        let end_of = end_of(needle);
        let (found, len) = self.wait(&wanted, |pending, end| match end_of(pending) {
            Some(len) => Some((true, len)),
            None => end.map(|_| (false, pending.len())),
        });
        self.take(len);
        found
    }

    /// Reads until the server ends the connection: what came, and how.
    ///
    /// # Panics
    ///
    /// If it does not end it.
    #[track_caller]
    pub fn read_to_end(&mut self) -> (Vec<u8>, End) {
        let (len, end) = self.wait("the end", |pending, end| Some((pending.len(), end?)));
        (self.take(len), end)
    }

    /// Reads one response, with the interim ones before it. It may be
    /// incomplete only if the connection ended.
    ///
    /// # Panics
    ///
    /// If none comes, or what comes is none.
    #[track_caller]
    pub fn read_response(&mut self) -> Message {
        self.response(false)
    }

    /// Reads one response to a HEAD.
    ///
    /// # Panics
    ///
    /// If none comes, or what comes is none.
    #[track_caller]
    pub fn read_response_to_head(&mut self) -> Message {
        self.response(true)
    }

    /// Reads one request, where the peer is a client.
    ///
    /// # Panics
    ///
    /// If none comes, or what comes is none.
    #[track_caller]
    pub fn read_request(&mut self) -> Message {
        let found = self.wait("a request", |pending, _| match message::request(pending) {
            Ok(Some((message, len))) if message.complete => Some(Ok((message, len))),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        match found {
            Ok((message, len)) => {
                self.take(len);
                message
            }
            Err(error) => panic!("no request, {error}:\n{}", show(&self.pending)),
        }
    }

    /// Sends bytes, and reads one response.
    ///
    /// # Panics
    ///
    /// If none comes, or what comes is none.
    #[track_caller]
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        self.send(request);
        self.read_response()
    }

    /// Reads as many bytes as are expected, and compares. `<DATE>` stands for
    /// the value of a `Date` header.
    ///
    /// # Panics
    ///
    /// If others come, or too few.
    #[track_caller]
    pub fn expect(&mut self, expected: impl AsRef<[u8]>) -> &mut Self {
        let expected = expected.as_ref();
        let dates = count(&expected.to_ascii_lowercase(), b"\r\ndate: <date>");
        let len = expected.len() + dates * (DATE_LEN - DATE.len());
        let wanted = format!("\n{}\n", show(expected));
        let len = self.wait(&wanted, |pending, end| {
            (pending.len() >= len || end.is_some()).then_some(len.min(pending.len()))
        });
        let received = mask_date(&self.take(len));
        if received != expected {
            panic!(
                "expected\n{}\nreceived\n{}\nand behind it\n{}",
                show(expected),
                show(&received),
                show(&self.pending)
            );
        }
        self
    }

    /// Expects an orderly close with nothing more before it.
    ///
    /// # Panics
    ///
    /// If something comes, or an RST.
    #[track_caller]
    pub fn expect_close(&mut self) {
        let (rest, end) = self.read_to_end();
        if !rest.is_empty() || end != End::Closed {
            panic!("expected a close and nothing before it, got {end:?} and\n{}", show(&rest));
        }
    }

    /// Waits for so long: whether nothing came, neither bytes nor the end.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while self.pending.is_empty() && self.end.is_none() && self.read_some(deadline).is_ok() {}
        self.pending.is_empty() && self.end.is_none()
    }

    #[track_caller]
    fn response(&mut self, to_head: bool) -> Message {
        let found = self.wait("a response", |pending, end| {
            match message::response(pending, to_head, end == Some(End::Closed)) {
                Ok(Some((message, len))) if message.complete || end.is_some() => Some(Ok((message, len))),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            }
        });
        match found {
            Ok((message, len)) => {
                self.take(len);
                message
            }
            Err(error) => panic!("no response, {error}:\n{}", show(&self.pending)),
        }
    }

    /// Reads until `look` finds something in what is pending.
    #[track_caller]
    fn wait<T>(&mut self, wanted: &str, look: impl Fn(&[u8], Option<End>) -> Option<T>) -> T {
        let deadline = Instant::now() + self.within;
        loop {
            if let Some(found) = look(&self.pending, self.end) {
                return found;
            }
            let why = match self.end {
                Some(end) => Some(format!("the peer ended the connection ({end:?})")),
                None => self.read_some(deadline).err(),
            };
            if let Some(why) = why {
                panic!("waited for {wanted}, but {why}; received\n{}", show(&self.all()));
            }
        }
    }

    fn read_some(&mut self, deadline: Instant) -> Result<(), String> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("it did not come within {:?}", self.within));
        }
        self.stream.set_read_timeout(Some(left)).expect("the time is not zero");
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Closed),
            Ok(len) => self.pending.extend_from_slice(buffer.get(..len).unwrap_or_default()),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                self.end = Some(End::Reset);
            }
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let taken: Vec<u8> = self.pending.drain(..len).collect();
        self.consumed.extend_from_slice(&taken);
        taken
    }

    fn all(&self) -> Vec<u8> {
        [self.consumed.as_slice(), self.pending.as_slice()].concat()
    }
}

/// Finds the end of `needle` in bytes that grow, and looks at each of them
/// once.
fn end_of(needle: &[u8]) -> impl Fn(&[u8]) -> Option<usize> {
    let looked_at = Cell::new(0_usize);
    move |bytes| {
        // It may have begun in what was looked at.
        let from = (looked_at.replace(bytes.len()) + 1).saturating_sub(needle.len()).min(bytes.len());
        Some(from + find(bytes.get(from..)?, needle)? + needle.len())
    }
}

/// Connects, within [`DEADLINE`]; so long may a write take, too.
///
/// # Errors
///
/// If the connection is refused, or not answered.
pub fn open(address: SocketAddr) -> io::Result<TcpStream> {
    open_from(None, address)
}

/// The same, from this address of the machine.
///
/// # Errors
///
/// Those of [`open`], and if there is no such address.
pub fn open_from(source: Option<IpAddr>, address: SocketAddr) -> io::Result<TcpStream> {
    // Not `connect_timeout`: it reports a server that accepts and resets as if
    // it had refused. A blocking connect obeys the time for writes.
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_write_timeout(Some(DEADLINE))?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.connect(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn against(serve: impl FnOnce(TcpStream) + Send, test: impl FnOnce(&mut Client)) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        std::thread::scope(|scope| {
            scope.spawn(move || serve(listener.accept().expect("the client connects").0));
            test(&mut Client::connect(address));
        });
    }

    #[test]
    fn expected_bytes_with_a_date() {
        against(
            |mut server| {
                server
                    .write_all(b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nab")
                    .expect("sent")
            },
            |client| {
                client.expect(b"HTTP/1.1 200 OK\r\nDate: <DATE>\r\n\r\na").expect("b");
                client.expect_close();
            },
        );
    }

    #[test]
    fn a_response_and_what_follows() {
        against(
            |mut server| {
                server
                    .write_all(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 204 No Content\r\n\r\n",
                    )
                    .expect("sent")
            },
            |client| {
                assert_eq!(client.read_response().text(), "a");
                assert_eq!(client.read_response().status(), Some(204));
                assert_eq!(client.read_to_end(), (Vec::new(), End::Closed));
            },
        );
    }

    #[test]
    fn a_reset_is_told_from_a_close() {
        against(
            |server| SockRef::from(&server).set_linger(Some(Duration::ZERO)).expect("set"),
            |client| assert_eq!(client.read_to_end().1, End::Reset),
        );
    }

    #[test]
    fn the_end_of_bytes_that_come_in_pieces() {
        for (pieces, end) in
            [(&["a", "ab", "abc"][..], Some(3)), (&["", "xa", "xabcabc"], Some(4)), (&["ab", "abab"], None)]
        {
            let end_of = end_of(b"abc");
            let found: Vec<_> = pieces.iter().map(|piece| end_of(piece.as_bytes())).collect();
            assert_eq!(found.last(), Some(&end), "{pieces:?}");
        }
    }

    #[test]
    #[should_panic(expected = "waited for `b`")]
    fn what_does_not_come() {
        against(
            |mut server| server.write_all(b"a").expect("sent"),
            |client| {
                client.read_until("b");
            },
        );
    }
}
