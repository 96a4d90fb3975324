//! `docs/benchmarks.md`.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};
use innkeeper_harness::workspace::root;

use super::wrk::Load;

/// The file that is written.
pub const PATH: &str = "docs/benchmarks.md";

/// One measurement.
pub struct Row {
    /// What was measured.
    pub name: &'static str,
    /// The host's figure.
    pub ours: f64,
    /// What it is compared with.
    pub baseline: &'static str,
    /// The baseline's figure.
    pub theirs: f64,
    /// What the figures are in.
    pub unit: Unit,
    /// What is wanted; empty where nothing is.
    pub bar: &'static str,
}

/// What a figure is in.
#[derive(Clone, Copy)]
pub enum Unit {
    /// Requests per second.
    Requests,
    /// Requests of 1 MiB per second.
    Mebibytes,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The unit of a load's figure.
    pub fn of(load: Load) -> Self {
        match load {
            Load::Hello => Self::Requests,
            Load::Mebibyte | Load::Echo => Self::Mebibytes,
        }
    }

    fn show(self, figure: f64) -> String {
        match self {
            Self::Requests => format!("{figure:.0} requests/s"),
            Self::Mebibytes => format!("{figure:.0} MiB/s"),
            Self::Bytes => format!("{:.1} kB", figure / 1000.0),
        }
    }
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours / self.theirs
    }
}

impl Display for Row {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (ours, theirs) = (self.unit.show(self.ours), self.unit.show(self.theirs));
        write!(formatter, "{}: {ours}, {} {theirs}, ratio {:.2}", self.name, self.baseline, self.ratio())?;
        if self.bar.is_empty() { Ok(()) } else { write!(formatter, " (wanted {})", self.bar) }
    }
}

/// Writes the file.
pub fn write(rows: &[Row], rounds: usize, seconds: u32) -> Result<()> {
    let mut text = String::from("# Benchmarks\n\nWritten by `cargo xtask bench`. ");
    text.push_str("Each figure stands beside its baseline from the same run; the ratio is what carries over to another machine.\n\n");
    text.push_str(&format!("- **When and where:** {}, {}.\n", today(), environment()));
    text.push_str(&format!(
        "- **How:** release builds on loopback, the load generator on the same cores; `wrk` with 2 threads and 32 connections, \
         after a second of warm-up {rounds} rounds of {seconds} s for each side, alternating; the median counts. \
         The access log is off unless the row says otherwise, and then goes to `/dev/null`. \
         The host runs with its default limits, but for more connections of one peer, and instances, in the rows on memory. \
         Memory is the growth of the resident set by {} connections that have made one request each, or by {} tunnels through which a word was echoed.\n\n",
        super::idle::KEPT_ALIVE.connections,
        super::idle::TUNNEL.connections
    ));
    text.push_str("| what | Innkeeper | baseline | ratio | wanted |\n|---|--:|--:|--:|--:|\n");
    for row in rows {
        text.push_str(&format!(
            "| {} | {} | {}: {} | {:.2} | {} |\n",
            row.name,
            row.unit.show(row.ours),
            row.baseline,
            row.unit.show(row.theirs),
            row.ratio(),
            row.bar
        ));
    }
    let path = root().join(PATH);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn today() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string().chars().take(10).collect()
}

fn environment() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("unknown processor", |(_, name)| name).to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores of {cpu}, Linux {}, {}", kernel.trim(), printed("rustc", "--version"))
}

fn printed(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
