//! From a project to its component, by the language's own tools.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::project::{Language, Project};
use super::tools::{self, Install, TARGET};

/// Folders of a JavaScript project in which its script leaves the component.
const OUTPUTS: [&str; 3] = ["", "dist", "build"];

/// How to build.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the component comes out.
    pub profile: Profile,
    /// Whether missing tools are installed.
    pub install: Install,
    /// The world of a Python project, if there are several.
    pub world: Option<String>,
}

/// How the component comes out. Only Rust knows a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// To be deployed: optimized.
    Release,
    /// To be tried: compiled quickly, with the lines of its sources.
    Debug,
}

/// Builds a project; returns the component's file.
///
/// # Errors
/// A tool that is missing or fails; a build that leaves no component, or
/// several.
pub fn build(project: &Project, options: &Options) -> Result<PathBuf> {
    match project.language {
        Language::Rust => rust(&project.folder, options),
        Language::Js => javascript(&project.folder, options),
        Language::Python => python(&project.folder, options),
    }
}

/// A line of what cargo tells in JSON.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

fn rust(folder: &Path, options: &Options) -> Result<PathBuf> {
    tools::rust_target(folder, options.install)?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--target", TARGET, "--message-format=json-render-diagnostics"]).current_dir(folder);
    match options.profile {
        Profile::Release => cargo.arg("--release"),
        // Enough for the lines of a backtrace, and much smaller than all.
        Profile::Debug => cargo.args(["--config", "profile.dev.debug=\"line-tables-only\""]),
    };
    let told = tools::captured(&mut cargo)?;
    let artifacts = String::from_utf8_lossy(&told)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        // Of a package below: the folder may be a workspace.
        .filter(|message| message.manifest_path.starts_with(folder))
        .flat_map(|message| message.filenames)
        .filter(|path| is_wasm(path))
        .collect();
    only(artifacts, "its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")
}

fn javascript(folder: &Path, options: &Options) -> Result<PathBuf> {
    tools::node_modules(folder, options.install)?;
    let begun = SystemTime::now();
    tools::run(Command::new("npm").args(["run", "build"]).current_dir(folder))?;
    let made = |path: &PathBuf| {
        let changed = fs::metadata(path).and_then(|file| file.modified());
        // Some file systems have whole seconds.
        changed.is_ok_and(|at| at >= begun || begun.duration_since(at).is_ok_and(|ago| ago.as_secs() < 2))
    };
    let components =
        OUTPUTS.iter().flat_map(|output| wasm_files(&folder.join(output))).filter(made).collect();
    only(components, "the script `build` of package.json has to leave it in the project's folder or in dist")
}

fn python(folder: &Path, options: &Options) -> Result<PathBuf> {
    let componentize = tools::venv(folder, "componentize-py", options.install)?;
    let world = match &options.world {
        Some(world) => world.clone(),
        None => world_of(&folder.join("wit"))?,
    };
    let component = folder.join("app.wasm");
    let mut command = Command::new(componentize);
    command.args(["--wit-path", "wit", "--world", &world, "componentize", "app", "--output"]);
    tools::run(command.arg(&component).current_dir(folder))?;
    Ok(component)
}

/// The world that the WIT of a folder has, its `deps` aside.
fn world_of(wit: &Path) -> Result<String> {
    let entries = fs::read_dir(wit).with_context(|| format!("cannot look at {}", wit.display()))?;
    let mut worlds = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension() == Some(OsStr::new("wit")) {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let named = text.lines().filter_map(|line| line.trim().strip_prefix("world "));
            worlds.extend(named.map(|rest| rest.trim_end_matches(['{', ' ']).to_owned()));
        }
    }
    match worlds.as_slice() {
        [world] => Ok(world.clone()),
        [] => bail!("{} has no world for the component to be of", wit.display()),
        _ => bail!("{} has several worlds: {}; name one with --world", wit.display(), worlds.join(", ")),
    }
}

fn is_wasm(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("wasm"))
}

fn wasm_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_wasm(path)).collect()
}

fn only(mut components: Vec<PathBuf>, remedy: &str) -> Result<PathBuf> {
    components.sort();
    match components.as_slice() {
        [component] => Ok(component.clone()),
        [] => bail!("the build left no component: {remedy}"),
        _ => {
            let named: Vec<_> = components.iter().map(|path| path.display().to_string()).collect();
            bail!("the build left several components: {}; name the folder of one", named.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_is_the_one_that_there_is() {
        let wit = tempfile::tempdir().expect("there is room");
        let write = |name: &str, text: &str| fs::write(wit.path().join(name), text).expect("there is room");
        write("a.wit", "package a:b;\n\nworld service {\n  include wasi:http/proxy@0.2.12;\n}\n");
        fs::create_dir(wit.path().join("deps")).expect("there is room");
        write("deps/x.wit", "world other {}\n");
        assert_eq!(world_of(wit.path()).ok().as_deref(), Some("service"));
        write("c.wit", "world second {}\n");
        let error = world_of(wit.path()).expect_err("there are two");
        assert!(error.to_string().contains("--world"), "{error}");
    }

    #[test]
    fn one_component_is_wanted() {
        assert!(only(vec![], "do this").expect_err("none").to_string().ends_with("do this"));
        assert!(only(vec!["a.wasm".into(), "b.wasm".into()], "").is_err());
        assert_eq!(only(vec!["a.wasm".into()], "").ok(), Some("a.wasm".into()));
    }
}
