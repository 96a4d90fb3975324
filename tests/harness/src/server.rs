//! The real binary, serving one component on a port of the system's choice.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::configured::ConfiguredHost;
use crate::logs::LogLine;
use crate::process::{Output, Process, Stderr};
use crate::pulse::Pulse;
use crate::wire::Client;
use crate::{DEADLINE, guests, workspace};

/// How a server is to be started.
#[derive(Clone)]
pub struct Server {
    component: Component,
    program: Option<PathBuf>,
    listen: Vec<String>,
    args: Vec<OsString>,
    pulse: Pulse,
    stderr: Stderr,
    within: Duration,
}

#[derive(Clone, Debug)]
enum Component {
    Guest(String, Vec<String>),
    File(PathBuf),
}

impl Server {
    /// Serves an example or test guest.
    #[must_use]
    pub fn of(guest: &str) -> Self {
        Self::with_features(guest, &[])
    }

    /// Serves a test guest that was built with these features.
    #[must_use]
    pub fn with_features(guest: &str, features: &[&str]) -> Self {
        let features = features.iter().map(ToString::to_string).collect();
        Self::serving(Component::Guest(guest.to_owned(), features))
    }

    /// Serves a component from a file.
    #[must_use]
    pub fn at(component: impl Into<PathBuf>) -> Self {
        Self::serving(Component::File(component.into()))
    }

    fn serving(component: Component) -> Self {
        Self {
            component,
            program: None,
            listen: Vec::new(),
            args: Vec::new(),
            pulse: Pulse::default(),
            stderr: Stderr::default(),
            within: DEADLINE,
        }
    }

    /// Another binary than the one beside the running test.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// Adds a flag with its value.
    #[must_use]
    pub fn arg(mut self, flag: &str, value: impl Into<OsString>) -> Self {
        self.args.extend([flag.into(), value.into()]);
        self
    }

    /// Adds a flag that has no value.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.args.push(flag.into());
        self
    }

    /// Sets an environment variable of the guest.
    #[must_use]
    pub fn env(self, name: &str, value: &str) -> Self {
        self.arg("--env", format!("{name}={value}"))
    }

    /// Adds an address to listen on; without one it is `127.0.0.1:0`.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen.push(address.to_owned());
        self
    }

    /// Throws its log away.
    #[must_use]
    pub fn discard_log(mut self) -> Self {
        self.stderr = Stderr::Discarded;
        self
    }

    /// Beats this pulse with every line that it prints.
    #[must_use]
    pub fn pulse(mut self, pulse: &Pulse) -> Self {
        self.pulse = pulse.clone();
        self
    }

    /// Gives it longer to come up than other things have: a large component is
    /// compiled first.
    #[must_use]
    pub fn start_within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Starts it and waits until every address is bound.
    ///
    /// # Panics
    ///
    /// If it does not come up; tells what it printed.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Running {
        match self.try_start() {
            Ok(running) => running,
            Err(error) => panic!("the server did not start: {error:#}"),
        }
    }

    /// Starts it and waits until every address is bound.
    ///
    /// # Errors
    ///
    /// If it does not come up; tells what it printed.
    pub fn try_start(mut self) -> Result<Running> {
        if self.listen.is_empty() {
            self.listen.push("127.0.0.1:0".to_owned());
        }
        let wanted = self.listen.len();
        let process = Process::spawn_with(&mut self.command()?, self.pulse.clone(), self.stderr)?;
        let addresses = process.wait_lines(Output::Stdout, self.within, |lines| {
            let bound: Vec<_> = lines.iter().filter_map(|line| listening_on(line)).collect();
            (bound.len() >= wanted).then_some(bound)
        })?;
        Ok(Running { process, addresses })
    }

    /// Starts a host of a configuration file; see [`ConfiguredHost::start`] for
    /// what may stand in it.
    ///
    /// # Panics
    ///
    /// If it does not come up; tells what it printed.
    #[must_use]
    #[track_caller]
    pub fn configured(toml: &str) -> ConfiguredHost {
        match ConfiguredHost::start(toml) {
            Ok(host) => host,
            Err(error) => panic!("the server did not start: {error:#}"),
        }
    }

    /// The command that [`start`](Self::start) runs.
    ///
    /// # Errors
    ///
    /// If the guest or the host cannot be built.
    pub fn command(&self) -> Result<Command> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => workspace::host_binary()?,
        };
        let component = match &self.component {
            Component::Guest(name, features) => {
                let features: Vec<_> = features.iter().map(String::as_str).collect();
                guests::variant(name, &features)?
            }
            Component::File(path) => path.clone(),
        };
        let mut command = Command::new(program);
        command.arg("serve").arg(component).args(["--log-format", "json"]);
        for address in &self.listen {
            command.args(["--listen", address]);
        }
        command.args(&self.args);
        Ok(command)
    }
}

/// A server that is up. Dropping it kills it.
pub struct Running {
    process: Process,
    addresses: Vec<SocketAddr>,
}

/// How a server ended, and all that it logged.
#[derive(Debug)]
pub struct Exit {
    /// The exit code or signal.
    pub status: ExitStatus,
    /// The events of its log, in order.
    pub logs: Vec<LogLine>,
}

impl Running {
    /// A server that is up, and listens on these addresses.
    pub(crate) fn new(process: Process, addresses: Vec<SocketAddr>) -> Self {
        Self { process, addresses }
    }

    /// The first address it listens on.
    ///
    /// # Panics
    ///
    /// Never: a server without an address is not up.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        *self.addresses.first().expect("a running server has an address")
    }

    /// All addresses it listens on, in the order of their flags.
    #[must_use]
    pub fn addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A new connection to the first address.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    #[track_caller]
    pub fn connect(&self) -> Client {
        Client::connect(self.addr())
    }

    /// The process, for its id, its raw lines and its pulse.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The events logged so far.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        parse_logs(&self.process.lines(Output::Stderr))
    }

    /// The lines that guests have printed so far, of both streams.
    #[must_use]
    pub fn guest_lines(&self) -> Vec<String> {
        self.logs().into_iter().filter(LogLine::is_guest).map(|line| line.message).collect()
    }

    /// Waits for an event of the log.
    ///
    /// # Panics
    ///
    /// If it does not come; tells what was logged.
    #[track_caller]
    pub fn wait_log(&self, wanted: impl FnMut(&LogLine) -> bool) -> LogLine {
        match self.try_wait_log(wanted, DEADLINE) {
            Ok(line) => line,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Waits for an event of the log, for so long at most.
    ///
    /// # Errors
    ///
    /// If it does not come; tells what was logged.
    pub fn try_wait_log(
        &self,
        mut wanted: impl FnMut(&LogLine) -> bool,
        within: Duration,
    ) -> Result<LogLine> {
        let mut looked_at = 0;
        self.process.wait_lines(Output::Stderr, within, |lines| {
            let fresh = lines.iter().skip(looked_at);
            looked_at = lines.len();
            fresh.filter_map(|line| LogLine::parse(line)).find(&mut wanted)
        })
    }

    /// Waits for a line that a guest prints.
    ///
    /// # Panics
    ///
    /// If it does not come; tells what was logged.
    #[track_caller]
    pub fn wait_guest_line(&self, line: &str) {
        self.wait_log(|event| event.is_guest() && event.message == line);
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// If the server is gone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        if let Err(error) = self.process.signal(signal) {
            panic!("{error:#}\n{}", self.process.transcript());
        }
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    ///
    /// If it still runs when the time is over.
    #[track_caller]
    pub fn wait_exit(mut self, within: Duration) -> Exit {
        match self.process.wait_exit(within).context("the server did not end") {
            Ok(status) => Exit { status, logs: self.logs() },
            Err(error) => panic!("{error:#}"),
        }
    }
}

/// The address in `listening on http://127.0.0.1:41234/`.
#[must_use]
pub fn listening_on(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("listening on http://")?.trim_end_matches('/').parse().ok()
}

fn parse_logs(lines: &[String]) -> Vec<LogLine> {
    lines.iter().filter_map(|line| LogLine::parse(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::listening_on;

    #[test]
    fn the_line_that_tells_the_address() {
        let address = listening_on("listening on http://127.0.0.1:41234/").expect("an address");
        assert_eq!(address.port(), 41234);
        assert!(listening_on("listening on http://[::1]:80/").is_some_and(|address| address.is_ipv6()));
        assert!(listening_on("something else").is_none());
    }
}
