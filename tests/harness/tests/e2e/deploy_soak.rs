//! A hundred deploys under load, and a drain at its end: no request is lost,
//! none is answered by a version that was not there, and none that began after
//! a deploy was confirmed by the version before.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use innkeeper_harness::DEADLINE;
use innkeeper_harness::message::{self, Message};
use innkeeper_harness::server::Server;
use innkeeper_harness::wire::{Client, open};
use rustix::process::Signal;

use crate::deployment::{SHOP, deploy, name, version};
use crate::support::get;

const DEPLOYS: u64 = 100;
const CONNECTIONS: usize = 4;

/// What those who ask know of those who deploy.
#[derive(Default)]
struct Progress {
    /// Deploys that were begun; the first version is there before.
    begun: AtomicU64,
    /// Deploys that were confirmed.
    confirmed: AtomicU64,
    /// Whether the server has been told to drain.
    drains: AtomicBool,
}

/// What a connection came to.
#[derive(Debug, Default)]
struct Tally {
    answered: u64,
    /// Of these, those during which a deploy was under way, which the version
    /// before and the one after may give.
    during_deploys: u64,
    lost: Vec<String>,
    wrong: Vec<String>,
}

/// The version after so many deploys.
fn name_of(deploys: u64) -> &'static str {
    if deploys.is_multiple_of(2) { "v1" } else { "v2" }
}

#[test]
fn a_hundred_deploys_and_a_drain_lose_nothing() {
    let host = Server::configured(SHOP);
    let [even, odd] = [version(None), version(Some("v2"))];
    deploy(&host, "", &even);
    let (progress, address) = (Progress::default(), host.running.addr());
    let (tallies, took, exit) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| load(address, &progress))).collect();
        let (start, mut client) = (Instant::now(), Client::connect(address));
        for number in 1..=DEPLOYS {
            progress.begun.store(number, Ordering::SeqCst);
            deploy(&host, "", if name_of(number) == "v1" { &even } else { &odd });
            progress.confirmed.store(number, Ordering::SeqCst);
            assert_eq!(name(&mut client), name_of(number));
        }
        let took = start.elapsed();
        progress.drains.store(true, Ordering::SeqCst);
        host.running.signal(Signal::TERM);
        let exit = host.running.wait_exit(Duration::from_secs(20));
        let tallies: Vec<_> = clients.into_iter().map(|client| client.join().expect("it asks")).collect();
        (tallies, took, exit)
    });
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let answered = sum(|tally| tally.answered);
    println!(
        "{answered} requests on {CONNECTIONS} connections, {} of them during one of {DEPLOYS} deploys, \
         in {took:?} and a drain; lost {}, wrong {}",
        sum(|tally| tally.during_deploys),
        sum(|tally| tally.lost.len() as u64),
        sum(|tally| tally.wrong.len() as u64),
    );
    for tally in &tallies {
        assert!(tally.lost.is_empty() && tally.wrong.is_empty(), "{tally:?}");
        assert!(tally.during_deploys > DEPLOYS, "there was no load: {tally:?}");
    }
    assert!(exit.status.success(), "{}", exit.status);
    // Each request that the server has begun with has reached its client whole.
    let begun = exit.logs.iter().filter(|line| line.target == "access").count();
    assert_eq!(begun as u64, answered + DEPLOYS);
}

/// Asks one request after the other until the server ends the connection.
fn load(address: SocketAddr, progress: &Progress) -> Tally {
    let mut tally = Tally::default();
    let mut stream = open(address).expect("the server accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time limit can be set");
    loop {
        let confirmed = progress.confirmed.load(Ordering::SeqCst);
        let answer = match ask(&mut stream) {
            Ok(answer) => answer,
            Err(lost) => {
                tally.lost.push(lost);
                return tally;
            }
        };
        let begun = progress.begun.load(Ordering::SeqCst);
        let Some(answer) = answer else {
            if !progress.drains.load(Ordering::SeqCst) {
                tally.lost.push("a deploy has closed the connection".to_owned());
            }
            return tally;
        };
        let expected: Vec<_> = (confirmed..=begun).map(name_of).collect();
        if answer.status() != Some(200) || !expected.contains(&answer.text().as_str()) {
            tally.wrong.push(format!("{} {}, and not {expected:?}", answer.line, answer.text()));
        }
        tally.answered += 1;
        tally.during_deploys += u64::from(confirmed != begun);
        if answer.header("connection") == Some("close") {
            return tally;
        }
    }
}

/// One request and its answer; none if the connection was closed before a byte
/// of it came, as one that is idle may be at any time.
fn ask(stream: &mut TcpStream) -> Result<Option<Message>, String> {
    if stream.write_all(get("/").as_bytes()).is_err() {
        return Ok(None);
    }
    let mut received = Vec::new();
    loop {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(length) if length > 0 => received.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err("no answer came in time".to_owned());
            }
            _ if received.is_empty() => return Ok(None),
            ended => return Err(format!("{ended:?} after {}", received.escape_ascii())),
        }
        match message::response(&received, false, false)? {
            Some((answer, _)) if answer.complete => return Ok(Some(answer)),
            _ => {}
        }
    }
}
