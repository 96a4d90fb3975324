//! `innkeeper top`: what the versions of the apps do right now, as differences
//! between two looks.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use reqwest::Method;
use rustix::termios::Winsize;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

use super::Session;
use super::access::AdminFlags;
use super::output::{long_time, print, say, short_time, table, terminal, used};
use crate::admin::views::{HostView, TopVersionView, TopView};
use crate::cli::client::{Answer, AskError};
use crate::config::values::Time;

/// Show what the versions of the apps do: a table that refreshes itself, or one on what is no terminal.
#[derive(Debug, Args)]
pub struct Top {
    /// Print one table, and end; so it is with `--json`, where the numbers are those since the start.
    #[arg(long)]
    once: bool,

    /// Time between two looks, which is what the rates are of.
    #[arg(long, value_name = "DURATION", default_value_t = Time(Duration::from_secs(1)), value_parser = parse_interval)]
    interval: Time,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Top {
    pub fn run(self) -> Result<ExitCode> {
        let Top { once, interval, flags } = self;
        flags.run(async |session| {
            if session.json {
                return session.tell(&ask(&session).await?, |_: TopView| String::new());
            }
            tokio::select! {
                interrupted = ctrl_c() => interrupted.context("cannot wait for SIGINT"),
                shown = show(&session, once, interval.0) => shown,
            }
        })
    }
}

fn parse_interval(text: &str) -> Result<Time, String> {
    let time: Time = text.parse()?;
    if time.0.is_zero() {
        Err("no time at all is too short; take 100ms or more".to_owned())
    } else {
        Ok(time)
    }
}

/// What was so at a time.
struct Look {
    at: Instant,
    top: TopView,
}

async fn show(session: &Session, once: bool, interval: Duration) -> Result<()> {
    let mut screen = Screen::default();
    let mut before = look(session).await?;
    loop {
        sleep(interval).await;
        let now = look(session).await?;
        let text = described(&before, &now);
        match terminal().filter(|_| !once) {
            Some(size) => screen.draw(&text, size)?,
            None => return say(&text),
        }
        before = now;
    }
}

async fn ask(session: &Session) -> Result<Answer, AskError> {
    session.client.ask(Method::GET, &["v1", "top"]).await
}

async fn look(session: &Session) -> Result<Look, AskError> {
    let top = ask(session).await?.read()?;
    Ok(Look { at: Instant::now(), top })
}

fn described(before: &Look, now: &Look) -> String {
    let host = now.top.host.as_ref().map(|host| host_lines(host) + "\n\n").unwrap_or_default();
    let mut table =
        table(["APP", "VERSION", "REQ/S", "5XX/S", "FAILED", "CRASHES", "IN FLIGHT", "CPU %", "P50", "P99"]);
    let seconds = now.at.duration_since(before.at).as_secs_f64();
    for version in &now.top.versions {
        let is_it = |other: &&TopVersionView| {
            (&other.tenant, &other.app, &other.version) == (&version.tenant, &version.app, &version.version)
        };
        let rates = Rates::between(before.top.versions.iter().find(is_it), version, seconds);
        table.add_row([
            version.app.clone(),
            version.version.clone(),
            format!("{:.1}", rates.answers),
            format!("{:.1}", rates.errors),
            version.failed.to_string(),
            version.crashes.to_string(),
            version.in_flight.to_string(),
            format!("{:.1}", rates.cpu * 100.0),
            short_time(version.p50_seconds),
            short_time(version.p99_seconds),
        ]);
    }
    host + &table.trim_fmt()
}

fn host_lines(host: &HostView) -> String {
    let ready = if host.ready { "ready" } else { "draining" };
    format!(
        "innkeeper {}, {ready}, up {}\nconnections {}, exchanges {} ({} waiting), tunnels {}, demoted {} ({} waiting)",
        host.innkeeper,
        long_time(host.uptime_seconds),
        used(host.connections),
        used(host.exchanges),
        host.queued,
        used(host.tunnels),
        host.demoted_running,
        host.demoted_waiting,
    )
}

/// What a version did per second.
#[derive(Debug, PartialEq)]
struct Rates {
    answers: f64,
    errors: f64,
    cpu: f64,
}

impl Rates {
    /// Between two looks; a version that was not there before began at nothing,
    /// and one whose numbers are smaller than before began anew.
    fn between(before: Option<&TopVersionView>, now: &TopVersionView, seconds: f64) -> Self {
        let count = |version: &TopVersionView| version.answers.iter().sum::<u64>();
        let before = before.filter(|before| count(before) <= count(now));
        let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let [.., errors] = now.answers;
        let errors_before = before.map_or(0, |&TopVersionView { answers: [.., errors], .. }| errors);
        Rates {
            answers: per_second(count(now), before.map_or(0, count)),
            errors: per_second(errors, errors_before),
            cpu: (now.cpu_seconds - before.map_or(0.0, |before| before.cpu_seconds)).max(0.0) / seconds,
        }
    }
}

/// The part of a terminal that is drawn again and again.
#[derive(Default)]
struct Screen {
    lines: usize,
}

impl Screen {
    /// Draws a text in the place of the last one, as much as there is room for.
    fn draw(&mut self, text: &str, size: Winsize) -> Result<()> {
        let (rows, columns) = (usize::from(size.ws_row), usize::from(size.ws_col));
        // The last row is the cursor's.
        let lines: Vec<String> = text
            .lines()
            .take(rows.saturating_sub(1))
            .map(|line| line.chars().take(columns).collect())
            .collect();
        let up = if self.lines > 0 { format!("\x1b[{}A", self.lines) } else { String::new() };
        self.lines = lines.len();
        // Up to the first line, then everything below is cleared.
        print(&format!("{up}\r\x1b[J{}\n", lines.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(answers: u64, errors: u64, cpu_seconds: f64) -> TopVersionView {
        TopVersionView {
            tenant: "t".to_owned(),
            app: "a".to_owned(),
            version: "v".to_owned(),
            answers: [0, answers, 0, 0, errors],
            failed: 0,
            crashes: 0,
            in_flight: 0,
            cpu_seconds,
            request_bytes: 0,
            response_bytes: 0,
            p50_seconds: 0.0,
            p99_seconds: 0.0,
        }
    }

    #[test]
    fn rates_are_differences_over_time() {
        let (before, now) = (version(10, 2, 1.0), version(28, 4, 2.0));
        let rates = Rates::between(Some(&before), &now, 2.0);
        assert_eq!(rates, Rates { answers: 10.0, errors: 1.0, cpu: 0.5 });
    }

    #[test]
    fn what_began_anew_began_at_nothing() {
        let now = version(3, 1, 0.5);
        let expected = Rates { answers: 4.0, errors: 1.0, cpu: 0.5 };
        assert_eq!(Rates::between(None, &now, 1.0), expected);
        assert_eq!(Rates::between(Some(&version(100, 9, 7.0)), &now, 1.0), expected);
    }
}
