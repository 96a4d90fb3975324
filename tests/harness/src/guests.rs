//! Builds the components that tests, `xtask` and benchmarks serve: every
//! example and every test guest, by one cargo call, once per process; and a
//! guest with some of its features, once per process too.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};
use parking_lot::Mutex;

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
        .get_or_init(|| names().and_then(|names| build(&names, &[])).map_err(|error| format!("{error:#}")))
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

/// The component of one example or test guest, with these of its features. An
/// export that a guest has only with a feature is one that a component lacks
/// without it.
///
/// # Errors
///
/// Those of [`component`], and if there is no such feature.
pub fn variant(name: &str, features: &[&str]) -> Result<PathBuf> {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    if features.is_empty() {
        return component(name).map(Path::to_owned);
    }
    let mut features = features.to_vec();
    features.sort_unstable();
    // Held while it is built: whoever wants the same one waits for it.
    let mut variants = BUILT.lock();
    let key = file_stem(name, &features);
    if let Some(path) = variants.get(&key) {
        return Ok(path.clone());
    }
    let mut built = build(&[name.to_owned()], &features)
        .with_context(|| format!("cannot build `{name}` with the features {}", features.join(", ")))?;
    let path = built.remove(name).with_context(|| format!("no guest is called `{name}`"))?;
    variants.insert(key, path.clone());
    Ok(path)
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

/// A component that the benchmarks give to `wasmtime serve`, by its package
/// name. Each is a workspace of its own, because nothing else needs their
/// dependencies.
///
/// # Errors
///
/// Those of [`all`].
pub fn wasi(name: &str) -> Result<PathBuf> {
    ensure_target()?;
    let manifest = workspace::root().join("tests/benches").join(name).join("Cargo.toml");
    let target_dir = target_dir();
    workspace::run(
        workspace::cargo()
            .args(["build", "--release", "--target", TARGET, "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target_dir),
    )?;
    Ok(target_dir.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_"))))
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

/// Builds these packages, and puts a copy of each component where no other
/// build of it, with other features, comes in its way.
fn build(names: &[String], features: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    ensure_target()?;
    let target_dir = target_dir();
    let components = target_dir.join("components");
    fs::create_dir_all(&components).with_context(|| format!("cannot make {}", components.display()))?;
    // From the build to the copy: another process may build the same package.
    let lock = components.join(".lock");
    let lock = File::create(&lock).with_context(|| format!("cannot make {}", lock.display()))?;
    lock.lock().context("cannot wait for another build of the guests")?;

    let mut build = workspace::cargo();
    build.args(["build", "--profile", "guest", "--target", TARGET, "--target-dir"]).arg(&target_dir);
    for name in names {
        build.args(["--package", name]);
    }
    if !features.is_empty() {
        build.args(["--features", &features.join(",")]);
    }
    workspace::run(&mut build)?;

    let folder = target_dir.join(TARGET).join("guest");
    let mut built = BTreeMap::new();
    for name in names {
        let made = folder.join(format!("{}.wasm", name.replace('-', "_")));
        if !made.is_file() {
            bail!("package `{name}` made no {}: is its crate-type `cdylib`?", made.display());
        }
        let path = components.join(format!("{}.wasm", file_stem(name, features)));
        copy(&made, &path).with_context(|| format!("cannot write {}", path.display()))?;
        built.insert(name.clone(), path);
    }
    Ok(built)
}

/// Copies a file that somebody may be reading: what is there is whole, the old
/// or the new one.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let made = fs::read(from)?;
    if fs::read(to).is_ok_and(|there| there == made) {
        return Ok(());
    }
    let fresh = to.with_extension("fresh");
    fs::write(&fresh, made)?;
    Ok(fs::rename(&fresh, to)?)
}

fn file_stem(name: &str, features: &[&str]) -> String {
    features.iter().fold(name.to_owned(), |stem, feature| format!("{stem}+{feature}"))
}

/// Guests have a target directory of their own, so that building them inside
/// a cargo command never waits for that command's lock.
fn target_dir() -> PathBuf {
    workspace::root().join("target/guests")
}
