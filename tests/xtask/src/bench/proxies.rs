//! Reverse proxies: the host with the example, nginx, and `wasmtime serve` with
//! the component of `tests/benches/wasi-proxy`; each in front of a server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::{Server, listening_on};
use innkeeper_harness::{DEADLINE, guests, workspace};
use rustix::process::Signal;

use super::Args;
use super::baselines::{Baseline, find_wasmtime, wasmtime_on};
use super::host::folder;

/// Which proxy, and how it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The host, with an instance for each request.
    Fresh,
    /// The host, with instances that serve several requests.
    Pooled,
    /// One worker.
    Nginx,
    /// A worker for each core.
    NginxOnAllCores,
    /// An instance for each request.
    Wasmtime,
    /// Instances that serve several requests.
    WasmtimePooled,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] =
        [Kind::Fresh, Kind::Nginx, Kind::NginxOnAllCores, Kind::Wasmtime, Kind::Pooled, Kind::WasmtimePooled];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Fresh => "the host, fresh instances",
            Kind::Pooled => "the host, pooled instances",
            Kind::Nginx => "nginx",
            Kind::NginxOnAllCores => "nginx, a worker for each core",
            Kind::Wasmtime => "wasmtime serve",
            Kind::WasmtimePooled => "wasmtime serve, instances reused",
        }
    }
}

/// What is needed to start them.
pub struct Programs {
    host: PathBuf,
    guest: PathBuf,
    nginx: Option<PathBuf>,
    wasmtime: Option<(PathBuf, PathBuf)>,
}

impl Programs {
    /// Looks for what is there, and builds the guests.
    ///
    /// # Errors
    /// If cargo fails.
    pub fn find(host: &Path, args: &Args) -> Result<Self> {
        let wasmtime = match find_wasmtime(args)? {
            Some(wasmtime) => Some((wasmtime, guests::wasi("wasi-proxy")?)),
            None => None,
        };
        // Debian's is where only root looks.
        let usual = Some(PathBuf::from("/usr/sbin/nginx")).filter(|path| path.is_file());
        let guest = guests::component("reverse-proxy")?.to_owned();
        Ok(Programs { host: host.to_owned(), guest, nginx: workspace::on_path("nginx").or(usual), wasmtime })
    }

    /// What this proxy lacks on this machine, if anything.
    pub fn missing(&self, kind: Kind) -> Option<&'static str> {
        match kind {
            Kind::Nginx | Kind::NginxOnAllCores if self.nginx.is_none() => Some("no `nginx` on PATH"),
            Kind::Wasmtime | Kind::WasmtimePooled if self.wasmtime.is_none() => {
                Some("no `wasmtime` on PATH; name one with --wasmtime PATH")
            }
            _ => None,
        }
    }

    /// Starts one in front of a server.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(&self, kind: Kind, upstream: SocketAddr) -> Result<Proxy> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        match kind {
            Kind::Fresh => self.start_host("per-request", upstream),
            Kind::Pooled => self.start_host("pooled", upstream),
            Kind::Nginx => self.start_nginx(1, upstream),
            Kind::NginxOnAllCores => self.start_nginx(cores, upstream),
            Kind::Wasmtime => self.start_wasmtime(1, upstream),
            Kind::WasmtimePooled => self.start_wasmtime(1000, upstream),
        }
    }

    fn start_host(&self, instances: &str, upstream: SocketAddr) -> Result<Proxy> {
        let server = Server::at(&self.guest)
            .program(&self.host)
            .listen("127.0.0.1:0")
            .env("UPSTREAM", &format!("http://{upstream}"))
            .arg("--outbound", format!("http://{upstream}"))
            .arg("--instances", instances)
            .arg("--access-log", "off");
        Proxy::of(Baseline::start(&mut server.command()?, Output::Stdout, listening_on)?)
    }

    fn start_wasmtime(&self, requests_per_instance: usize, upstream: SocketAddr) -> Result<Proxy> {
        let (wasmtime, component) = self.wasmtime.as_ref().context("no `wasmtime`")?;
        let mut command = Command::new(wasmtime);
        command
            .args(["serve", "--addr", "127.0.0.1:0", "-O", "pooling-allocator", "-S", "cli", "--env"])
            .arg(format!("UPSTREAM=http://{upstream}"))
            .args(["--max-instance-reuse-count", &requests_per_instance.to_string()])
            .arg(component);
        Proxy::of(Baseline::start(&mut command, Output::Stderr, wasmtime_on)?)
    }

    fn start_nginx(&self, workers: usize, upstream: SocketAddr) -> Result<Proxy> {
        let nginx = self.nginx.as_ref().context("no `nginx`")?;
        let folder = folder(&format!("nginx-{workers}"))?;
        let config = folder.join("nginx.conf");
        let address = free_address()?;
        fs::write(&config, nginx_config(workers, address, upstream))
            .with_context(|| format!("cannot write {}", config.display()))?;
        let mut command = Command::new(nginx);
        command.args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(&config);
        let process = Process::spawn(&mut command)?;
        // It has the address before it has workers.
        let workers = process.wait_lines(Output::Stderr, DEADLINE, |lines| {
            let begun = |line: &String| line.rsplit_once(": start worker process ")?.1.parse().ok();
            let begun: Vec<u32> = lines.iter().filter_map(begun).collect();
            (begun.len() == workers).then_some(begun)
        })?;
        Ok(Proxy { address, process, workers })
    }
}

/// It takes no port of the system's choice. Nobody else is likely to get this
/// one until it does.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot bind a port")?;
    listener.local_addr().context("cannot tell the port")
}

/// As one would have it in front of a server that is asked much: connections
/// are kept on both sides, and bodies are passed on as they come and never go
/// to a file. It adds the headers that the example adds.
fn nginx_config(workers: usize, address: SocketAddr, upstream: SocketAddr) -> String {
    // One socket for each, so that each gets its share of the connections.
    let listen = if workers > 1 { " reuseport" } else { "" };
    format!(
        r#"daemon off;
pid nginx.pid;
worker_processes {workers};
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    upstream behind {{
        server {upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address}{listen};
        location / {{
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host "{upstream}";
            proxy_set_header Via "1.1 nginx";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
        }}
    }}
}}
"#
    )
}

/// A proxy that is up. Dropping it ends it.
pub struct Proxy {
    /// Where it serves.
    pub address: SocketAddr,
    process: Process,
    workers: Vec<u32>,
}

impl Proxy {
    fn of(baseline: Baseline) -> Result<Self> {
        let workers = vec![baseline.process.id()];
        Ok(Proxy { address: baseline.address, process: baseline.process, workers })
    }

    /// The processes that do the work.
    pub fn workers(&self) -> &[u32] {
        &self.workers
    }
}

impl Drop for Proxy {
    /// Asked first: nginx takes its workers with it, and would leave them if it
    /// were killed.
    fn drop(&mut self) {
        if self.process.signal(Signal::TERM).is_ok() {
            let _ = self.process.wait_exit(DEADLINE);
        }
    }
}
