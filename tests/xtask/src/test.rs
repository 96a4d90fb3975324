//! `cargo xtask test`: every check there is, one after another, as CI runs it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};
use innkeeper_harness::chromium::VARIABLE;
use innkeeper_harness::servers::{NGINX, NODE, REDIS};
use innkeeper_harness::workspace::{cargo, command_line};
use innkeeper_harness::{guests, languages, workspace};

use crate::chromium::chromium;
use crate::servers::{Servers, redis, servers};

/// Check and test everything, as CI does
#[derive(clap::Args)]
pub struct Args {
    /// Whether to run the test that drives Chromium, which is installed if
    /// there is none and that can be done
    #[arg(long, value_enum, default_value_t = Others::IfThere)]
    browser: Others,
    /// Whether to run the tests against nginx, Node and Redis; nginx and Redis
    /// are installed if there are none and that can be done
    #[arg(long, value_enum, default_value_t = Others::IfThere)]
    servers: Others,
    /// Whether to run the tests of components in JavaScript and Python, which
    /// are built with npm and pip
    #[arg(long, value_enum, default_value_t = Others::IfThere)]
    languages: Others,
}

/// Whether to run tests that need programs of others.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Others {
    /// If they are there or can be installed; otherwise say that they were not
    IfThere,
    /// Fail without them
    Required,
    /// Leave these tests out
    Off,
}

impl Others {
    /// What `find` finds; none if the tests are to be left out, `which` they
    /// are.
    fn find<T>(self, which: &str, find: fn() -> Result<T>) -> Result<Option<T>> {
        match self {
            Others::Off => Ok(None),
            Others::Required => find().map(Some),
            Others::IfThere => Ok(find().inspect_err(|error| println!("{which} left out: {error:#}\n")).ok()),
        }
    }
}

/// Programs of others that there are.
struct Found {
    browser: Option<PathBuf>,
    servers: Option<Servers>,
    languages: Option<()>,
    redis: Option<PathBuf>,
}

/// One check.
struct Step {
    name: &'static str,
    command: Command,
}

/// Runs the checks, and stops at the first that fails.
pub fn test(args: &Args) -> Result<()> {
    let begun = Instant::now();
    guests::ensure_target()?;
    let found = Found {
        browser: args.browser.find("the test in a browser is", chromium)?,
        servers: args.servers.find("the tests against nginx and Node are", servers)?,
        languages: args.languages.find("the tests of other languages are", languages::build_all)?,
        redis: args.servers.find("the tests against Redis are", redis)?,
    };
    for mut step in steps(&found)? {
        println!("── {}: {}", step.name, command_line(&step.command));
        let begun = Instant::now();
        if workspace::run(&mut step.command).is_err() {
            bail!("{} failed; this runs it again:\n  {}", step.name, command_line(&step.command));
        }
        println!("── {}: {:.1} s\n", step.name, begun.elapsed().as_secs_f32());
    }
    let left_out: Vec<_> = [
        ("that in a browser", found.browser.is_none()),
        ("those against nginx and Node", found.servers.is_none()),
        ("those against Redis", found.redis.is_none()),
        ("those of other languages", found.languages.is_none()),
    ]
    .into_iter()
    .filter_map(|(which, left_out)| left_out.then_some(which))
    .collect();
    let but = if left_out.is_empty() { String::new() } else { format!(" but {}", left_out.join(" and ")) };
    println!("all checks{but} passed in {:.0} s", begun.elapsed().as_secs_f32());
    Ok(())
}

fn steps(found: &Found) -> Result<Vec<Step>> {
    let host = workspace::target_dir()?.join("debug/innkeeper");
    let step = |name, command| Step { name, command };
    let mut steps = vec![
        step("format", task(&["fmt", "--all", "--check"])),
        step("guests", task(&["xtask", "guests"])),
        step("lints", task(&["clippy", "--all-targets", "--", "--deny", "warnings"])),
        step("lints of guests", clippy_guests()?),
        // All targets at once, so that the tests and the binary that they start
        // have the same features, and the sandbox is compiled once.
        step("build", task(&["build", "--all-targets"])),
        step("tests of handlers", handler_tests()?),
        step("tests", with(tests(found), "INNKEEPER_BIN", &host.to_string_lossy())),
        step(
            "documentation",
            with(
                task(&["doc", "--no-deps"]),
                "RUSTDOCFLAGS",
                "-D warnings -D rustdoc::broken_intra_doc_links",
            ),
        ),
    ];
    if has_cargo_deny() {
        steps.push(step("dependencies", task(&["deny", "check"])));
    } else {
        println!("cargo-deny is not installed: dependencies are not checked (`cargo install cargo-deny`)");
    }
    Ok(steps)
}

fn tests(found: &Found) -> Command {
    let mut command = task(&["test"]);
    let mut left_out = Vec::new();
    match &found.browser {
        Some(path) => command = with(command, VARIABLE, &path.to_string_lossy()),
        None => left_out.extend(["--skip", "browser::"]),
    }
    match &found.servers {
        Some(Servers { nginx, node }) => {
            command = with(command, NGINX.variable, &nginx.to_string_lossy());
            command = with(command, NODE.variable, &node.to_string_lossy());
        }
        None => left_out.extend(["--skip", "client_servers::"]),
    }
    if found.languages.is_none() {
        left_out.extend(["--skip", "languages::"]);
    }
    match &found.redis {
        Some(path) => command = with(command, REDIS.variable, &path.to_string_lossy()),
        None => left_out.extend(["--skip", "keyvalue_redis::"]),
    }
    if !left_out.is_empty() {
        command.arg("--").args(left_out);
    }
    command
}

/// Handlers called in process: the SDK with all that it can have, and the
/// examples that have tests of their own.
fn handler_tests() -> Result<Command> {
    let mut command = task(&["test", "--all-features", "--package", "innkeeper-guest"]);
    for name in guests::names()? {
        let source = workspace::root().join("examples").join(&name).join("src/lib.rs");
        if fs::read_to_string(source).is_ok_and(|text| text.contains("#[cfg(test)]")) {
            command.args(["--package", &name]);
        }
    }
    Ok(command)
}

/// Guests are linted as what they are: components, with all that they can
/// export.
fn clippy_guests() -> Result<Command> {
    let mut command =
        task(&["clippy", "--all-features", "--target", guests::TARGET, "--target-dir", "target/guests"]);
    for name in guests::names()? {
        command.args(["--package", &name]);
    }
    command.args(["--", "--deny", "warnings"]);
    Ok(command)
}

fn task(args: &[&str]) -> Command {
    let mut command = cargo();
    command.args(args);
    command
}

fn with(mut command: Command, name: &str, value: &str) -> Command {
    command.env(name, value);
    command
}

fn has_cargo_deny() -> bool {
    let mut probe = task(&["deny", "--version"]);
    probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
