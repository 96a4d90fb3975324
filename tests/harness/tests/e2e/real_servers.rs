//! nginx, Node and Redis, as tests have the host talk to them. They do not outlive
//! their owner.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use innkeeper_harness::DEADLINE;
use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::servers::{NGINX, NODE, Program, REDIS};
use innkeeper_harness::workspace;
use tempfile::TempDir;

use crate::requests::Addressed;

/// How often another port is tried. nginx takes none of the system's choice;
/// one that was free is hardly ever gone by the time that nginx asks for it.
const ATTEMPTS_MAX: usize = 5;

/// A server that others make.
pub struct RealServer {
    address: String,
    _process: Process,
    _folder: Option<TempDir>,
}

impl Addressed for RealServer {
    fn authority(&self) -> String {
        self.address.clone()
    }
}

/// The command of a program that has to be there.
#[track_caller]
fn command(program: Program) -> Command {
    let path = program.find().expect("the variable names a file");
    Command::new(path.unwrap_or_else(|| {
        panic!(
            "no {} on PATH: install it, or name its executable in {}, or leave these tests out with \
             `cargo xtask test --servers off`",
            program.name, program.variable
        )
    }))
}

/// Node, with the server of `real_server.js`.
#[track_caller]
pub fn node() -> RealServer {
    let script = workspace::root().join("tests/harness/tests/e2e/real_server.js");
    let process = Process::spawn(command(NODE).arg(script)).expect("Node starts");
    let address = process.wait_lines(Output::Stdout, DEADLINE, |lines| {
        lines.iter().find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned()))
    });
    RealServer { address: address.expect("Node tells its address"), _process: process, _folder: None }
}

/// nginx, which serves these files and has these lines in its `server` block.
#[track_caller]
pub fn nginx(files: &[(&str, &[u8])], lines: &str) -> RealServer {
    let mut last = None;
    for _ in 0..ATTEMPTS_MAX {
        match try_nginx(files, lines) {
            Ok(server) => return server,
            Err(error) => last = Some(error),
        }
    }
    panic!("nginx does not start: {last:?}");
}

#[track_caller]
fn try_nginx(files: &[(&str, &[u8])], lines: &str) -> anyhow::Result<RealServer> {
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("html"))?;
    for (name, bytes) in files {
        fs::write(folder.path().join("html").join(name), bytes)?;
    }
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    // One process, so that none is left when it is killed.
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr notice;\n\
         events {{}}\n\
         http {{\n\
         access_log off; default_type text/plain;\n\
         client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
         scgi_temp_path scgi; uwsgi_temp_path uwsgi;\n\
         server {{ listen {address}; root html; {lines} }}\n\
         }}\n"
    );
    let path = folder.path().join("nginx.conf");
    fs::write(&path, config)?;
    let process =
        Process::spawn(command(NGINX).args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(&path))?;
    // It has the address before it looks for events.
    process.wait_lines(Output::Stderr, DEADLINE, |lines| {
        lines.iter().any(|line| line.contains("event method")).then_some(())
    })?;
    Ok(RealServer { address, _process: process, _folder: Some(folder) })
}

/// A Redis that keeps nothing on the disk.
pub struct Redis {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Redis {
    /// One with these options of the command line.
    #[track_caller]
    pub fn start(options: &[&str]) -> Self {
        let mut last = None;
        for _ in 0..ATTEMPTS_MAX {
            match Self::try_start(free_port(), options) {
                Ok(redis) => return redis,
                Err(error) => last = Some(error),
            }
        }
        panic!("Redis does not start: {last:?}");
    }

    /// One at a port that another one had.
    #[track_caller]
    pub fn start_at(port: u16) -> Self {
        Self::try_start(port, &[]).expect("the port is free again")
    }

    fn try_start(port: u16, options: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = command(REDIS);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]);
        let process = Process::spawn(command.arg(folder.path()).args(options))?;
        process.wait_lines(Output::Stdout, DEADLINE, |lines| {
            lines.iter().any(|line| line.contains("eady to accept connections")).then_some(())
        })?;
        Ok(Redis { port, _process: process, _folder: folder })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, as a configuration has it.
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Has it do something, and reads the first line that it says.
    #[track_caller]
    pub fn tell(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("Redis accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket has a timeout");
        stream.write_all(format!("{command}\r\n").as_bytes()).expect("Redis reads");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("Redis answers");
        line.trim_end().to_owned()
    }
}

/// A port that was free just now.
#[track_caller]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
