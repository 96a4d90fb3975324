//! A name server whose every answer is scripted, on a UDP port of its own, and
//! which counts what it is asked.
//!
//! Each name has a list of answers: the first query gets the first, the next
//! one the next, and the last one stays. Queries for IPv4 and for IPv6
//! addresses are counted and answered apart.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
pub use hickory_proto::op::ResponseCode;
use hickory_proto::op::{Message, OpCode, Query};
pub use hickory_proto::rr::RecordType;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{Name, RData, Record};
use parking_lot::Mutex;

/// The longest datagram that a query comes in.
const QUERY_BYTES_MAX: usize = 4096;

/// One answer to queries for a name.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These of its addresses that are of the family asked for, which may be
    /// none, for so many seconds.
    Addresses(u32, Vec<IpAddr>),
    /// It is another name, for so many seconds; the answers to that one stand
    /// beside.
    Alias(u32, String),
    /// There is no such name, which may be kept for so many seconds.
    NoSuchName(u32),
    /// The server fails.
    Failure(ResponseCode),
    /// Nothing is answered.
    Silence,
    /// Nothing is answered to those who ask for this kind of record, and this
    /// to all others.
    SilenceFor(RecordType, Box<Answer>),
}

impl Answer {
    /// Addresses, for so many seconds.
    ///
    /// # Panics
    /// If one of them is none.
    #[must_use]
    pub fn of(ttl: u32, addresses: &[&str]) -> Self {
        let parsed = |text: &&str| text.parse().unwrap_or_else(|_| panic!("{text} is no address"));
        Answer::Addresses(ttl, addresses.iter().map(parsed).collect())
    }
}

/// A running server. Ends when it is dropped.
pub struct DnsServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    stopped: AtomicBool,
}

/// By names in lower case, without a final dot.
#[derive(Default)]
struct Script {
    answers: HashMap<String, Vec<Answer>>,
    asked: HashMap<(String, RecordType), usize>,
}

impl DnsServer {
    /// Starts a server that knows of no name.
    ///
    /// # Errors
    /// If there is no port for it.
    pub fn start() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot bind a name server")?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || serve(&socket, &shared)
        });
        Ok(DnsServer { address, shared, thread: Some(thread) })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scripts the answers to queries for a name, from now on. It counts them
    /// from 0 again.
    pub fn set(&self, name: &str, answers: impl Into<Vec<Answer>>) {
        let mut script = self.shared.script.lock();
        script.asked.retain(|(asked, _), _| asked != name);
        script.answers.insert(name.to_owned(), answers.into());
    }

    /// Queries for this name and kind of record, since it was scripted.
    #[must_use]
    pub fn asked(&self, name: &str, kind: RecordType) -> usize {
        self.shared.script.lock().asked.get(&(name.to_owned(), kind)).copied().unwrap_or(0)
    }

    /// All names that were asked for, scripted or not, in order of the
    /// alphabet.
    #[must_use]
    pub fn names_asked(&self) -> Vec<String> {
        let script = self.shared.script.lock();
        let mut names: Vec<_> = script.asked.keys().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread. If that fails, it ends with the process.
        let woken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.send_to(&[], self.address))
            .is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; QUERY_BYTES_MAX];
    while !shared.stopped.load(Ordering::SeqCst) {
        // An error is of an earlier answer that nobody took any more.
        let Ok((count, from)) = socket.recv_from(&mut buffer) else { continue };
        let Ok(query) = Message::from_vec(&buffer[..count]) else { continue };
        let reply = shared.script.lock().reply(&query);
        if let Some(bytes) = reply.and_then(|reply| reply.to_vec().ok()) {
            let _ = socket.send_to(&bytes, from);
        }
    }
}

impl Script {
    /// The answer to a query; none for silence.
    fn reply(&mut self, query: &Message) -> Option<Message> {
        let asked = query.queries.first()?;
        let mut reply = Message::response(query.id, OpCode::Query);
        reply.metadata.recursion_desired = query.recursion_desired;
        reply.metadata.recursion_available = true;
        reply.add_query(asked.clone());
        self.answer(asked.name(), asked, &mut reply).then_some(reply)
    }

    /// Answers for a name in place of the one asked for; says whether there is
    /// an answer.
    fn answer(&mut self, name: &Name, query: &Query, reply: &mut Message) -> bool {
        let plain = name.to_string().trim_end_matches('.').to_lowercase();
        let count = self.asked.entry((plain.clone(), query.query_type())).or_insert(0);
        let answers = self.answers.get(&plain).map_or(&[][..], Vec::as_slice);
        let mut answer = answers.get(*count).or(answers.last()).cloned();
        *count += 1;
        if let Some(Answer::SilenceFor(kind, others)) = answer {
            answer = Some(if kind == query.query_type() { Answer::Silence } else { *others });
        }
        match answer {
            None => reply.metadata.response_code = ResponseCode::NXDomain,
            Some(Answer::Silence | Answer::SilenceFor(..)) => return false,
            Some(Answer::Failure(code)) => reply.metadata.response_code = code,
            Some(Answer::NoSuchName(ttl)) => {
                reply.metadata.response_code = ResponseCode::NXDomain;
                reply.add_authority(authority(ttl));
            }
            Some(Answer::Alias(ttl, other)) => {
                let other = Name::from_ascii(format!("{other}.")).expect("the alias is a name");
                reply.add_answer(Record::from_rdata(name.clone(), ttl, RData::CNAME(CNAME(other.clone()))));
                return self.answer(&other, query, reply);
            }
            Some(Answer::Addresses(ttl, addresses)) => {
                let fitting = addresses.iter().filter_map(|address| match (address, query.query_type()) {
                    (IpAddr::V4(address), RecordType::A) => Some(RData::A(A(*address))),
                    (IpAddr::V6(address), RecordType::AAAA) => Some(RData::AAAA(AAAA(*address))),
                    _ => None,
                });
                reply.add_answers(fitting.map(|data| Record::from_rdata(name.clone(), ttl, data)));
                if reply.answers.is_empty() {
                    reply.add_authority(authority(ttl));
                }
            }
        }
        true
    }
}

/// What says for how long it is kept that something is not there (RFC 2308).
fn authority(ttl: u32) -> Record {
    let name = || Name::from_ascii("ns.invalid.").expect("it is a name");
    Record::from_rdata(Name::root(), ttl, RData::SOA(SOA::new(name(), name(), 1, 3600, 600, 86_400, ttl)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DEADLINE;

    fn ask(server: &DnsServer, name: &str, kind: RecordType) -> Message {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        socket.send_to(&query.to_vec().unwrap(), server.address()).unwrap();
        let mut buffer = [0; QUERY_BYTES_MAX];
        let count = socket.recv(&mut buffer).unwrap();
        let reply = Message::from_vec(&buffer[..count]).unwrap();
        assert_eq!(reply.id, query.id);
        reply
    }

    fn addresses(reply: &Message) -> Vec<String> {
        reply.answers.iter().filter_map(|record| Some(record.data.ip_addr()?.to_string())).collect()
    }

    #[test]
    fn answers_change_and_are_counted() {
        let server = DnsServer::start().unwrap();
        server
            .set("a.example", [Answer::of(5, &["192.0.2.1", "2001:db8::1"]), Answer::of(0, &["192.0.2.2"])]);
        for (kind, expected) in [
            (RecordType::A, vec!["192.0.2.1"]),
            (RecordType::AAAA, vec!["2001:db8::1"]),
            (RecordType::A, vec!["192.0.2.2"]),
            (RecordType::AAAA, vec![]),
            (RecordType::A, vec!["192.0.2.2"]),
        ] {
            assert_eq!(addresses(&ask(&server, "A.example.", kind)), expected);
        }
        assert_eq!(server.asked("a.example", RecordType::A), 3);
        assert_eq!(server.asked("a.example", RecordType::AAAA), 2);
    }

    #[test]
    fn what_is_not_there_is_said_to_be_so() {
        let server = DnsServer::start().unwrap();
        server.set("failing.example", [Answer::Failure(ResponseCode::ServFail)]);
        server.set("gone.example", [Answer::NoSuchName(7)]);
        server.set("alias.example", [Answer::Alias(60, "target.example".to_owned())]);
        server.set("target.example", [Answer::of(60, &["192.0.2.3"])]);
        assert_eq!(ask(&server, "unknown.example.", RecordType::A).response_code, ResponseCode::NXDomain);
        assert_eq!(ask(&server, "failing.example.", RecordType::A).response_code, ResponseCode::ServFail);
        let gone = ask(&server, "gone.example.", RecordType::A);
        assert_eq!((gone.response_code, gone.authorities.len()), (ResponseCode::NXDomain, 1));
        let alias = ask(&server, "alias.example.", RecordType::A);
        assert_eq!((alias.answers.len(), addresses(&alias)), (2, vec!["192.0.2.3".to_owned()]));
        assert_eq!(
            server.names_asked(),
            ["alias.example", "failing.example", "gone.example", "target.example", "unknown.example"]
        );
    }
}
