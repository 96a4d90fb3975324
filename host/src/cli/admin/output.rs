//! What the subcommands print: lines on a standard output that may be closed,
//! tables as wide as the terminal, numbers for people. Text that guests or
//! clients have a hand in never reaches a terminal as control characters.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Result;
use bytesize::ByteSize;
use comfy_table::{ContentArrangement, Table, presets};
use rustix::termios::{Winsize, tcgetwinsize};
use thiserror::Error;

use crate::admin::views::UseView;

/// Whoever reads standard output has had enough: a reason to end, and nothing
/// to be told.
#[derive(Debug, Error)]
#[error("standard output is closed")]
pub struct ClosedOutput;

/// Prints lines.
///
/// # Errors
/// [`ClosedOutput`], and what else keeps a line from being written.
pub fn say(text: &str) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    print(&format!("{text}\n"))
}

/// Prints text as it is.
///
/// # Errors
/// As [`say`].
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ClosedOutput.into()),
        written => Ok(written?),
    }
}

/// A table without lines, as wide as the terminal, if it is one.
pub fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    if let Some(Winsize { ws_col, .. }) = terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(ws_col);
    }
    table
}

/// The size of the terminal that standard output is.
pub fn terminal() -> Option<Winsize> {
    let out = io::stdout();
    let size = if out.is_terminal() { tcgetwinsize(&out).ok() } else { None };
    // A terminal that does not know how large it is says 0.
    size.filter(|size| size.ws_col > 0 && size.ws_row > 0)
}

/// Text that is safe to show: control characters are spelled out.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            safe.extend(char.escape_default());
        } else {
            safe.push(char);
        }
    }
    safe
}

/// A number of bytes.
pub fn bytes(count: u64) -> String {
    ByteSize(count).to_string()
}

/// `3/100`, or without the limit if there is none.
pub fn used(of: UseView) -> String {
    used_as(of, |count| count.to_string())
}

/// `1.5 MiB/2.0 GiB`, or without the limit if there is none.
pub fn used_bytes(of: UseView) -> String {
    used_as(of, bytes)
}

fn used_as(UseView { used, max }: UseView, form: impl Fn(u64) -> String) -> String {
    let mut text = form(used);
    if max != u64::MAX {
        let _ = write!(text, "/{}", form(max));
    }
    text
}

/// A duration that is short: `850 µs`, `1.2 ms`, `3.4 s`.
pub fn short_time(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds if seconds >= 0.001 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{:.0} µs", seconds * 1e6),
    }
}

/// A duration that may be long: `2h 3m 4s`.
pub fn long_time(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// The first digits of a SHA-256, which are enough for people.
pub fn digest(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(used(UseView { used: 3, max: 100 }), "3/100");
        assert_eq!(used(UseView { used: 3, max: u64::MAX }), "3");
        assert_eq!(used_bytes(UseView { used: 1536, max: 1 << 30 }), "1.5 KiB/1.0 GiB");
        assert_eq!(short_time(0.000_85), "850 µs");
        assert_eq!(short_time(0.0012), "1.2 ms");
        assert_eq!(short_time(3.44), "3.4 s");
        assert_eq!(long_time(7384.9), "2h 3m 4s");
    }

    #[test]
    fn no_control_character_is_shown() {
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }
}
