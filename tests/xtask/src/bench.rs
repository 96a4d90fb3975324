//! `cargo xtask bench`: the host beside its baselines, both sides of a ratio
//! in the same run. Here: what is measured; [`wrk`] and [`idle`] measure,
//! [`report`] writes it down.

mod idle;
mod report;
mod wrk;

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::{Running, Server, listening_on};
use innkeeper_harness::{DEADLINE, guests, workspace};

use self::report::{Row, Unit};
use self::wrk::{Load, Wrk};

/// Measure the host beside its baselines, and write docs/benchmarks.md
#[derive(clap::Args)]
pub struct Args {
    /// Only the rows whose name contains this; nothing is written then
    filter: Option<String>,
    /// The `wasmtime` to compare with [default: $WASMTIME, or that on PATH]
    #[arg(long, value_name = "PATH")]
    wasmtime: Option<PathBuf>,
    /// Rounds for each side, alternating; the median counts
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,
    /// Seconds for each round
    #[arg(long, default_value_t = 5, value_name = "N")]
    seconds: u32,
}

/// Something that is measured: one of the host's ways against a baseline.
struct Bench {
    name: &'static str,
    host: HostKind,
    baseline: BaselineKind,
    measure: Measure,
    /// What the project asks for.
    bar: &'static str,
}

#[derive(Clone, Copy)]
enum HostKind {
    Fresh,
    FreshWithAccessLog,
    Pooled,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BaselineKind {
    Hyper,
    WasmtimeServe,
    /// Another process of the host, with a guest that takes nothing over.
    IdleConnections,
    Node,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Throughput(Load),
    IdleMemory,
    TunnelMemory,
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

const BENCHES: &[Bench] = &[
    Bench {
        name: "hello, fresh instance",
        host: HostKind::Fresh,
        baseline: BaselineKind::Hyper,
        measure: Measure::Throughput(Load::Hello),
        bar: "≥ 0.50",
    },
    Bench {
        name: "hello, fresh instance, access log",
        host: HostKind::FreshWithAccessLog,
        baseline: BaselineKind::Hyper,
        measure: Measure::Throughput(Load::Hello),
        bar: "",
    },
    Bench {
        name: "hello, pooled instance",
        host: HostKind::Pooled,
        baseline: BaselineKind::Hyper,
        measure: Measure::Throughput(Load::Hello),
        bar: "≥ 0.80",
    },
    Bench {
        name: "hello, fresh instance, against wasmtime serve",
        host: HostKind::Fresh,
        baseline: BaselineKind::WasmtimeServe,
        measure: Measure::Throughput(Load::Hello),
        bar: "≥ 4",
    },
    Bench {
        name: "response of 1 MiB",
        host: HostKind::Fresh,
        baseline: BaselineKind::Hyper,
        measure: Measure::Throughput(Load::Mebibyte),
        bar: "≥ 0.70",
    },
    Bench {
        name: "echo of 1 MiB",
        host: HostKind::Fresh,
        baseline: BaselineKind::Hyper,
        measure: Measure::Throughput(Load::Echo),
        bar: "≥ 0.50",
    },
    Bench {
        name: "memory of an idle connection",
        host: HostKind::Fresh,
        baseline: BaselineKind::Hyper,
        measure: Measure::IdleMemory,
        bar: "≤ 4 kB",
    },
    Bench {
        name: "memory of an idle tunnel, instance included",
        host: HostKind::Fresh,
        baseline: BaselineKind::IdleConnections,
        measure: Measure::TunnelMemory,
        bar: "",
    },
    Bench {
        name: "memory of an idle tunnel, instance included, against Node",
        host: HostKind::Fresh,
        baseline: BaselineKind::Node,
        measure: Measure::TunnelMemory,
        bar: "",
    },
];

/// What is needed to start either side.
struct Bins {
    host: PathBuf,
    hello: PathBuf,
    bodies: PathBuf,
    tunnels: PathBuf,
    hyper: PathBuf,
    wasmtime: Option<(PathBuf, PathBuf)>,
    wrk: Wrk,
}

/// Measures, prints, and writes `docs/benchmarks.md`.
pub fn bench(args: &Args) -> Result<()> {
    let wanted = |bench: &&Bench| args.filter.as_ref().is_none_or(|filter| bench.name.contains(filter));
    let benches: Vec<_> = BENCHES.iter().filter(wanted).collect();
    if benches.is_empty() {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!(
            "no row has `{}` in its name; there are:\n  {}",
            args.filter.as_deref().unwrap_or(""),
            names.join("\n  ")
        );
    }
    let bins = Bins::build(args)?;
    let mut rows = Vec::new();
    for bench in benches {
        if let Some(missing) = bins.missing(bench.baseline) {
            println!("{}: left out, {missing}", bench.name);
            continue;
        }
        let row = measure(bench, &bins, args).with_context(|| format!("cannot measure {}", bench.name))?;
        println!("{row}");
        rows.push(row);
    }
    if args.filter.is_none() {
        report::write(&rows, args.rounds, args.seconds)?;
        println!("wrote {}", report::PATH);
    }
    Ok(())
}

fn measure(bench: &Bench, bins: &Bins, args: &Args) -> Result<Row> {
    let host = bins.start_host(bench)?;
    let baseline = bins.start_baseline(bench.baseline)?;
    let (ours, theirs, unit) = match bench.measure {
        Measure::Throughput(load) => {
            let mut ours = Vec::new();
            let mut theirs = Vec::new();
            // A first round that does not count, then each side in turn, so
            // that a change of the machine's mood hits both.
            for round in 0..=args.rounds {
                let seconds = if round == 0 { 1 } else { args.seconds };
                let samples = (
                    bins.wrk.requests_per_second(host.addr(), load, seconds)?,
                    bins.wrk.requests_per_second(baseline.address, load, seconds)?,
                );
                if round > 0 {
                    ours.push(samples.0);
                    theirs.push(samples.1);
                }
            }
            (median(ours), median(theirs), Unit::of(load))
        }
        Measure::IdleMemory | Measure::TunnelMemory => {
            let ours = if bench.measure == Measure::TunnelMemory { &idle::TUNNEL } else { &idle::KEPT_ALIVE };
            let theirs = if bench.baseline == BaselineKind::Node { &idle::TUNNEL } else { &idle::KEPT_ALIVE };
            (
                idle::bytes_per_connection(host.addr(), host.process().id(), ours)?,
                idle::bytes_per_connection(baseline.address, baseline.process.id(), theirs)?,
                Unit::Bytes,
            )
        }
    };
    let baseline = match bench.baseline {
        BaselineKind::Hyper => "bare hyper",
        BaselineKind::WasmtimeServe => "wasmtime serve",
        BaselineKind::IdleConnections => "an idle connection",
        BaselineKind::Node => "node:http",
    };
    Ok(Row { name: bench.name, ours, baseline, theirs, unit, bar: bench.bar })
}

impl Bins {
    fn build(args: &Args) -> Result<Self> {
        idle::raise_open_files()?;
        let wrk = Wrk::find()?;
        let target_dir = workspace::target_dir()?;
        let host = workspace::build_host(&target_dir, true)?;
        workspace::run(
            workspace::cargo()
                .args(["build", "--release", "--package", "innkeeper-benches", "--target-dir"])
                .arg(&target_dir),
        )?;
        let wasmtime = match find_wasmtime(args)? {
            Some(wasmtime) => Some((wasmtime, guests::wasi_hello()?)),
            None => None,
        };
        let hello = guests::component("hello")?.to_owned();
        let bodies = guests::component("bench")?.to_owned();
        let tunnels = guests::component("upgrade-raw")?.to_owned();
        let hyper = target_dir.join("release/hyper-baseline");
        Ok(Self { host, hello, bodies, tunnels, hyper, wasmtime, wrk })
    }

    /// What this baseline lacks on this machine, if anything.
    fn missing(&self, kind: BaselineKind) -> Option<&'static str> {
        match kind {
            BaselineKind::WasmtimeServe if self.wasmtime.is_none() => {
                Some("no `wasmtime` on PATH; name one with --wasmtime PATH")
            }
            BaselineKind::Node if workspace::on_path("node").is_none() => Some("no `node` on PATH"),
            _ => None,
        }
    }

    fn start_host(&self, bench: &Bench) -> Result<Running> {
        let guest = match bench.measure {
            // A guest without a path to look at, as that of `wasmtime serve`.
            Measure::Throughput(Load::Hello) | Measure::IdleMemory => &self.hello,
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

    fn start_baseline(&self, kind: BaselineKind) -> Result<Baseline> {
        match (kind, &self.wasmtime) {
            (BaselineKind::WasmtimeServe, Some((wasmtime, component))) => {
                let mut command = Command::new(wasmtime);
                command.args(["serve", "--addr", "127.0.0.1:0", "-S", "cli"]).arg(component);
                Baseline::start(&mut command, Output::Stderr, |line| {
                    line.strip_prefix("Serving HTTP on http://")?.trim_end_matches('/').parse().ok()
                })
            }
            (BaselineKind::IdleConnections, _) => {
                let server =
                    with_room(Server::at(&self.hello).program(&self.host).arg("--access-log", "off"));
                Baseline::start(&mut server.listen("127.0.0.1:0").command()?, Output::Stdout, listening_on)
            }
            (BaselineKind::Node, _) => {
                Baseline::start(Command::new("node").args(["-e", NODE]), Output::Stdout, listening_on)
            }
            _ => Baseline::start(&mut Command::new(&self.hyper), Output::Stdout, listening_on),
        }
    }
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
struct Baseline {
    process: Process,
    address: SocketAddr,
}

impl Baseline {
    fn start(command: &mut Command, output: Output, address: fn(&str) -> Option<SocketAddr>) -> Result<Self> {
        let process = Process::spawn(command)?;
        let address =
            process.wait_lines(output, DEADLINE, |lines| lines.iter().find_map(|line| address(line)))?;
        Ok(Self { process, address })
    }
}

fn find_wasmtime(args: &Args) -> Result<Option<PathBuf>> {
    let named = args.wasmtime.clone().or_else(|| env::var_os("WASMTIME").map(PathBuf::from));
    if let Some(path) = named {
        if !path.is_file() {
            bail!("{} is no file: name the `wasmtime` executable", path.display());
        }
        return Ok(Some(path));
    }
    Ok(workspace::on_path("wasmtime"))
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_of_an_odd_number() {
        assert!((super::median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
