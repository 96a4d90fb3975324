//! Both sides of the comparisons of one app: the host as a bench wants it, and
//! the servers that it is compared with.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::{Running, Server, listening_on};
use innkeeper_harness::{DEADLINE, guests, workspace};

use super::pairs::{BaselineKind, Bench, HostKind, Measure};
use super::wrk::{Load, Wrk};
use super::{Args, idle};

/// What is needed to start either side.
pub struct Bins {
    host: PathBuf,
    hello: PathBuf,
    bodies: PathBuf,
    tunnels: PathBuf,
    hyper: PathBuf,
    wasmtime: Option<(PathBuf, PathBuf)>,
    /// The load generator.
    pub wrk: Wrk,
}

/// What upgrades a connection in Node, and echoes on it.
const NODE: &str = r"
const server = require('http').createServer();
server.on('upgrade', (request, socket, head) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n');
    socket.write(head);
    socket.on('data', (data) => socket.write(data));
    socket.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}/`));
";

impl Bins {
    /// Builds what is not there.
    ///
    /// # Errors
    /// If cargo fails, or `wrk` is missing.
    pub fn build(host: &Path, args: &Args) -> Result<Self> {
        let wrk = Wrk::find()?;
        let wasmtime = match find_wasmtime(args)? {
            Some(wasmtime) => Some((wasmtime, guests::wasi("wasi-hello")?)),
            None => None,
        };
        let hello = guests::component("hello")?.to_owned();
        let bodies = guests::component("bench")?.to_owned();
        let tunnels = guests::component("upgrade-raw")?.to_owned();
        let hyper = build_hyper()?;
        Ok(Self { host: host.to_owned(), hello, bodies, tunnels, hyper, wasmtime, wrk })
    }

    /// What this baseline lacks on this machine, if anything.
    pub fn missing(&self, kind: BaselineKind) -> Option<&'static str> {
        match kind {
            BaselineKind::WasmtimeServe if self.wasmtime.is_none() => {
                Some("no `wasmtime` on PATH; name one with --wasmtime PATH")
            }
            BaselineKind::Node if workspace::on_path("node").is_none() => Some("no `node` on PATH"),
            _ => None,
        }
    }

    /// Starts the host.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start_host(&self, bench: &Bench) -> Result<Running> {
        let guest = match bench.measure {
            // A guest without a path to look at, as that of `wasmtime serve`.
            Measure::Throughput(Load::Hello | Load::Route) | Measure::IdleMemory => &self.hello,
            Measure::Throughput(Load::Mebibyte | Load::Echo) => &self.bodies,
            Measure::TunnelMemory => &self.tunnels,
        };
        let server = Server::at(guest).program(&self.host);
        let server = match bench.host {
            HostKind::Fresh => server.arg("--access-log", "off"),
            HostKind::FreshWithAccessLog => server.arg("--access-log", "on").discard_log(),
            HostKind::Pooled => server.arg("--access-log", "off").arg("--instances", "pooled"),
        };
        match bench.measure {
            Measure::Throughput(_) => server,
            Measure::IdleMemory | Measure::TunnelMemory => with_room(server),
        }
        .try_start()
    }

    /// Starts what it is compared with.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start_baseline(&self, kind: BaselineKind) -> Result<Baseline> {
        match (kind, &self.wasmtime) {
            (BaselineKind::WasmtimeServe, Some((wasmtime, component))) => {
                let mut command = Command::new(wasmtime);
                command.args(["serve", "--addr", "127.0.0.1:0", "-S", "cli"]).arg(component);
                Baseline::start(&mut command, Output::Stderr, wasmtime_on)
            }
            (BaselineKind::IdleConnections, _) => {
                let server =
                    with_room(Server::at(&self.hello).program(&self.host).arg("--access-log", "off"));
                Baseline::start(&mut server.listen("127.0.0.1:0").command()?, Output::Stdout, listening_on)
            }
            (BaselineKind::Node, _) => {
                Baseline::start(Command::new("node").args(["-e", NODE]), Output::Stdout, listening_on)
            }
            _ => Baseline::hyper(&self.hyper),
        }
    }
}

/// The address that `wasmtime serve` prints.
pub fn wasmtime_on(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("Serving HTTP on http://")?.trim_end_matches('/').parse().ok()
}

/// Room for all connections of a measurement of memory, and time to stay.
fn with_room(server: Server) -> Server {
    let connections = (idle::KEPT_ALIVE.connections + idle::WARM).to_string();
    let tunnels = (idle::TUNNEL.connections + idle::WARM).to_string();
    server
        .arg("--keep-alive-timeout", "600s")
        .arg("--connections-per-peer-max", connections)
        .arg("--instances-max", &tunnels)
        .arg("--tunnels-max", tunnels)
}

/// A server to compare with.
pub struct Baseline {
    /// Its process.
    pub process: Process,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Baseline {
    /// The server on bare hyper, which was built.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn hyper(program: &Path) -> Result<Self> {
        Baseline::start(&mut Command::new(program), Output::Stdout, listening_on)
    }

    /// Starts a server that prints its address.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(
        command: &mut Command,
        output: Output,
        address: fn(&str) -> Option<SocketAddr>,
    ) -> Result<Self> {
        let process = Process::spawn(command)?;
        let address =
            process.wait_lines(output, DEADLINE, |lines| lines.iter().find_map(|line| address(line)))?;
        Ok(Self { process, address })
    }
}

/// Builds the server on bare hyper.
///
/// # Errors
/// If cargo fails.
pub fn build_hyper() -> Result<PathBuf> {
    let target_dir = workspace::target_dir()?;
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "innkeeper-benches", "--target-dir"]).arg(&target_dir);
    workspace::run(&mut build)?;
    Ok(target_dir.join("release/hyper-baseline"))
}

/// The `wasmtime` of this machine.
///
/// # Errors
/// If another one is named that is not there.
pub fn find_wasmtime(args: &Args) -> Result<Option<PathBuf>> {
    let named = args.wasmtime.clone().or_else(|| env::var_os("WASMTIME").map(PathBuf::from));
    if let Some(path) = named {
        if !path.is_file() {
            bail!("{} is no file: name the `wasmtime` executable", path.display());
        }
        return Ok(Some(path));
    }
    Ok(workspace::on_path("wasmtime"))
}
