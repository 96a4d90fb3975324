//! A real host of a configuration file, with a folder of its own, and its
//! administration as bytes over a socket or through the command line.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::logs::LogLine;
use crate::message::{self, Message};
use crate::process::{Output, Process};
use crate::server::{Exit, Running, listening_on};
use crate::{DEADLINE, guests, workspace};

/// The configuration's name in its folder.
const FILE: &str = "innkeeper.toml";

/// What the host says of a configuration that it has read again.
const IN_EFFECT: &str = "configuration in effect";
const NOT_IN_EFFECT: &str = "nothing has changed";

/// A host of a configuration file. Dropping it kills it and removes its folder.
pub struct ConfiguredHost {
    /// The process and its addresses.
    pub running: Running,
    /// Where it is administered, as `innkeeper --admin` takes it.
    pub admin: String,
    /// The operator's token.
    pub token: String,
    /// Its folder: the configuration, the state and the socket.
    pub directory: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code, if it was no signal.
    pub code: Option<i32>,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl ConfiguredHost {
    /// Writes the configuration in a new folder, starts the host and waits
    /// until it can be reached and administered.
    ///
    /// `{guest:hello}` stands for the path of that component, `{dir}` for the
    /// folder; features of a test guest follow after `+`, as in
    /// `{guest:node-case+upgrade+connect}`. What is not in `toml` of these is
    /// added: `listen` on a free port, `state`, and `[admin]` on a Unix socket
    /// in the folder. The log is JSON.
    ///
    /// # Errors
    ///
    /// If it does not come up; tells what it printed.
    pub fn start(toml: &str) -> Result<Self> {
        Self::start_in(tempfile::tempdir().context("cannot make a folder")?, toml)
    }

    /// The same in a folder that is there already, as after a
    /// [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// If it does not come up; tells what it printed.
    pub fn start_in(directory: TempDir, toml: &str) -> Result<Self> {
        let path = directory.path().join(FILE);
        fs::write(&path, completed(toml, &directory)?).context("cannot write the configuration")?;
        let mut command = Command::new(workspace::host_binary()?);
        command.args(["serve", "--log-format", "json", "--config"]).arg(&path);
        let process = Process::spawn(&mut command)?;
        let (addresses, admin) = process.wait_lines(Output::Stdout, DEADLINE, |lines| {
            let admin = lines.iter().find_map(|line| line.strip_prefix("administration on "))?;
            Some((lines.iter().filter_map(|line| listening_on(line)).collect(), admin.to_owned()))
        })?;
        let token = fs::read_to_string(directory.path().join("state/admin-token"));
        let token = token.context("the host made no token in its state")?.trim().to_owned();
        Ok(Self { running: Running::new(process, addresses), admin, token, directory })
    }

    /// The configuration's path.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.directory.path().join(FILE)
    }

    /// Asks the administration as the operator: the status, and what was said.
    /// That is JSON, an array of the lines if they are JSON each, or a string.
    ///
    /// # Panics
    ///
    /// If no answer comes.
    #[track_caller]
    pub fn api(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> (u16, Value) {
        self.api_as(&self.token, method, path, body)
    }

    /// The same with another token.
    ///
    /// # Panics
    ///
    /// If no answer comes.
    #[track_caller]
    pub fn api_as(&self, token: &str, method: &str, path: &str, body: impl AsRef<[u8]>) -> (u16, Value) {
        match self.try_api(token, method, path, body.as_ref()) {
            Ok(message) => (message.status().unwrap_or_default(), value(&message)),
            Err(error) => panic!("{method} {path}: {error:#}\n{}", self.running.process().transcript()),
        }
    }

    /// The answer of the administration as it is.
    ///
    /// # Errors
    ///
    /// If no answer comes.
    pub fn try_api(&self, token: &str, method: &str, path: &str, body: &[u8]) -> Result<Message> {
        let kind = if body.starts_with(b"\0asm") { "application/wasm" } else { "application/json" };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let received = match (self.admin.strip_prefix("unix:"), self.admin.strip_prefix("http://")) {
            (Some(path), _) => {
                let stream = UnixStream::connect(path).with_context(|| format!("cannot reach {path}"))?;
                stream.set_read_timeout(Some(DEADLINE))?;
                exchange(stream, &request)?
            }
            (None, Some(address)) => {
                let stream =
                    TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
                stream.set_read_timeout(Some(DEADLINE))?;
                exchange(stream, &request)?
            }
            (None, None) => bail!("{} is no address of an administration", self.admin),
        };
        let response = message::response(&received, false, true).map_err(anyhow::Error::msg)?;
        Ok(response.context("the administration did not answer")?.0)
    }

    /// Runs the command line as the operator of this host, to its end.
    ///
    /// # Panics
    ///
    /// If it does not start, or does not end.
    #[track_caller]
    pub fn innkeeper(&self, args: &[&str]) -> Ran {
        Ran::of(self.command().args(args))
    }

    /// The same with another token.
    ///
    /// # Panics
    ///
    /// If it does not start, or does not end.
    #[track_caller]
    pub fn innkeeper_as(&self, token: &str, args: &[&str]) -> Ran {
        Ran::of(self.command().args(args).env("INNKEEPER_TOKEN", token))
    }

    /// The program, told by its environment which host it is for and with which
    /// token, and still without arguments.
    ///
    /// # Panics
    ///
    /// If the host cannot be built.
    #[must_use]
    #[track_caller]
    pub fn command(&self) -> Command {
        let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
        // The width of whose terminal this is must not show.
        command.env("COLUMNS", "100").env("INNKEEPER_ADMIN", &self.admin).env("INNKEEPER_TOKEN", &self.token);
        command.env_remove("INNKEEPER_TOKEN_FILE");
        command
    }

    /// Writes another configuration in the place of the one it was started
    /// with; see [`start`](Self::start) for what may stand in it.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    #[track_caller]
    pub fn rewrite(&self, toml: &str) {
        let text = completed(toml, &self.directory).expect("the guests can be built");
        fs::write(self.config(), text).expect("the configuration can be written");
    }

    /// Has the configuration read again, and waits for what the host says of
    /// it: that it is in effect, or that nothing has changed.
    ///
    /// # Panics
    ///
    /// If it says neither.
    #[track_caller]
    pub fn reload(&self) -> LogLine {
        let before = self.running.logs().iter().filter(|line| is_of_reload(line)).count();
        self.running.signal(Signal::HUP);
        let mut seen = 0;
        self.running.wait_log(|line| {
            seen += usize::from(is_of_reload(line));
            seen > before && is_of_reload(line)
        })
    }

    /// Whether a line of [`reload`](Self::reload) says that the configuration
    /// is in effect.
    #[must_use]
    pub fn is_in_effect(line: &LogLine) -> bool {
        line.message == IN_EFFECT
    }

    /// Ends the host with SIGTERM, and keeps its folder.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[track_caller]
    pub fn stop(self) -> (TempDir, Exit) {
        self.running.signal(Signal::TERM);
        (self.directory, self.running.wait_exit(DEADLINE))
    }

    /// Kills the host as it is, and keeps its folder.
    #[must_use]
    pub fn kill(self) -> TempDir {
        drop(self.running);
        self.directory
    }
}

impl Ran {
    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// If it does not start, or does not end.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let mut process = Process::spawn(command).expect("the command starts");
        let status = process.wait_exit(DEADLINE).expect("the command ends");
        let text = |output| process.lines(output).into_iter().map(|line| line + "\n").collect();
        Self { code: status.code(), stdout: text(Output::Stdout), stderr: text(Output::Stderr) }
    }
}

fn is_of_reload(line: &LogLine) -> bool {
    line.target == "reload" && (line.message == IN_EFFECT || line.message.ends_with(NOT_IN_EFFECT))
}

/// The configuration with what it does not say, and paths in the place of
/// names.
fn completed(toml: &str, directory: &TempDir) -> Result<String> {
    let said: BTreeSet<_> =
        toml.lines().map(|line| line.split(['=', ' ']).next().unwrap_or_default()).collect();
    let mut text = String::new();
    for (key, line) in [("listen", "listen = [\"127.0.0.1:0\"]\n"), ("state", "state = \"state\"\n")] {
        if !said.contains(key) {
            text.push_str(line);
        }
    }
    text.push_str(toml);
    if !said.contains("[admin]") {
        text.push_str("\n[admin]\nlisten = \"unix:{dir}/admin.sock\"\n");
    }
    let mut text = text.replace("{dir}", &directory.path().to_string_lossy());
    while let Some((before, rest)) = text.split_once("{guest:") {
        let (name, after) = rest.split_once('}').context("`{guest:` without `}`")?;
        let mut parts = name.split('+');
        let guest = parts.next().unwrap_or_default();
        let component = guests::variant(guest, &parts.collect::<Vec<_>>())?;
        text = format!("{before}{}{after}", component.display());
    }
    Ok(text)
}

/// Sends a request and reads to the end.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Result<Vec<u8>> {
    // Whoever refuses early does not read all of it, and still answers.
    let sent = stream.write_all(request);
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    if received.is_empty() {
        sent.context("cannot send the request")?;
        read.context("cannot read the answer")?;
    }
    Ok(received)
}

fn value(message: &Message) -> Value {
    let text = message.text();
    let lines = || text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    match message.header("content-type").unwrap_or_default() {
        "application/x-ndjson" => lines().map(Value::Array).unwrap_or(Value::String(text.clone())),
        _ => serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}
