//! The example `reverse-proxy` beside other reverse proxies, all in front of
//! the same server. Here: what is measured; [`proxies`](super::proxies) starts
//! them, [`wrk`](super::wrk) and [`gibibyte`] measure.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::baselines::{self, Baseline};
use super::gibibyte::{self, Direction, Stream};
use super::proxies::{Kind, Programs, Proxy};
use super::report::Report;
use super::wrk::{Load, Wrk};
use super::{Args, median};

/// The title of the section.
pub const TITLE: &str = "A reverse proxy";

const HEAD: &[&str] = &["what", "Innkeeper", "baseline", "ratio", "wanted"];

/// Small requests: one of the host's ways against a baseline.
struct Row {
    name: &'static str,
    ours: Kind,
    theirs: Kind,
    /// What the project asks for.
    bar: &'static str,
}

const ROWS: &[Row] = &[
    Row { name: "12 bytes, fresh instance", ours: Kind::Fresh, theirs: Kind::Nginx, bar: "≥ 0.40" },
    Row {
        name: "12 bytes, fresh instance, all cores",
        ours: Kind::Fresh,
        theirs: Kind::NginxOnAllCores,
        bar: "≥ 0.40",
    },
    Row {
        name: "12 bytes, fresh instance, against wasmtime serve",
        ours: Kind::Fresh,
        theirs: Kind::Wasmtime,
        bar: "≥ 3",
    },
    Row { name: "12 bytes, pooled instance", ours: Kind::Pooled, theirs: Kind::Nginx, bar: "≥ 0.40" },
    Row {
        name: "12 bytes, pooled instance, all cores",
        ours: Kind::Pooled,
        theirs: Kind::NginxOnAllCores,
        bar: "≥ 0.40",
    },
    Row {
        name: "12 bytes, pooled instance, against wasmtime serve",
        ours: Kind::Pooled,
        theirs: Kind::WasmtimePooled,
        bar: "≥ 3",
    },
];

/// Measures all of it, or the rows that are asked for.
///
/// # Errors
/// A row that there is not; a proxy that does not come up, or fails.
pub fn measure(host: &Path, args: &Args) -> Result<Report> {
    let directions = Direction::ALL.into_iter().filter(|direction| args.wants(direction.name()));
    let (rows, directions): (Vec<_>, Vec<_>) =
        (ROWS.iter().filter(|row| args.wants(row.name)).collect(), directions.collect());
    if rows.is_empty() && directions.is_empty() {
        let names = ROWS.iter().map(|row| row.name).chain(Direction::ALL.map(Direction::name));
        bail!(
            "no row has `{}` in its name; there are:\n  {}",
            args.rows.as_deref().unwrap_or(""),
            names.collect::<Vec<_>>().join("\n  ")
        );
    }
    let wrk = Wrk::find()?;
    let programs = Programs::find(host, args)?;
    let upstream = Baseline::hyper(&baselines::build_hyper()?)?;
    let mut report = Report::new(TITLE, how(args), HEAD);
    small(&rows, &programs, upstream.address, &wrk, args, &mut report)?;
    for direction in directions {
        large(direction, &programs, upstream.address, args, &mut report)
            .with_context(|| format!("cannot measure {}", direction.name()))?;
    }
    Ok(report)
}

fn how(args: &Args) -> String {
    format!(
        "the example `reverse-proxy`, nginx with `proxy_pass` and kept connections, and `tests/benches/wasi-proxy` on `wasmtime serve`, each in front of the same server on bare hyper, which is on the same cores, too. \
         `wrk` with 2 threads and 32 connections, after a second of warm-up {} rounds of {} s for each proxy, in turn; the median counts. No access logs. \
         nginx has one worker unless the row says otherwise. A pooled instance serves up to 1000 requests, on `wasmtime serve` too, which makes a new connection to the server for each request. \
         1 GiB goes over one connection, with a length, to and from `xtask` itself, in as many rounds. Memory is the resident set: before, of a proxy that has done little, and at its highest in all rounds (`VmHWM`); of nginx that of its worker.",
        args.rounds, args.seconds
    )
}

/// Requests per second. All proxies are up at the same time and are measured
/// in turn, so that a change of the machine's mood hits all of them.
fn small(
    rows: &[&Row],
    programs: &Programs,
    upstream: SocketAddr,
    wrk: &Wrk,
    args: &Args,
    report: &mut Report,
) -> Result<()> {
    let mut sides: Vec<(Kind, Proxy, Vec<f64>)> = Vec::new();
    for kind in Kind::ALL {
        let asked_for = rows.iter().any(|row| row.ours == kind || row.theirs == kind);
        if !asked_for {
            continue;
        }
        match programs.missing(kind) {
            Some(missing) => println!("{}: left out, {missing}", kind.name()),
            None => sides.push((kind, programs.start(kind, upstream)?, Vec::new())),
        }
    }
    for round in 0..=args.rounds {
        let seconds = if round == 0 { 1 } else { args.seconds };
        for (kind, proxy, samples) in &mut sides {
            let figure = wrk
                .requests_per_second(proxy.address, Load::Hello, seconds)
                .with_context(|| format!("{} failed", kind.name()))?;
            if round > 0 {
                samples.push(figure);
            }
        }
    }
    let figure =
        |kind| sides.iter().find(|(of, _, _)| *of == kind).map(|(_, _, samples)| median(samples.clone()));
    for row in rows {
        let (Some(ours), Some(theirs)) = (figure(row.ours), figure(row.theirs)) else { continue };
        report.row([
            row.name.to_owned(),
            format!("{ours:.0} requests/s"),
            format!("{}: {theirs:.0} requests/s", row.theirs.name()),
            format!("{:.2}", ours / theirs),
            row.bar.to_owned(),
        ]);
    }
    Ok(())
}

/// 1 GiB through the host and through nginx, in turn.
fn large(
    direction: Direction,
    programs: &Programs,
    upstream: SocketAddr,
    args: &Args,
    report: &mut Report,
) -> Result<()> {
    let side = |kind| Stream::new(programs.start(kind, upstream)?);
    let mut ours = side(Kind::Fresh)?;
    let mut theirs = match programs.missing(Kind::Nginx) {
        Some(_) => None,
        None => Some(side(Kind::Nginx)?),
    };
    for _ in 0..args.rounds {
        ours.run(direction)?;
        if let Some(theirs) = &mut theirs {
            theirs.run(direction)?;
        }
    }
    let (speed, memory) = (ours.bytes_per_second(), ours.memory()?);
    let (mut their_speed, mut ratio, mut their_memory) = (String::new(), String::new(), String::new());
    if let Some(theirs) = theirs {
        their_speed = format!("nginx: {}", gibibyte::mebibytes(theirs.bytes_per_second()));
        ratio = format!("{:.2}", speed / theirs.bytes_per_second());
        their_memory = format!("nginx: {}", theirs.memory()?.told());
    }
    report.row([direction.name().to_owned(), gibibyte::mebibytes(speed), their_speed, ratio, String::new()]);
    report.row([
        format!("{}, resident memory", direction.name()),
        memory.told(),
        their_memory,
        String::new(),
        "flat".to_owned(),
    ]);
    Ok(())
}
