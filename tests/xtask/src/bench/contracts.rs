//! Hello in each contract and language, beside `wasmtime serve` with the same
//! file where it runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use innkeeper_harness::process::Output;
use innkeeper_harness::server::{Server, listening_on};
use innkeeper_harness::{guests, languages};

use super::baselines::{Baseline, find_wasmtime, wasmtime_on};
use super::report::Report;
use super::wrk::{Load, Wrk};
use super::{Args, median};

/// The title of the section.
pub const TITLE: &str = "Contracts and languages";

const HEAD: &[&str] = &["what", "Innkeeper", "`wasmtime serve`", "ratio", "wanted"];

/// A hello, and how long its instances live.
struct Row {
    name: &'static str,
    guest: Guest,
    instances: Instances,
    /// What the project asks for.
    bar: &'static str,
}

#[derive(Clone, Copy)]
enum Guest {
    /// The example `hello`.
    Own,
    /// A folder of `tests/benches`.
    Wasi(&'static str),
    /// The same in WASI 0.3.
    Wasi03(&'static str),
    /// A folder of `languages`, of WASI 0.2.
    Language(&'static str),
    /// One with a contract that only this host has.
    LanguageHere(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Instances {
    Fresh,
    /// With the numbers of requests that `wasmtime serve` has for WASI 0.3 by
    /// itself: 128 in all, 16 at a time.
    Reused,
}

const ROWS: &[Row] = &[
    Row {
        name: "our own contract, Rust, fresh instance",
        guest: Guest::Own,
        instances: Instances::Fresh,
        bar: "",
    },
    Row {
        name: "our own contract, Rust, reused instance",
        guest: Guest::Own,
        instances: Instances::Reused,
        bar: "",
    },
    Row {
        name: "WASI 0.2, Rust, fresh instance",
        guest: Guest::Wasi("wasi-hello"),
        instances: Instances::Fresh,
        bar: "≥ 2",
    },
    Row {
        name: "WASI 0.2, Rust, reused instance",
        guest: Guest::Wasi("wasi-hello"),
        instances: Instances::Reused,
        bar: "",
    },
    Row {
        name: "WASI 0.3, Rust, fresh instance",
        guest: Guest::Wasi03("wasi-hello-p3"),
        instances: Instances::Fresh,
        bar: "",
    },
    Row {
        name: "WASI 0.3, Rust, reused instance",
        guest: Guest::Wasi03("wasi-hello-p3"),
        instances: Instances::Reused,
        bar: "≥ 1.2",
    },
    Row {
        name: "WASI 0.2, JavaScript, fresh instance",
        guest: Guest::Language("fetch"),
        instances: Instances::Fresh,
        bar: "≥ 2",
    },
    Row {
        name: "WASI 0.2, JavaScript, reused instance",
        guest: Guest::Language("fetch"),
        instances: Instances::Reused,
        bar: "",
    },
    Row {
        name: "WASI 0.2, Python, fresh instance",
        guest: Guest::Language("python"),
        instances: Instances::Fresh,
        bar: "≥ 2",
    },
    Row {
        name: "WASI 0.2, Python, reused instance",
        guest: Guest::Language("python"),
        instances: Instances::Reused,
        bar: "",
    },
    Row {
        name: "jco:node/http, Express, reused instance",
        guest: Guest::LanguageHere("express"),
        instances: Instances::Reused,
        bar: "",
    },
];

/// Measures all of it, or the rows that are asked for.
///
/// # Errors
/// A row that there is not; a server that does not come up, or fails.
pub fn measure(host: &Path, args: &Args) -> Result<Report> {
    let rows: Vec<_> = ROWS.iter().filter(|row| args.wants(row.name)).collect();
    if rows.is_empty() {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        bail!(
            "no row has `{}` in its name; there are:\n  {}",
            args.rows.as_deref().unwrap_or(""),
            names.join("\n  ")
        );
    }
    let wrk = Wrk::find()?;
    let wasmtime = find_wasmtime(args)?;
    if wasmtime.is_none() {
        println!("without `wasmtime serve`: no `wasmtime` on PATH; name one with --wasmtime PATH");
    }
    let mut report = Report::new(TITLE, how(args), HEAD);
    for row in rows {
        pair(row, host, wasmtime.as_deref(), &wrk, args, &mut report)
            .with_context(|| format!("cannot measure {}", row.name))?;
    }
    Ok(report)
}

fn how(args: &Args) -> String {
    format!(
        "the same component on both, `wasmtime serve` with the pooling allocator and, for reused instances, with the same numbers: 128 requests for an instance, of WASI 0.3 16 at a time, which are its own for WASI 0.3; Express has the 1000 of this host. \
         `hello` of our own contract stands beside the same answer as a component of WASI 0.2. \
         `wrk` with 2 threads and 32 connections, after a second of warm-up {} rounds of {} s for each side, alternating; the median counts. No access logs.",
        args.rounds, args.seconds
    )
}

fn pair(
    row: &Row,
    host: &Path,
    wasmtime: Option<&Path>,
    wrk: &Wrk,
    args: &Args,
    report: &mut Report,
) -> Result<()> {
    let component = row.guest.component()?;
    let ours = start_host(host, &component, row)?;
    let theirs = match (wasmtime, row.guest.elsewhere(&component)?) {
        (Some(wasmtime), Some(component)) => Some(start_wasmtime(wasmtime, &component, row)?),
        _ => None,
    };
    let (mut our_samples, mut their_samples) = (Vec::new(), Vec::new());
    let mut theirs_fails = None;
    for round in 0..=args.rounds {
        let seconds = if round == 0 { 1 } else { args.seconds };
        let figure = wrk.requests_per_second(ours.address, Load::Hello, seconds)?;
        our_samples.extend((round > 0).then_some(figure));
        if let (Some(theirs), None) = (&theirs, &theirs_fails) {
            match wrk.requests_per_second(theirs.address, Load::Hello, seconds) {
                Ok(figure) => their_samples.extend((round > 0).then_some(figure)),
                // Not every component bears to be reused there.
                Err(error) => theirs_fails = Some(error),
            }
        }
    }
    let ours = median(our_samples);
    let theirs = (theirs_fails.is_none() && !their_samples.is_empty()).then(|| median(their_samples));
    let instead = match theirs_fails {
        Some(error) => {
            eprintln!("{}: `wasmtime serve` failed: {error:#}", row.name);
            "requests fail"
        }
        None => "not there",
    };
    report.row([
        row.name.to_owned(),
        format!("{ours:.0} requests/s"),
        theirs.map_or_else(|| instead.to_owned(), |theirs| format!("{theirs:.0} requests/s")),
        theirs.map_or_else(String::new, |theirs| format!("{:.2}", ours / theirs)),
        row.bar.to_owned(),
    ]);
    Ok(())
}

impl Guest {
    /// What this host serves.
    fn component(self) -> Result<PathBuf> {
        match self {
            Guest::Own => Ok(guests::component("hello")?.to_owned()),
            Guest::Wasi(name) | Guest::Wasi03(name) => guests::wasi(name),
            Guest::Language(name) | Guest::LanguageHere(name) => languages::component(name),
        }
    }

    /// What `wasmtime serve` serves beside it, if there is anything.
    fn elsewhere(self, component: &Path) -> Result<Option<PathBuf>> {
        match self {
            Guest::Own => guests::wasi("wasi-hello").map(Some),
            Guest::Wasi(_) | Guest::Wasi03(_) | Guest::Language(_) => Ok(Some(component.to_owned())),
            Guest::LanguageHere(_) => Ok(None),
        }
    }
}

fn start_host(host: &Path, component: &Path, row: &Row) -> Result<Baseline> {
    let server = Server::at(component).program(host).listen("127.0.0.1:0").arg("--access-log", "off");
    let server = match (row.instances, row.guest) {
        (Instances::Fresh, _) => server,
        // Beside nothing else: the number that is the host's own.
        (Instances::Reused, Guest::LanguageHere(_)) => server.arg("--instances", "pooled"),
        (Instances::Reused, _) => {
            server.arg("--instances", "pooled").arg("--requests-per-instance-max", "128")
        }
    };
    Baseline::start(&mut server.command()?, Output::Stdout, listening_on)
}

fn start_wasmtime(wasmtime: &Path, component: &Path, row: &Row) -> Result<Baseline> {
    let mut command = Command::new(wasmtime);
    command.args(["serve", "--addr", "127.0.0.1:0", "-O", "pooling-allocator"]);
    match row.guest {
        Guest::Wasi03(_) => command.args(["-S", "cli,p3", "-W", "component-model-async"]),
        _ => command.args(["-S", "cli"]),
    };
    match (row.instances, row.guest) {
        (Instances::Fresh, _) => {
            command.args(["--max-instance-reuse-count", "1", "--max-instance-concurrent-reuse-count", "1"])
        }
        // What it does by itself.
        (Instances::Reused, Guest::Wasi03(_)) => &mut command,
        (Instances::Reused, _) => command.args(["--max-instance-reuse-count", "128"]),
    };
    Baseline::start(command.arg(component), Output::Stderr, wasmtime_on)
}
