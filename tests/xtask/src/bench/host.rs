//! The host, started with a configuration file in a folder of its own, and
//! its administration, as far as measurements need it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use innkeeper_harness::process::{Output, Process, Stderr};
use innkeeper_harness::pulse::Pulse;
use innkeeper_harness::server::listening_on;
use innkeeper_harness::{DEADLINE, workspace};
use rustix::process::Signal;

/// Time for a deploy, which compiles on a busy machine.
const DEPLOY: Duration = Duration::from_secs(120);

/// A host that is up. Dropping it kills it.
pub struct Host {
    process: Process,
    /// Where it serves.
    pub address: SocketAddr,
    /// How long it took to come up.
    pub start: Duration,
    folder: PathBuf,
}

impl Host {
    /// Starts `program` with this configuration, which listens on one port of
    /// the system's choice; waits for it no longer than `within`. Its log goes
    /// to `/dev/null`.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(program: &Path, folder: &Path, config: &str, within: Duration) -> Result<Self> {
        let path = folder.join("innkeeper.toml");
        fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(&path);
        let since = Instant::now();
        let process = Process::spawn_with(&mut command, Pulse::default(), Stderr::Discarded)?;
        let address = process
            .wait_lines(Output::Stdout, within, |lines| lines.iter().find_map(|line| listening_on(line)))
            .with_context(|| format!("try `innkeeper check --config {}`", path.display()))?;
        Ok(Host { process, address, start: since.elapsed(), folder: folder.to_owned() })
    }

    /// Its resident memory in bytes.
    ///
    /// # Errors
    /// If it is gone.
    pub fn resident_bytes(&self) -> Result<f64> {
        resident_bytes(self.process.id())
    }

    /// Has it drain.
    ///
    /// # Errors
    /// If it is gone.
    pub fn drain(&self) -> Result<()> {
        self.process.signal(Signal::TERM)
    }

    /// Waits for the end of its drain; returns whether that was in order.
    ///
    /// # Errors
    /// If it does not end.
    pub fn ended(mut self) -> Result<bool> {
        Ok(self.process.wait_exit(Duration::from_secs(60))?.success())
    }

    /// Deploys a component of an app, and has it take over; returns the time
    /// from the first byte of the upload to the last word of the host. The
    /// configuration has the state directory `state` and an administration.
    ///
    /// # Errors
    /// What the host says if it does not deploy it.
    pub fn deploy(&self, app: &str, component: &[u8]) -> Result<Duration> {
        let prefix = "administration on http://";
        let admin: SocketAddr = self.process.wait_lines(Output::Stdout, DEADLINE, |lines| {
            lines.iter().find_map(|line| line.strip_prefix(prefix)?.parse().ok())
        })?;
        let token = self.folder.join("state/admin-token");
        let token = fs::read_to_string(&token).with_context(|| format!("cannot read {}", token.display()))?;
        let head = format!(
            "POST /v1/apps/{app}/versions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/wasm\r\nContent-Length: {}\r\n\r\n",
            token.trim(),
            component.len()
        );
        let since = Instant::now();
        let mut stream = TcpStream::connect(admin).context("cannot connect to the administration")?;
        stream.set_read_timeout(Some(DEPLOY))?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(component)?;
        let mut told = String::new();
        stream.read_to_string(&mut told).context("the administration did not answer")?;
        if !told.contains(r#""stage":"done""#) {
            bail!("not deployed:\n{told}");
        }
        Ok(since.elapsed())
    }
}

/// A folder for the files of a measurement, empty.
///
/// # Errors
/// What the system says about it.
pub fn folder(name: &str) -> Result<PathBuf> {
    let folder = workspace::target_dir()?.join("bench").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The resident memory of a process.
///
/// # Errors
/// If there is none of that id.
pub fn resident_bytes(process: u32) -> Result<f64> {
    status_bytes(process, "VmRSS:")
}

/// The most that it was since [`forget_peak`].
///
/// # Errors
/// If there is no process of that id.
pub fn peak_resident_bytes(process: u32) -> Result<f64> {
    status_bytes(process, "VmHWM:")
}

/// Has the system remember from now on how large the resident memory of a
/// process becomes (proc_pid_clear_refs(5)).
///
/// # Errors
/// If there is no process of that id, or it is somebody else's.
pub fn forget_peak(process: u32) -> Result<()> {
    let path = format!("/proc/{process}/clear_refs");
    fs::write(&path, "5").with_context(|| format!("cannot write {path}"))
}

fn status_bytes(process: u32, key: &str) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("{path} has no {key}"))?;
    Ok(kilobytes * 1024.0)
}
