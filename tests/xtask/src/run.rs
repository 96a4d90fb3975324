//! `cargo xtask run`: an example, served, from a fresh clone.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};
use innkeeper_harness::{guests, workspace};

const ADDRESS: &str = "127.0.0.1:8080";

/// Build everything and serve an example on 127.0.0.1:8080
#[derive(clap::Args)]
pub struct Args {
    /// Which example or test guest to serve
    #[arg(long, default_value = "hello", value_name = "NAME")]
    guest: String,
    /// Build the host with optimisations: slower to build, faster to run
    #[arg(long)]
    release: bool,
    /// Flags for `innkeeper serve`, after `--`
    #[arg(last = true, value_name = "HOST FLAGS")]
    host: Vec<OsString>,
}

/// Builds, and becomes the host: what then is typed, such as Ctrl-C, reaches
/// it and not this program.
pub fn run(args: &Args) -> Result<()> {
    let guest = guests::component(&args.guest)?;
    let host = workspace::build_host(&workspace::target_dir()?, args.release)?;
    let mut serve = Command::new(host);
    serve.arg("serve").arg(guest);
    if !args.host.iter().any(|flag| flag.to_string_lossy().starts_with("--listen")) {
        ensure_free()?;
        serve.args(["--listen", ADDRESS]);
    }
    serve.args(&args.host);
    println!("serving the guest `{}`; Ctrl-C stops it\n$ {}", args.guest, workspace::command_line(&serve));
    let error = serve.exec();
    Err(error).context("cannot start the host")
}

fn ensure_free() -> Result<()> {
    if let Err(error) = TcpListener::bind(ADDRESS) {
        bail!(
            "cannot listen on {ADDRESS} ({error}): stop what uses it, or choose another port with \
             `cargo xtask run -- --listen 127.0.0.1:0`"
        );
    }
    Ok(())
}
