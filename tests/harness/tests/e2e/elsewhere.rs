//! Servers that guests send requests to, which note who came and what was
//! asked; and the guest `fetch`, which asks what a test tells it to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use innkeeper_harness::DEADLINE;
use innkeeper_harness::message::{self, Message};
use innkeeper_harness::pulse::Pulse;
use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::tls::{Acceptor, TlsStream};
use innkeeper_harness::wire::Client;
use parking_lot::Mutex;
use rustls::HandshakeKind;
use serde_json::{Value, json};

/// A server elsewhere. Its threads end with its connections; the one that
/// accepts ends with the tests.
pub struct Elsewhere {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    pulse: Pulse,
}

/// What a server has seen.
#[derive(Default)]
struct Seen {
    connections: usize,
    /// Those that have ended, from either side.
    ended: usize,
    /// Those whose handshake of TLS went well, and whether each went on with an
    /// earlier session.
    resumed: Vec<bool>,
    requests: Vec<Message>,
}

/// What is answered to a request; none to leave it without an answer.
type Answer = dyn Fn(&Message) -> Option<Vec<u8>> + Send + Sync;

impl Elsewhere {
    /// A server on a port of its own that answers every request with this text.
    #[track_caller]
    pub fn telling(text: &str) -> Self {
        let answer = answer(text);
        Self::answering(move |_| Some(answer.clone()))
    }

    /// One that answers as it is told.
    #[track_caller]
    pub fn answering(answer: impl Fn(&Message) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", None, answer)
    }

    /// One that accepts, reads, and never says a word.
    #[track_caller]
    pub fn silent() -> Self {
        Self::answering(|_| None)
    }

    /// One with TLS that answers every request with this text.
    #[track_caller]
    pub fn with_tls(acceptor: &Acceptor, text: &str) -> Self {
        let answer = answer(text);
        Self::at("127.0.0.1:0", Some(acceptor.clone()), move |_| Some(answer.clone()))
    }

    /// One at this address.
    #[track_caller]
    pub fn at(
        address: &str,
        acceptor: Option<Acceptor>,
        answer: impl Fn(&Message) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().expect("a bound socket has an address");
        let (seen, pulse) = (Arc::<Mutex<Seen>>::default(), Pulse::default());
        let elsewhere = Elsewhere { address, seen: seen.clone(), pulse: pulse.clone() };
        let answer: Arc<Answer> = Arc::new(answer);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                seen.lock().connections += 1;
                pulse.beat();
                let (seen, pulse) = (seen.clone(), pulse.clone());
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                thread::spawn(move || {
                    match acceptor {
                        None => serve(stream, &seen, &pulse, &*answer),
                        Some(acceptor) => serve_tls(&acceptor, stream, &seen, &pulse, &*answer),
                    }
                    seen.lock().ended += 1;
                    pulse.beat();
                });
            }
        });
        elsewhere
    }

    /// Host and port, as in a URL.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its origin, as an entry of `outbound`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.seen.lock().connections
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Message> {
        self.seen.lock().requests.clone()
    }

    /// For each handshake so far, whether it went on with an earlier session.
    pub fn resumed(&self) -> Vec<bool> {
        self.seen.lock().resumed.clone()
    }

    /// Nobody has come.
    #[track_caller]
    pub fn assert_untouched(&self) {
        assert_eq!(self.connections(), 0, "somebody came to {}", self.address);
    }

    /// Waits until so many connections have ended.
    #[track_caller]
    pub fn wait_ended(&self, count: usize) {
        self.wait("connections to end", |seen| seen.ended >= count);
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait_requests(&self, count: usize) {
        self.wait("requests", |seen| seen.requests.len() >= count);
    }

    /// Whether so many connections end within this time.
    pub fn ends_within(&self, count: usize, time: Duration) -> bool {
        self.pulse.wait_for(time, || (self.seen.lock().ended >= count).then_some(())).is_some()
    }

    #[track_caller]
    fn wait(&self, what: &str, look: impl Fn(&Seen) -> bool) {
        let found = self.pulse.wait_for(DEADLINE, || look(&self.seen.lock()).then_some(()));
        assert!(found.is_some(), "waited for {what} at {}", self.address);
    }
}

/// A 200 with this text.
pub fn answer(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

/// A 302 that leads there.
pub fn redirect(url: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn serve_tls(acceptor: &Acceptor, stream: TcpStream, seen: &Mutex<Seen>, pulse: &Pulse, answer: &Answer) {
    let Ok(stream) = acceptor.accept(stream) else { return };
    seen.lock().resumed.push(is_resumed(&stream));
    pulse.beat();
    serve(stream, seen, pulse, answer);
}

fn is_resumed(stream: &TlsStream) -> bool {
    stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
}

/// Notes and answers the requests of one connection. After CONNECT it echoes.
fn serve(mut stream: impl Read + Write, seen: &Mutex<Seen>, pulse: &Pulse, answer: &Answer) {
    let (mut received, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        received.extend_from_slice(&buffer[..len]);
        while let Ok(Some((request, len))) = message::request(&received) {
            if !request.complete {
                break;
            }
            received.drain(..len);
            let (is_connect, reply) = (request.method() == "CONNECT", answer(&request));
            seen.lock().requests.push(request);
            pulse.beat();
            let sent = reply.map_or(Ok(()), |reply| stream.write_all(&reply).and_then(|()| stream.flush()));
            if sent.is_err() {
                return;
            }
            if is_connect {
                return echo(stream, &received);
            }
        }
    }
}

fn echo(mut stream: impl Read + Write, begun: &[u8]) {
    let mut buffer = vec![0; 64 * 1024];
    let mut sent = stream.write_all(begun);
    while let (Ok(()), Ok(len @ 1..)) = (sent, stream.read(&mut buffer)) {
        sent = stream.write_all(&buffer[..len]);
    }
}

/// The guest `fetch`, which may go to these places.
pub fn fetcher<T: AsRef<str>>(entries: &[T]) -> Server {
    entries.iter().fold(Server::of("fetch"), |server, entry| server.arg("--outbound", entry.as_ref()))
}

/// A request of the guest for `/` of a server without TLS.
pub fn call(authority: &str) -> Value {
    json!({ "authority": authority })
}

/// The same with other fields beside, or in the place of its own; see
/// `tests/guests/fetch`.
pub fn call_with(authority: &str, more: Value) -> Value {
    let mut call = call(authority);
    let (fields, more) = (call.as_object_mut(), more.as_object().cloned());
    fields.expect("it is an object").extend(more.expect("fields"));
    call
}

/// Has the guest make these requests, one after the other; what it tells of
/// each.
#[track_caller]
pub fn fetch(server: &Running, calls: &[Value]) -> Vec<Value> {
    fetch_from(server, "inn", "/", calls)
}

/// The same, all of them begun before the first is waited for.
#[track_caller]
pub fn fetch_together(server: &Running, calls: &[Value]) -> Vec<Value> {
    fetch_from(server, "inn", "/?together", calls)
}

/// The same from the app of this host.
#[track_caller]
pub fn fetch_from(server: &Running, host: &str, target: &str, calls: &[Value]) -> Vec<Value> {
    fetch_on(&mut server.connect(), host, target, "", calls)
}

/// The same on a connection that is there, with these header lines.
#[track_caller]
pub fn fetch_on(client: &mut Client, host: &str, target: &str, lines: &str, calls: &[Value]) -> Vec<Value> {
    let body = Value::from(calls.to_vec()).to_string();
    let answer = client.ask(format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(answer.status(), Some(200), "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// The same for one request.
#[track_caller]
pub fn fetch_one(server: &Running, call: Value) -> Value {
    fetch(server, &[call]).remove(0)
}

/// It was answered with this text.
#[track_caller]
pub fn assert_told(told: &Value, text: &str) {
    assert_eq!((&told["status"], &told["body"]), (&json!(200), &json!(text)), "{told}");
}

/// It failed with this error.
#[track_caller]
pub fn assert_failed(told: &Value, error: &str, text: &str) {
    assert_eq!((&told["error"], &told["text"]), (&json!(error), &json!(text)), "{told}");
}

/// The error of a request, or `answered`.
pub fn error_of(told: &Value) -> &str {
    told["error"].as_str().unwrap_or("answered")
}

/// What the host has logged of refused requests so far.
pub fn refusals(server: &Running) -> Vec<String> {
    let lines = server.logs().into_iter().filter(|line| line.level == "WARN");
    lines
        .filter_map(|line| line.message.strip_prefix("outbound request refused: ").map(str::to_owned))
        .collect()
}

/// Waits until it has logged so many of them.
#[track_caller]
pub fn wait_refusals(server: &Running, count: usize) -> Vec<String> {
    let mut missing = count;
    if missing > 0 {
        server.wait_log(|line| {
            missing -= usize::from(line.message.starts_with("outbound request refused: "));
            missing == 0
        });
    }
    let found = refusals(server);
    assert_eq!(found.len(), count, "{found:?}");
    found
}
