//! `cargo xtask bench`: the host beside its baselines, both sides of a ratio
//! in the same run. Here: which kinds of measurement there are. Each has a
//! file, and a section of `docs/benchmarks.md`, which [`report`] writes.

mod pairs;
mod baselines;
mod wrk;
mod idle;
mod proxy;
mod proxies;
mod gibibyte;
mod contracts;
mod tenants;
mod hostile;
mod routes;
mod apps;
mod deploys;
mod components;
mod load;
mod host;
mod report;

use std::path::PathBuf;

use anyhow::{Context, Result};
use innkeeper_harness::workspace;

use self::report::Machine;

/// Measure the host beside its baselines, and write docs/benchmarks.md
#[derive(clap::Args)]
pub struct Args {
    /// What to measure; everything by default
    #[arg(value_enum)]
    kind: Option<Kind>,
    /// Only the rows whose name contains this; nothing is written then
    rows: Option<String>,
    /// The host, a release build [default: built from here]
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
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

/// A kind of measurement, with a section of its own.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Requests and memory of one app, beside other servers
    Pairs,
    /// A reverse proxy, beside other reverse proxies
    Proxy,
    /// Hello in each contract and language, beside `wasmtime serve`
    Contracts,
    /// A good tenant, beside a hostile one
    Tenants,
    /// Few routes and many
    Routes,
    /// A thousand apps, beside one
    Apps,
    /// Deploys and a drain under load
    Deploys,
}

const KINDS: [Kind; 7] =
    [Kind::Pairs, Kind::Proxy, Kind::Contracts, Kind::Tenants, Kind::Routes, Kind::Apps, Kind::Deploys];

/// Measures, prints, and writes `docs/benchmarks.md`.
pub fn bench(args: &Args) -> Result<()> {
    idle::raise_open_files()?;
    let host = match &args.host {
        Some(host) => host.clone(),
        None => workspace::build_host(&workspace::target_dir()?, true)?,
    };
    for kind in KINDS.into_iter().filter(|kind| args.kind.is_none_or(|wanted| wanted == *kind)) {
        let machine = Machine::now();
        let report = match kind {
            Kind::Pairs => pairs::measure(&host, args),
            Kind::Proxy => proxy::measure(&host, args),
            Kind::Contracts => contracts::measure(&host, args),
            Kind::Tenants => tenants::measure(&host, args),
            Kind::Routes => routes::measure(&host, args),
            Kind::Apps => apps::measure(&host),
            Kind::Deploys => deploys::measure(&host, args),
        }?;
        if args.rows.is_none() {
            report.write(&machine).with_context(|| format!("cannot write {}", report::PATH))?;
            println!("wrote {} of {}", report.title, report::PATH);
        }
    }
    Ok(())
}

impl Args {
    /// Whether a row of this name is asked for.
    fn wants(&self, name: &str) -> bool {
        self.rows.as_ref().is_none_or(|rows| name.contains(rows))
    }
}

/// The middle of several samples.
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
