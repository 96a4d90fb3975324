//! `innkeeper logs`: what the guests of an app print. Following goes on over a
//! restart of the host.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use reqwest::Method;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

use super::Session;
use super::access::AdminFlags;
use super::output::{plain, say};
use crate::admin::views::LogLineView;
use crate::cli::client::{AskError, Lines, read};
use crate::config::Name;

/// Time between two tries to reach a host that has gone away.
const RETRY: Duration = Duration::from_millis(500);

/// Lines of the past that are looked through when the host is back.
const MISSED_MAX: usize = 10_000;

/// Print what the guests of an app have printed: time, stream, exchange, line.
#[derive(Debug, Args)]
pub struct Logs {
    /// The app.
    app: Name,

    /// Go on with what comes, until SIGINT; if the host restarts, with what the next one prints.
    #[arg(long, short)]
    follow: bool,

    /// How many lines of the past.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    lines: usize,

    #[command(flatten)]
    flags: AdminFlags,
}

impl Logs {
    pub fn run(self) -> Result<ExitCode> {
        let Logs { app, follow, lines, flags } = self;
        flags.run(async |session| {
            tokio::select! {
                interrupted = ctrl_c() => interrupted.context("cannot wait for SIGINT"),
                printed = print(&session, &app, follow, lines) => printed,
            }
        })
    }
}

async fn print(session: &Session, app: &Name, follow: bool, lines: usize) -> Result<()> {
    let mut seen = Seen::default();
    let mut stream = open(session, app, follow, lines).await?;
    loop {
        let ended = loop {
            match stream.next().await {
                Ok(Some(line)) => print_line(session, &line, &mut seen)?,
                Ok(None) => break "it has ended".to_owned(),
                Err(error @ AskError::Broken { .. }) => break error.to_string(),
                Err(error) => return Err(error.into()),
            }
        };
        if !follow {
            return Ok(());
        }
        eprintln!("the host has gone away, waiting for it to be back: {ended}");
        stream = reopen(session, app).await?;
        seen.begin_again();
        eprintln!("the host is back");
    }
}

async fn open(session: &Session, app: &Name, follow: bool, lines: usize) -> Result<Lines, AskError> {
    let query = [("lines", lines.to_string()), ("follow", follow.to_string())];
    let request = session.client.request(Method::GET, &["v1", "apps", app.as_str(), "logs"]);
    session.client.lines(request.query(&query)).await
}

async fn reopen(session: &Session, app: &Name) -> Result<Lines, AskError> {
    loop {
        match open(session, app, true, MISSED_MAX).await {
            Err(AskError::Unreachable { .. } | AskError::Broken { .. }) => sleep(RETRY).await,
            opened => return opened,
        }
    }
}

fn print_line(session: &Session, line: &str, seen: &mut Seen) -> Result<()> {
    let view: LogLineView = read(line)?;
    if !seen.is_new(&view.at) {
        return Ok(());
    }
    if session.json {
        return say(line);
    }
    let exchange = view.exchange.map_or_else(|| "-".to_owned(), |exchange| exchange.to_string());
    say(&format!("{} {:8} {exchange:>6} {}", view.at, view.stream, plain(&view.text)))
}

/// The place in the log up to which lines were printed: a time, and how many
/// lines had it. If only the connection broke, the host tells lines again.
#[derive(Default)]
struct Seen {
    at: String,
    count: usize,
    /// How many lines of that time are still to be left out.
    again: Option<usize>,
}

impl Seen {
    /// The lines that follow begin in the past.
    fn begin_again(&mut self) {
        self.again = Some(self.count);
    }

    /// Whether the next line, of this time, was not there before. Times are
    /// all in the one form whose order is that of the letters.
    fn is_new(&mut self, at: &str) -> bool {
        if let Some(left) = &mut self.again {
            if at < self.at.as_str() {
                return false;
            }
            if at == self.at && *left > 0 {
                *left -= 1;
                return false;
            }
            self.again = None;
        }
        if at == self.at {
            self.count += 1;
        } else {
            (self.at, self.count) = (at.to_owned(), 1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(seen: &mut Seen, lines: &[&str]) -> Vec<bool> {
        lines.iter().map(|at| seen.is_new(at)).collect()
    }

    #[test]
    fn lines_that_are_told_again_are_printed_once() {
        let mut seen = Seen::default();
        assert_eq!(fresh(&mut seen, &["1", "2", "2"]), [true; 3]);
        seen.begin_again();
        assert_eq!(fresh(&mut seen, &["1", "2", "2", "2", "3"]), [false, false, false, true, true]);
        seen.begin_again();
        // A host that was started anew has none of them.
        assert_eq!(fresh(&mut seen, &["4", "4"]), [true; 2]);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_no_line_up_while_following() {
        let mut seen = Seen::default();
        assert_eq!(fresh(&mut seen, &["2", "1", "1"]), [true; 3]);
    }
}
