//! `cargo xtask test`: every check there is, one after another, as CI runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};
use innkeeper_harness::chromium::VARIABLE;
use innkeeper_harness::workspace::{cargo, command_line};
use innkeeper_harness::{guests, workspace};

use crate::chromium::chromium;

/// Check and test everything, as CI does
#[derive(clap::Args)]
pub struct Args {
    /// Whether to run the test that drives Chromium, which is installed if
    /// there is none and that can be done
    #[arg(long, value_enum, default_value_t = Browser::IfThere)]
    browser: Browser,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Browser {
    /// If there is one or it can be installed; otherwise say that it was not
    IfThere,
    /// Fail without one
    Required,
    /// Leave it out
    Off,
}

impl Browser {
    /// The executable; none if the test is to be left out.
    fn find(self) -> Result<Option<PathBuf>> {
        match self {
            Browser::Off => Ok(None),
            Browser::Required => chromium().map(Some),
            Browser::IfThere => Ok(chromium()
                .inspect_err(|error| println!("the test in a browser is left out: {error:#}\n"))
                .ok()),
        }
    }
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
    let browser = args.browser.find()?;
    for mut step in steps(browser.as_deref())? {
        println!("── {}: {}", step.name, command_line(&step.command));
        let begun = Instant::now();
        if workspace::run(&mut step.command).is_err() {
            bail!("{} failed; this runs it again:\n  {}", step.name, command_line(&step.command));
        }
        println!("── {}: {:.1} s\n", step.name, begun.elapsed().as_secs_f32());
    }
    let but = if browser.is_none() { " but that in a browser" } else { "" };
    println!("all checks{but} passed in {:.0} s", begun.elapsed().as_secs_f32());
    Ok(())
}

fn steps(browser: Option<&Path>) -> Result<Vec<Step>> {
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
        step("tests", with(tests(browser), "INNKEEPER_BIN", &host.to_string_lossy())),
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

fn tests(browser: Option<&Path>) -> Command {
    match browser {
        Some(path) => with(task(&["test"]), VARIABLE, &path.to_string_lossy()),
        None => task(&["test", "--", "--skip", "browser::"]),
    }
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
