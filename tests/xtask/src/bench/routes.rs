//! Whether many routes cost more than few: two hosts with the same app, asked
//! for the same, by `wrk`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use innkeeper_harness::{DEADLINE, guests};

use super::host::{Host, folder};
use super::report::Report;
use super::wrk::{Load, Wrk};
use super::{Args, median};

/// The title of the section.
pub const TITLE: &str = "Routes";

const HEAD: &[&str] = &["what", "10,000 routes", "10 routes", "ratio"];

/// Of which half have hosts of their own, and half have paths of one host.
const MANY: usize = 10_000;
const FEW: usize = 10;

/// Measures it.
///
/// # Errors
/// A request that failed; a host that does not come up.
pub fn measure(program: &Path, args: &Args) -> Result<Report> {
    let wrk = Wrk::find()?;
    let how = format!(
        "one app, `hello` in pooled instances, with {MANY} routes and with {FEW}: half are hosts, half are paths of one host, of which one is asked for in both. \
         `wrk` with 2 threads and 32 connections, after a second of warm-up {} rounds of {} s for each side, alternating; the median counts.",
        args.rounds, args.seconds
    );
    let mut report = Report::new(TITLE, how, HEAD);
    let (many, few) = (start(program, MANY)?, start(program, FEW)?);
    let (mut of_many, mut of_few) = (Vec::new(), Vec::new());
    for round in 0..=args.rounds {
        let seconds = if round == 0 { 1 } else { args.seconds };
        let sample = |host: &Host| wrk.requests_per_second(host.address, Load::Route, seconds);
        let samples = (sample(&many)?, sample(&few)?);
        if round > 0 {
            of_many.push(samples.0);
            of_few.push(samples.1);
        }
    }
    let (of_many, of_few) = (median(of_many), median(of_few));
    report.row([
        "requests".to_owned(),
        format!("{of_many:.0} requests/s"),
        format!("{of_few:.0} requests/s"),
        format!("{:.2}", of_many / of_few),
    ]);
    let (start_many, start_few) = (many.start.as_secs_f64(), few.start.as_secs_f64());
    report.row([
        "start, component cached".to_owned(),
        format!("{start_many:.2} s"),
        format!("{start_few:.2} s"),
        format!("{:.2}", start_many / start_few),
    ]);
    let (bytes_many, bytes_few) = (many.resident_bytes()?, few.resident_bytes()?);
    report.row([
        "resident memory after that".to_owned(),
        format!("{:.1} MB", bytes_many / 1e6),
        format!("{:.1} MB", bytes_few / 1e6),
        format!("{:.2}", bytes_many / bytes_few),
    ]);
    Ok(report)
}

fn start(program: &Path, routes: usize) -> Result<Host> {
    let hello = guests::component("hello")?;
    let mut config = format!(
        "listen = [\"127.0.0.1:0\"]\n\n[log]\naccess = \"off\"\n\n[[app]]\nname = \"hello\"\ncomponent = \"{}\"\n\
         instances = \"pooled\"\nroutes = [\n",
        hello.display()
    );
    for route in 0..routes / 2 {
        // Writing to a string does not fail.
        let _ = writeln!(config, "    {{ host = \"host-{route}.example\", path = \"/*\" }},");
        let _ = writeln!(config, "    {{ host = \"{}\", path = \"/route/{route}/*\" }},", Load::ROUTED_HOST);
    }
    config.push_str("]\n");
    Host::start(program, &folder(&format!("routes-{routes}"))?, &config, DEADLINE)
}
