//! `docs/benchmarks.md`: a section for each kind of measurement. Measuring one
//! kind replaces its section and leaves the others as they are.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use innkeeper_harness::workspace::root;

/// The file that is written.
pub const PATH: &str = "docs/benchmarks.md";

const INTRODUCTION: &str = "# Benchmarks\n\n\
    Written by `cargo xtask bench`; `cargo xtask bench tenants` measures one section alone and replaces it. \
    Each figure stands beside its baseline from the same run; the ratio is what carries over to another machine. \
    Release builds on loopback, the load generator on the same cores.\n";

/// The sections, in the order that they stand in.
const TITLES: [&str; 7] = [
    super::pairs::TITLE,
    super::proxy::TITLE,
    super::contracts::TITLE,
    super::tenants::TITLE,
    super::routes::TITLE,
    super::apps::TITLE,
    super::deploys::TITLE,
];

/// What one kind of measurement came to.
pub struct Report {
    /// The title of the section.
    pub title: &'static str,
    /// How it was measured.
    pub how: String,
    /// The heads of the table's columns; the first column has names, the others figures.
    pub head: &'static [&'static str],
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

/// The machine, and how busy it was when a measurement began.
pub struct Machine {
    day: String,
    environment: String,
    load_average: String,
    idle_percent: f64,
}

impl Report {
    /// Without rows so far.
    pub fn new(title: &'static str, how: String, head: &'static [&'static str]) -> Self {
        Report { title, how, head, rows: Vec::new() }
    }

    /// Adds a row, and prints it.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<_> = cells.into_iter().collect();
        let named = self.head.iter().zip(&cells).skip(1).map(|(head, cell)| format!("{head}: {cell}"));
        println!("{}; {}", cells.first().map_or("", String::as_str), named.collect::<Vec<_>>().join(", "));
        self.rows.push(cells);
    }

    /// Puts it into the file.
    ///
    /// # Errors
    /// What the system says about the file.
    pub fn write(&self, machine: &Machine) -> Result<()> {
        let path = root().join(PATH);
        let old = fs::read_to_string(&path).unwrap_or_default();
        let new = with_section(&old, self.title, &self.text(machine));
        fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))
    }

    fn text(&self, machine: &Machine) -> String {
        let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let head: Vec<_> = self.head.iter().map(ToString::to_string).collect();
        let mut text = format!("- **When and where:** {}\n- **How:** {}\n\n", machine.told(), self.how);
        text.push_str(&row(&head));
        text.push_str(&format!("|---|{}\n", "--:|".repeat(head.len().saturating_sub(1))));
        text.extend(self.rows.iter().map(|cells| row(cells)));
        text
    }
}

/// The document with one of its sections replaced, or added in its place.
fn with_section(document: &str, title: &str, text: &str) -> String {
    let mut new = INTRODUCTION.to_owned();
    for known in TITLES {
        let there = document
            .split("\n## ")
            .skip(1)
            .find_map(|section| section.strip_prefix(known)?.strip_prefix("\n\n"));
        let section = if known == title { Some(text) } else { there };
        if let Some(section) = section {
            new.push_str(&format!("\n## {known}\n\n{}\n", section.trim_end()));
        }
    }
    new
}

impl Machine {
    /// Looks at it for a second.
    pub fn now() -> Self {
        let before = processor_time();
        sleep(Duration::from_secs(1));
        let after = processor_time();
        let idle_percent = match (before, after) {
            (Some(before), Some(after)) if after.1 > before.1 => {
                (after.0 - before.0) / (after.1 - before.1) * 100.0
            }
            _ => f64::NAN,
        };
        let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Machine {
            day: humantime::format_rfc3339_seconds(SystemTime::now()).to_string().chars().take(10).collect(),
            environment: environment(),
            load_average: averages.split(' ').next().unwrap_or("unknown").to_owned(),
            idle_percent,
        }
    }

    fn told(&self) -> String {
        format!(
            "{}, {}; just before, the processors were {:.0} % idle and the load average was {}.",
            self.day, self.environment, self.idle_percent, self.load_average
        )
    }
}

/// Ticks of all processors together since the boot: idle ones, and all.
fn processor_time() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> = stat.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    Some((*ticks.get(3)?, ticks.iter().take(8).sum()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_others_stay_in_their_order() {
        let [first, second, third, ..] = TITLES;
        let one = with_section("", second, "old\n");
        let two = with_section(&one, third, "third\n");
        let three = with_section(&two, first, "first\n");
        let four = with_section(&three, second, "new\n");
        let wanted =
            format!("{INTRODUCTION}\n## {first}\n\nfirst\n\n## {second}\n\nnew\n\n## {third}\n\nthird\n");
        assert_eq!(four, wanted);
    }
}
