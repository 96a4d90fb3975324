//! The packages in Rust that a project is built of and whose sources are on
//! this machine, wherever they are: what an author of a workspace works on is
//! often beside the project's folder.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::tools::TARGET;

/// What `cargo metadata` tells, as far as it matters.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    /// Where it was downloaded from; none of one that is here.
    source: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

/// The folders of the packages that the one in `folder` depends on, itself
/// among them; none if cargo cannot tell, which the build says in its own words.
pub fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version", "1", "--filter-platform", TARGET]).current_dir(folder);
    let told = cargo.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let metadata = told.ok().and_then(|output| serde_json::from_slice(&output.stdout).ok());
    metadata.map_or_else(Vec::new, |metadata| of(&metadata, folder))
}

fn of(metadata: &Metadata, folder: &Path) -> Vec<PathBuf> {
    let here: HashMap<_, _> = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_none())
        .filter_map(|package| Some((package.id.as_str(), package.manifest_path.parent()?)))
        .collect();
    let needs: HashMap<_, _> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), &node.dependencies)).collect();
    // The folder may be that of a workspace.
    let mut next: Vec<_> =
        here.iter().filter(|(_, path)| path.starts_with(folder)).map(|(id, _)| *id).collect();
    let mut found = HashSet::new();
    while let Some(id) = next.pop() {
        if here.contains_key(id) && found.insert(id) {
            next.extend(needs.get(id).into_iter().flat_map(|ids| ids.iter().map(String::as_str)));
        }
    }
    found.into_iter().filter_map(|id| here.get(id).map(|path| path.to_path_buf())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn packages_that_are_here_and_needed_are_found() {
        let package = |name: &str, source: Option<&str>| {
            json!({
                "id": name, "source": source, "manifest_path": format!("/w/{name}/Cargo.toml"),
            })
        };
        let node = |name: &str, needs: &[&str]| json!({ "id": name, "dependencies": needs });
        let metadata = json!({
            "packages": [
                package("app", None),
                package("shared", None),
                package("below", None),
                package("other", None),
                package("serde", Some("registry")),
            ],
            "resolve": { "nodes": [
                node("app", &["shared", "serde"]),
                node("shared", &["below"]),
                node("below", &["shared"]),
                node("other", &["app"]),
                node("serde", &[]),
            ] },
        });
        let metadata = serde_json::from_value(metadata).expect("it is what cargo tells");
        let mut folders = of(&metadata, Path::new("/w/app"));
        folders.sort();
        assert_eq!(folders, ["/w/app", "/w/below", "/w/shared"].map(PathBuf::from));
    }

    #[test]
    fn without_a_package_there_is_none() {
        let folder = tempfile::tempdir().expect("there is room");
        assert!(folders(folder.path()).is_empty());
    }
}
