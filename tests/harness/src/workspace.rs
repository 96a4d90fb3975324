//! Where things are: the repository, cargo, and the host's binary.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};

/// The root of the repository.
#[must_use]
pub fn root() -> &'static Path {
    // tests/harness → tests → root; a source checkout always has both.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest)
}

/// A cargo command that runs in the root of the repository.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The executable of this name in the first folder of PATH that has one.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The `innkeeper` binary of the same profile as the running executable,
/// built once per process. `INNKEEPER_BIN` names another one and spares the
/// build; `cargo xtask test` sets it.
///
/// # Errors
///
/// If cargo fails, or `INNKEEPER_BIN` names no file.
pub fn host_binary() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT
        .get_or_init(|| find_host_binary().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow!(error))
}

/// Builds the `innkeeper` binary into `target_dir` and returns its path.
///
/// # Errors
///
/// If cargo cannot be started or fails.
pub fn build_host(target_dir: &Path, release: bool) -> Result<PathBuf> {
    let mut build = cargo();
    // No `--package`: with it the dependencies would have other features than
    // in `cargo test`, and the sandbox would be compiled twice.
    build.args(["build", "--bin", "innkeeper", "--target-dir"]).arg(target_dir);
    if release {
        build.arg("--release");
    }
    run(&mut build)?;
    let profile = if release { "release" } else { "debug" };
    Ok(target_dir.join(profile).join("innkeeper"))
}

/// Runs a command to its end; its output goes where ours goes.
///
/// # Errors
///
/// If it cannot be started, or ends with another code than 0.
pub fn run(command: &mut Command) -> Result<()> {
    let line = command_line(command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// A command as one would type it, with the variables it sets.
#[must_use]
pub fn command_line(command: &Command) -> String {
    let quote = |text: &std::ffi::OsStr| {
        let text = text.to_string_lossy();
        if text.is_empty() || text.contains([' ', '"', '$', '*']) {
            format!("'{text}'")
        } else {
            text.into_owned()
        }
    };
    let program = Path::new(command.get_program());
    let set =
        command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", quote(name), quote(value?))));
    set.chain([quote(program.file_name().unwrap_or(program.as_os_str()))])
        .chain(command.get_args().map(quote))
        .collect::<Vec<_>>()
        .join(" ")
}

fn find_host_binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("INNKEEPER_BIN") {
        let path = PathBuf::from(path);
        if !path.is_file() {
            bail!("INNKEEPER_BIN is {}, which is no file: build the host or unset it", path.display());
        }
        return Ok(path);
    }
    let (target_dir, release) = own_profile()?;
    build_host(&target_dir, release)
}

/// The target directory that the running executable was built in.
///
/// # Errors
///
/// If it is not in one.
pub fn target_dir() -> Result<PathBuf> {
    own_profile().map(|(target_dir, _)| target_dir)
}

/// The target directory and profile that the running executable was built in:
/// `<target>/<profile>/xtask` or `<target>/<profile>/deps/<test>`.
fn own_profile() -> Result<(PathBuf, bool)> {
    let exe = env::current_exe().context("cannot find the running executable")?;
    let profile = exe
        .ancestors()
        .skip(1)
        .find(|dir| !dir.ends_with("deps"))
        .with_context(|| format!("{} is not in a target directory", exe.display()))?;
    let target_dir =
        profile.parent().with_context(|| format!("{} is not in a target directory", exe.display()))?;
    Ok((target_dir.to_owned(), profile.ends_with("release")))
}
