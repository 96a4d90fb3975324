//! A child process whose output is collected line by line, and which does not
//! outlive its owner.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

use crate::pulse::Pulse;
use crate::workspace::command_line;

/// A running child. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    stdout: Arc<Lines>,
    stderr: Arc<Lines>,
    pulse: Pulse,
}

#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    ended: Mutex<bool>,
}

/// One of a child's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// What becomes of a child's standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stderr {
    /// It is collected line by line.
    #[default]
    Collected,
    /// It goes to `/dev/null`; benchmarks do not want to pay for reading it.
    Discarded,
}

impl Process {
    /// Starts a command with both outputs collected and no input.
    ///
    /// `RUST_BACKTRACE` and `RUST_LOG` of the surroundings are kept from it:
    /// the one changes what is measured, the other what is logged.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        Self::spawn_with(command, Pulse::default(), Stderr::Collected)
    }

    /// The same, with a pulse that others beat too, and with a choice of what
    /// becomes of its standard error.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn_with(command: &mut Command, pulse: Pulse, stderr: Stderr) -> Result<Self> {
        let name = command_line(command);
        let mut child = command
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(match stderr {
                Stderr::Collected => Stdio::piped(),
                Stderr::Discarded => Stdio::null(),
            })
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        let stdout = collect(child.stdout.take(), &pulse);
        let stderr = collect(child.stderr.take(), &pulse);
        Ok(Self { name, child, stdout, stderr, pulse })
    }

    /// The child's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Beats with every line of output, and at its end.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// What was printed so far.
    #[must_use]
    pub fn lines(&self, output: Output) -> Vec<String> {
        self.output(output).lines.lock().clone()
    }

    /// Waits until `found` makes something of the lines of one output.
    ///
    /// # Errors
    ///
    /// If the time is over or the output has ended; tells what was printed.
    pub fn wait_lines<T>(
        &self,
        output: Output,
        within: Duration,
        mut found: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        let lines = self.output(output);
        let result = self.pulse.wait_for(within, || {
            // Asked first: what came before the end is still looked at.
            let ended = *lines.ended.lock();
            let found = found(&lines.lines.lock());
            (found.is_some() || ended).then_some(found)
        });
        match result.flatten() {
            Some(found) => Ok(found),
            None => bail!("did not print what was awaited on {output:?}\n{}", self.transcript()),
        }
    }

    /// Sends a signal.
    ///
    /// # Errors
    ///
    /// If the system refuses, as it does when the child is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot send {signal:?} to `{}`", self.name))
    }

    /// Waits until the child has closed both outputs and ended.
    ///
    /// # Errors
    ///
    /// If it still runs when the time is over.
    pub fn wait_exit(&mut self, within: Duration) -> Result<ExitStatus> {
        let ended = self
            .pulse
            .wait_for(within, || (*self.stdout.ended.lock() && *self.stderr.ended.lock()).then_some(()));
        if ended.is_none() {
            bail!("still runs after {within:?}\n{}", self.transcript());
        }
        self.child.wait().with_context(|| format!("cannot wait for `{}`", self.name))
    }

    /// The command and everything it printed, for error messages.
    #[must_use]
    pub fn transcript(&self) -> String {
        let mut text = format!("`{}` printed:", self.name);
        for (mark, lines) in [("out", &self.stdout), ("err", &self.stderr)] {
            for line in lines.lines.lock().iter() {
                text.push_str(&format!("\n  {mark}| {line}"));
            }
        }
        text
    }

    fn output(&self, output: Output) -> &Lines {
        match output {
            Output::Stdout => &self.stdout,
            Output::Stderr => &self.stderr,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if the child has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect<R: Read + Send + 'static>(pipe: Option<R>, pulse: &Pulse) -> Arc<Lines> {
    let lines = Arc::new(Lines::default());
    let Some(pipe) = pipe else {
        *lines.ended.lock() = true;
        return lines;
    };
    let (collected, pulse) = (lines.clone(), pulse.clone());
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            collected.lines.lock().push(text.trim_end_matches(['\r', '\n']).to_owned());
            line.clear();
            pulse.beat();
        }
        *collected.ended.lock() = true;
        pulse.beat();
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DEADLINE;

    #[test]
    fn lines_and_status_of_a_child() {
        // rustc is there whenever cargo is.
        let mut child = Process::spawn(Command::new("rustc").arg("--version")).expect("rustc starts");
        let version = child
            .wait_lines(Output::Stdout, DEADLINE, |lines| lines.first().cloned())
            .expect("rustc prints its version");
        assert!(version.starts_with("rustc "), "{version}");
        assert!(child.wait_exit(DEADLINE).expect("rustc ends").success());
    }

    #[test]
    fn the_end_of_the_output_ends_the_wait() {
        let child = Process::spawn(Command::new("rustc").arg("--version")).expect("rustc starts");
        let error = child.wait_lines(Output::Stdout, DEADLINE, |_| None::<()>).expect_err("nothing to find");
        assert!(error.to_string().contains("rustc "), "{error}");
    }
}
