//! Snippets in TOML: a configuration is checked by the host, and a manifest is
//! looked at for what it takes of the SDK.

use std::fs;
use std::path::Path;
use std::process::Command;

use innkeeper_harness::book::Snippet;
use innkeeper_harness::{guests, workspace};

use super::snippets;

/// What a snippet without an app is completed with: a host serves something.
const APP: &str = "\n[[app]]\nname = \"book\"\ncomponent = \"book.wasm\"\n";

#[test]
fn configurations_fit() {
    let mut checked = 0;
    for snippet in snippets("toml").iter().filter(|snippet| !is_manifest(snippet)) {
        let folder = tempfile::tempdir().expect("a folder");
        let text = if snippet.text.contains("[[app]]") {
            snippet.text.clone()
        } else {
            format!("{}{APP}", snippet.text)
        };
        let mut check = Command::new(workspace::host_binary().expect("the host can be built"));
        check.args(["check", "--config", "innkeeper.toml"]).current_dir(folder.path());
        let text = with_what_it_names(&text, folder.path(), &mut check);
        fs::write(folder.path().join("innkeeper.toml"), text).expect("the folder can be written");
        let ran = check.output().expect("the host starts");
        let said = [ran.stdout, ran.stderr].map(|output| String::from_utf8_lossy(&output).into_owned());
        assert!(ran.status.success(), "{snippet}: {}", said.concat());
        checked += 1;
    }
    assert!(checked > 0, "no page has a configuration");
}

#[test]
fn manifests_take_what_the_sdk_has() {
    let sdk = fs::read_to_string(workspace::root().join("guest-sdk/Cargo.toml")).expect("it is there");
    let sdk: toml::Table = sdk.parse().expect("it is a manifest");
    let version = env!("CARGO_PKG_VERSION");
    for snippet in snippets("toml").iter().filter(|snippet| is_manifest(snippet)) {
        let manifest: Result<toml::Table, _> = snippet.text.parse();
        let manifest = manifest.unwrap_or_else(|error| panic!("{snippet}: {error}"));
        let Some(taken) = manifest.get("dependencies").and_then(|all| all.get("innkeeper-guest")) else {
            continue;
        };
        let wanted = taken.as_str().or_else(|| taken.get("version").and_then(toml::Value::as_str));
        assert!(wanted.is_none_or(|wanted| version.starts_with(wanted)), "{snippet}: the SDK is {version}");
        let features = taken.get("features").and_then(toml::Value::as_array).into_iter().flatten();
        for feature in features.filter_map(toml::Value::as_str) {
            let has = sdk.get("features").is_some_and(|all| all.get(feature).is_some());
            assert!(has, "{snippet}: the SDK has no feature `{feature}`");
        }
    }
}

/// Whether it is of a `Cargo.toml`, and not of a configuration.
fn is_manifest(snippet: &Snippet) -> bool {
    ["[package]", "[dependencies]", "[lib]", "[profile"].iter().any(|table| snippet.text.contains(table))
}

/// Puts what a configuration names where it names it: components, files with
/// secrets, variables of the host. A path from the root is made one below the
/// folder.
fn with_what_it_names(text: &str, folder: &Path, check: &mut Command) -> String {
    let component = guests::component("hello").expect("the guests can be built");
    let text = text.replace("\"/", &format!("\"{}/", folder.display()));
    for (key, name) in text.lines().flat_map(named) {
        let path = folder.join(name);
        match key {
            "env" => {
                check.env(name, "0123456789abcdef0123456789abcdef");
                continue;
            }
            "component" => {
                fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
                fs::copy(component, &path).expect("the component can be copied");
            }
            _ => {
                fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
                fs::write(&path, "secret\n").expect("the folder can be written");
            }
        }
    }
    text
}

/// What a line names: the text behind `component =`, `file =` and `env =`.
fn named(line: &str) -> Vec<(&'static str, &str)> {
    let mut named = Vec::new();
    for key in ["component", "file", "env"] {
        for (at, found) in line.match_indices(key) {
            let rest = line.get(at + found.len()..).unwrap_or_default().trim_start();
            let value = rest.strip_prefix('=').map(str::trim_start).and_then(|rest| rest.strip_prefix('"'));
            named.extend(value.and_then(|value| Some((key, value.split_once('"')?.0))));
        }
    }
    named
}
