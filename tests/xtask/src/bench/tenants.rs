//! A good tenant alone and beside a hostile one: rounds of both in turn, on
//! one host, whose tenants have the quotas of the defaults.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use innkeeper_harness::{DEADLINE, guests};

use super::host::{Host, folder};
use super::hostile::{self, Hostile};
use super::load::{self, Tally, Target};
use super::report::Report;
use super::{Args, median};

/// The title of the section.
pub const TITLE: &str = "A good tenant beside a hostile one";

const HEAD: &[&str] = &[
    "beside",
    "p50 alone",
    "p50 beside",
    "ratio",
    "p99 alone",
    "p99 beside",
    "ratio",
    "requests/s alone",
    "requests/s beside",
    "hostile requests ended",
    "wanted",
];

/// Time for an attack to take hold, and for the host to get over it.
const PAUSE: Duration = Duration::from_millis(500);

/// Measures all of it, or the rows that are asked for.
///
/// # Errors
/// A good request that failed; a host that does not come up.
pub fn measure(program: &Path, args: &Args) -> Result<Report> {
    let how = format!(
        "two tenants with the default quotas and limits, but that an idle connection may stay for 60 s and that the hostile app is never tripped by its crashes. \
         The good one's `hello` is asked on {} connections, one request at a time each, by `xtask` itself: after a warm-up {} rounds of {} s alone and beside, alternating; the median counts. \
         Hostile clients begin again whenever the host has ended what they began, and come from 100 addresses. \
         What they cost on their own is part of the figures, because they run on the same cores. For slow readers, pieces of up to 1 KiB are counted.",
        load::CONNECTIONS,
        args.rounds,
        args.seconds
    );
    let mut report = Report::new(TITLE, how, HEAD);
    for hostile in Hostile::ALL {
        let name = hostile.name();
        if args.wants(&name) {
            report.row(beside(hostile, program, args).with_context(|| format!("cannot measure {name}"))?);
        }
    }
    Ok(report)
}

fn beside(hostile: Hostile, program: &Path, args: &Args) -> Result<Vec<String>> {
    let host = Host::start(program, &folder("tenants")?, &config()?, DEADLINE)?;
    let good = Target::hello(host.address, "good.example");
    let time = Duration::from_secs(args.seconds.into());
    good.drive(Duration::from_secs(1))?;
    let (mut alone, mut beside, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        alone.push(good.drive(time)?);
        let attack = hostile.attack(host.address)?;
        sleep(PAUSE);
        beside.push(good.drive(time)?);
        ended.push(attack.end());
        sleep(PAUSE);
    }
    let of = |tallies: &[Tally], figure: fn(&Tally) -> f64| median(tallies.iter().map(figure).collect());
    let quantiles = [|tally: &Tally| tally.quantile(0.5), |tally: &Tally| tally.quantile(0.99)];
    let mut row = vec![hostile.name()];
    for quantile in quantiles {
        let (alone, beside) = (of(&alone, quantile), of(&beside, quantile));
        row.extend([format!("{alone:.0} µs"), format!("{beside:.0} µs"), format!("{:.2}", beside / alone)]);
    }
    row.extend([&alone, &beside].map(|tallies| format!("{:.0}", of(tallies, Tally::per_second))));
    row.push(format!("{:.1}/s", median(ended)));
    row.push(hostile.bar().to_owned());
    Ok(row)
}

fn config() -> Result<String> {
    let (hello, misbehave) = (guests::component("hello")?, guests::component("misbehave")?);
    Ok(format!(
        r#"listen = ["127.0.0.1:0"]

[limits]
keep_alive_timeout = "60s"

[log]
access = "off"

[[app]]
name = "good"
tenant = "good"
component = "{}"
routes = [{{ host = "good.example" }}]

[[app]]
name = "hostile"
tenant = "hostile"
component = "{}"
routes = [{{ host = "{}" }}]

[app.limits]
crashes_max = "off"
"#,
        hello.display(),
        misbehave.display(),
        hostile::HOST
    ))
}
