//! Throughput, by `wrk`: 32 connections, 2 threads.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use innkeeper_harness::workspace;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Twelve bytes.
    Hello,
    /// A response of 1 MiB.
    Mebibyte,
    /// A request and a response of 1 MiB.
    Echo,
    /// Twelve bytes, of one of several hosts and paths.
    Route,
}

impl Load {
    /// The host that [`Load::Route`] asks for.
    pub const ROUTED_HOST: &str = "paths.example";
}

/// The load generator.
pub struct Wrk {
    echo_script: PathBuf,
}

const ECHO: &str = "wrk.method = \"POST\"\nwrk.body = string.rep(\"a\", 1024 * 1024)\n";

impl Wrk {
    /// Sees to it that it is there.
    pub fn find() -> Result<Self> {
        Command::new("wrk").arg("--version").output().context(
            "`wrk` is not to be found; install it (Debian, Ubuntu: `apt-get install wrk`, macOS: `brew install wrk`)",
        )?;
        let echo_script = workspace::target_dir()?.join("bench-echo.lua");
        fs::write(&echo_script, ECHO).with_context(|| format!("cannot write {}", echo_script.display()))?;
        Ok(Self { echo_script })
    }

    /// Requests per second over so many seconds.
    pub fn requests_per_second(&self, address: SocketAddr, load: Load, seconds: u32) -> Result<f64> {
        let path = match load {
            Load::Hello => "/",
            Load::Mebibyte => "/1m",
            Load::Echo => "/echo",
            Load::Route => "/route/0/",
        };
        let mut command = Command::new("wrk");
        command.args(["--threads", "2", "--connections", "32", "--duration", &format!("{seconds}s")]);
        // Instances that take long to start make some requests wait.
        command.args(["--timeout", "10s"]);
        if load == Load::Echo {
            command.arg("--script").arg(&self.echo_script);
        }
        if load == Load::Route {
            command.args(["--header", &format!("Host: {}", Load::ROUTED_HOST)]);
        }
        let output = command.arg(format!("http://{address}{path}")).output().context("cannot start `wrk`")?;
        read(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Takes the figure out of what `wrk` prints. A run with failed requests is no
/// measurement.
fn read(printed: &str) -> Result<f64> {
    if printed.contains("Socket errors:") || printed.contains("Non-2xx") {
        bail!("some requests failed:\n{printed}");
    }
    let figure = printed.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    figure
        .and_then(|figure| figure.trim().parse().ok())
        .with_context(|| format!("`wrk` printed no figure:\n{printed}"))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_figure_is_read() {
        let printed =
            "Running 1s test\n  10 requests in 1.0s, 1KB read\nRequests/sec:  12345.67\nTransfer/sec:  1MB\n";
        assert!((read(printed).expect("a figure") - 12345.67).abs() < 0.001);
    }

    #[test]
    fn failed_requests_are_no_measurement() {
        assert!(read("  Non-2xx or 3xx responses: 1\nRequests/sec: 1\n").is_err());
        assert!(read("  Socket errors: connect 0, read 1, write 0, timeout 0\nRequests/sec: 1\n").is_err());
        assert!(read("").is_err());
    }
}
