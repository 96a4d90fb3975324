//! Plays one case: a server of its own, the client's steps, the scripted
//! upstream, and the wait until the judge is content.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use parking_lot::Mutex;

use super::judge::{Observed, judge};
use super::peer::{Peer, Seen};
use super::script::{Block, Case, Step};
use super::{Outcome, support};
use crate::bytes::to_text;
use crate::logs::LogLine;
use crate::process::Output;
use crate::pulse::Pulse;
use crate::server::{Running, Server};
use crate::{guests, workspace};

/// How long to wait for what is expected.
const PATIENCE: Duration = Duration::from_secs(2);

/// The guest that runs the ops of a case.
const GUEST: &str = "node-case";

/// The binary that all cases are played with; and every variant of the guest
/// that one of them wants is there.
pub struct Stage {
    host: PathBuf,
}

impl Stage {
    /// Builds them for these cases: beforehand, so that whoever looks on sees
    /// cargo at work and no case that hangs.
    pub fn build<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Result<Self> {
        let host = workspace::host_binary()?;
        for case in cases {
            guests::variant(GUEST, &support::features(case))?;
        }
        Ok(Self { host })
    }

    /// Plays a case.
    pub fn play(&self, case: &Case) -> Outcome {
        match self.try_play(case) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        }
    }

    fn try_play(&self, case: &Case) -> Result<Outcome> {
        // One thing to wait on for lines of the log and for bytes.
        let pulse = &Pulse::default();
        let upstream = case.upstream.as_ref().map(|scripts| Upstream::start(scripts, pulse)).transpose()?;
        let running = self.serve(case, upstream.as_ref().map(|upstream| upstream.address), pulse)?;
        let mut peers = Vec::new();
        for block in &case.connections {
            play_block(block, &mut peers, running.addr(), pulse);
        }

        let observe = || observe(&peers, upstream.as_ref(), &running);
        await_expected(case, pulse, &observe);
        // What should not come is given the time to come.
        thread::sleep(Duration::from_millis(case.settle_ms));
        let observed = observe();
        let faults = judge(&case.expect, &observed);
        if faults.is_empty() {
            return Ok(Outcome::Passed);
        }
        Ok(Outcome::Failed(format!(
            "{}\n{}\n{}",
            faults.join("\n"),
            observed.show(),
            running.process().transcript()
        )))
    }

    fn serve(&self, case: &Case, upstream: Option<SocketAddr>, pulse: &Pulse) -> Result<Running> {
        let on = serde_json::to_string(&case.on).context("the ops are JSON")?;
        let mut server = Server::with_features(GUEST, &support::features(case))
            .program(&self.host)
            .pulse(pulse)
            .env("CASE_ON", &on)
            .arg("--allow", "server-control")
            .arg("--log-bytes-per-second", "64MiB");
        if let Some(upstream) = upstream {
            server = server
                .env("CASE_UPSTREAM", &upstream.to_string())
                .arg("--outbound", format!("http://{}:*", upstream.ip()));
        }
        case.server.flags().into_iter().fold(server, |server, flag| server.flag(&flag)).try_start()
    }
}

fn play_block(block: &Block, peers: &mut Vec<Peer>, address: SocketAddr, pulse: &Pulse) {
    let index = block.again.unwrap_or(peers.len());
    if index == peers.len() {
        peers.push(Peer::connect(address, pulse));
    }
    if let Some(peer) = peers.get_mut(index) {
        block.steps.iter().for_each(|step| peer.play(step));
    }
}

fn await_expected(case: &Case, pulse: &Pulse, observe: &impl Fn() -> Observed) {
    let deadline = Instant::now() + PATIENCE;
    pulse.wait_for(PATIENCE, || {
        // Judging a large response takes longer than a beat: never look after
        // the time is over.
        (Instant::now() >= deadline || judge(&case.expect, &observe()).is_empty()).then_some(())
    });
}

fn observe(peers: &[Peer], upstream: Option<&Upstream>, running: &Running) -> Observed {
    let snapshot = |seen: Arc<Mutex<Seen>>| seen.lock().clone();
    let connections = peers.iter().map(|peer| snapshot(peer.seen())).collect();
    let upstreams = upstream.map(|upstream| upstream.accepted.lock().iter().cloned().map(snapshot).collect());
    Observed {
        connections,
        upstream: upstreams.unwrap_or_default(),
        upstream_port: upstream.map(|upstream| upstream.address.port()),
        guest_log: guest_log(&running.process().lines(Output::Stderr)),
    }
}

/// The entries that the guest logged: lines `LOG ` and a JSON string.
fn guest_log(lines: &[String]) -> Vec<String> {
    let events = lines.iter().filter_map(|line| LogLine::parse(line)).filter(LogLine::is_guest);
    events
        .filter_map(|event| {
            let entry = event.message.strip_prefix("LOG ")?;
            // An entry that is no JSON is shown as it is, so that it fails.
            Some(serde_json::from_str(entry).unwrap_or_else(|_| to_text(entry.as_bytes())))
        })
        .collect()
}

/// The server that the guest's own requests reach: each connection it accepts
/// plays its list of steps.
struct Upstream {
    address: SocketAddr,
    accepted: Arc<Mutex<Vec<Arc<Mutex<Seen>>>>>,
    over: Arc<Mutex<bool>>,
    acceptor: Option<JoinHandle<()>>,
}

impl Upstream {
    fn start(scripts: &[Vec<Step>], pulse: &Pulse) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port for the upstream")?;
        let address = listener.local_addr().context("no port for the upstream")?;
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(Mutex::new(false));
        let acceptor = {
            let (scripts, accepted, over) = (scripts.to_vec(), accepted.clone(), over.clone());
            let pulse = pulse.clone();
            thread::spawn(move || accept_all(&listener, &scripts, &accepted, &over, &pulse))
        };
        Ok(Self { address, accepted, over, acceptor: Some(acceptor) })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        *self.over.lock() = true;
        // Wakes the acceptor, which then sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    scripts: &[Vec<Step>],
    accepted: &Mutex<Vec<Arc<Mutex<Seen>>>>,
    over: &Mutex<bool>,
    pulse: &Pulse,
) {
    thread::scope(|scope| {
        let (keep, kept) = std::sync::mpsc::channel();
        for (index, stream) in listener.incoming().enumerate() {
            let (Ok(stream), false) = (stream, *over.lock()) else {
                break;
            };
            let mut peer = Peer::on(stream, pulse);
            accepted.lock().push(peer.seen());
            let steps = scripts.get(index).map(Vec::as_slice).unwrap_or_default();
            let keep = keep.clone();
            scope.spawn(move || {
                steps.iter().for_each(|step| peer.play(step));
                // A connection stays open until the case is over.
                let _ = keep.send(peer);
            });
        }
        drop(keep);
        kept.iter().for_each(drop);
    });
}

#[cfg(test)]
mod tests;
