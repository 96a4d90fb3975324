//! Builds the components that tests, `xtask` and benchmarks serve: every
//! example and every test guest, by one cargo call, once per process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};

use crate::workspace;

/// The target that guests are built for.
pub const TARGET: &str = "wasm32-wasip2";

/// All examples and test guests by package name, built on the first call.
///
/// # Errors
///
/// If the target is missing and cannot be added, or a guest does not compile.
pub fn all() -> Result<&'static BTreeMap<String, PathBuf>> {
    static BUILT: OnceLock<Result<BTreeMap<String, PathBuf>, String>> = OnceLock::new();
    BUILT
        .get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("cannot build the guests: {error}"))
}

/// The component of one example or test guest.
///
/// # Errors
///
/// Those of [`all`], and if there is no guest of that name.
pub fn component(name: &str) -> Result<&'static Path> {
    let guests = all()?;
    guests.get(name).map(PathBuf::as_path).with_context(|| {
        let names = guests.keys().cloned().collect::<Vec<_>>().join(", ");
        format!("no guest is called `{name}`; there are {names}")
    })
}

/// The names of all examples and test guests, from their folders, sorted.
///
/// # Errors
///
/// If the folders cannot be read.
pub fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in ["examples", "tests/guests"] {
        let folder = workspace::root().join(folder);
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            if entry.path().join("Cargo.toml").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// The component that the benchmarks give to `wasmtime serve`. It is a
/// workspace of its own, because nothing else needs its dependencies.
///
/// # Errors
///
/// Those of [`all`].
pub fn wasi_hello() -> Result<PathBuf> {
    ensure_target()?;
    let manifest = workspace::root().join("tests/benches/wasi-hello/Cargo.toml");
    let target_dir = target_dir();
    workspace::run(
        workspace::cargo()
            .args(["build", "--release", "--target", TARGET, "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target_dir),
    )?;
    Ok(target_dir.join(TARGET).join("release/wasi_hello.wasm"))
}

/// Sees to it that rustc can build for [`TARGET`].
///
/// # Errors
///
/// If it cannot, with what to do about it.
pub fn ensure_target() -> Result<()> {
    let remedy = format!("install the target by hand: `rustup target add {TARGET}`");
    let listed = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .current_dir(workspace::root())
        .output()
        .with_context(|| format!("rustup is not to be found (https://rustup.rs); {remedy}"))?;
    if String::from_utf8_lossy(&listed.stdout).lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    workspace::run(Command::new("rustup").args(["target", "add", TARGET]).current_dir(workspace::root()))
        .context(remedy)
}

fn build() -> Result<BTreeMap<String, PathBuf>> {
    ensure_target()?;
    let names = names()?;
    let target_dir = target_dir();
    let mut build = workspace::cargo();
    build.args(["build", "--profile", "guest", "--target", TARGET, "--target-dir"]).arg(&target_dir);
    for name in &names {
        build.args(["--package", name]);
    }
    workspace::run(&mut build)?;

    let folder = target_dir.join(TARGET).join("guest");
    let mut built = BTreeMap::new();
    for name in names {
        let path = folder.join(format!("{}.wasm", name.replace('-', "_")));
        if !path.is_file() {
            bail!("package `{name}` made no {}: is its crate-type `cdylib`?", path.display());
        }
        built.insert(name, path);
    }
    Ok(built)
}

/// Guests have a target directory of their own, so that building them inside
/// a cargo command never waits for that command's lock.
fn target_dir() -> PathBuf {
    workspace::root().join("target/guests")
}
