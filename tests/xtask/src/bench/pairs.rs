//! The host with one app, beside other servers or beside itself: requests per
//! second and memory. Here: what is measured; [`baselines`](super::baselines)
//! starts both sides, [`wrk`](super::wrk) and [`idle`] measure.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::baselines::Bins;
use super::report::Report;
use super::wrk::Load;
use super::{Args, idle, median};

/// The title of the section.
pub const TITLE: &str = "One app beside other servers";

const HEAD: &[&str] = &["what", "Innkeeper", "baseline", "ratio", "wanted"];

/// Something that is measured: one of the host's ways against a baseline.
pub struct Bench {
    name: &'static str,
    /// How the host runs.
    pub host: HostKind,
    baseline: BaselineKind,
    /// What is taken.
    pub measure: Measure,
    /// What the project asks for.
    bar: &'static str,
}

/// How the host runs.
#[derive(Clone, Copy)]
pub enum HostKind {
    /// An instance for each request.
    Fresh,
    /// The same, with a line of the log for each.
    FreshWithAccessLog,
    /// Instances that serve several requests.
    Pooled,
}

/// What the host is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BaselineKind {
    /// `tests/benches`.
    Hyper,
    /// wasmtime's own server.
    WasmtimeServe,
    /// Another process of the host, with a guest that takes nothing over.
    IdleConnections,
    /// `node:http`.
    Node,
}

/// What is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Requests for each second.
    Throughput(Load),
    /// Memory of connections that wait for a request.
    IdleMemory,
    /// Memory of connections that guests have taken over.
    TunnelMemory,
}

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

/// Measures all of it, or the rows that are asked for.
///
/// # Errors
/// A row that there is not; either side that does not come up, or fails.
pub fn measure(host: &Path, args: &Args) -> Result<Report> {
    let benches: Vec<_> = BENCHES.iter().filter(|bench| args.wants(bench.name)).collect();
    if benches.is_empty() {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!(
            "no row has `{}` in its name; there are:\n  {}",
            args.rows.as_deref().unwrap_or(""),
            names.join("\n  ")
        );
    }
    let bins = Bins::build(host, args)?;
    let mut report = Report::new(TITLE, how(args), HEAD);
    for bench in benches {
        if let Some(missing) = bins.missing(bench.baseline) {
            println!("{}: left out, {missing}", bench.name);
            continue;
        }
        report.row(compare(bench, &bins, args).with_context(|| format!("cannot measure {}", bench.name))?);
    }
    Ok(report)
}

fn how(args: &Args) -> String {
    format!(
        "`wrk` with 2 threads and 32 connections, after a second of warm-up {} rounds of {} s for each side, alternating; the median counts. \
         The access log is off unless the row says otherwise, and then goes to `/dev/null`. \
         The host runs with its default limits, but for more connections of one peer, and instances, in the rows on memory. \
         Memory is the growth of the resident set by {} connections that have made one request each, or by {} tunnels through which a word was echoed.",
        args.rounds,
        args.seconds,
        idle::KEPT_ALIVE.connections,
        idle::TUNNEL.connections
    )
}

fn compare(bench: &Bench, bins: &Bins, args: &Args) -> Result<[String; 5]> {
    let host = bins.start_host(bench)?;
    let baseline = bins.start_baseline(bench.baseline)?;
    let (ours, theirs, show) = match bench.measure {
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
            (median(ours), median(theirs), per_second(load))
        }
        Measure::IdleMemory | Measure::TunnelMemory => {
            let ours = if bench.measure == Measure::TunnelMemory { &idle::TUNNEL } else { &idle::KEPT_ALIVE };
            let theirs = if bench.baseline == BaselineKind::Node { &idle::TUNNEL } else { &idle::KEPT_ALIVE };
            (
                idle::bytes_per_connection(host.addr(), host.process().id(), ours)?,
                idle::bytes_per_connection(baseline.address, baseline.process.id(), theirs)?,
                kilobytes as fn(f64) -> String,
            )
        }
    };
    let baseline = match bench.baseline {
        BaselineKind::Hyper => "bare hyper",
        BaselineKind::WasmtimeServe => "wasmtime serve",
        BaselineKind::IdleConnections => "an idle connection",
        BaselineKind::Node => "node:http",
    };
    Ok([
        bench.name.to_owned(),
        show(ours),
        format!("{baseline}: {}", show(theirs)),
        format!("{:.2}", ours / theirs),
        bench.bar.to_owned(),
    ])
}

fn per_second(load: Load) -> fn(f64) -> String {
    match load {
        Load::Hello | Load::Route => |figure| format!("{figure:.0} requests/s"),
        Load::Mebibyte | Load::Echo => |figure| format!("{figure:.0} MiB/s"),
    }
}

fn kilobytes(bytes: f64) -> String {
    format!("{:.1} kB", bytes / 1000.0)
}
