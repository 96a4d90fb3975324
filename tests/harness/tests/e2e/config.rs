//! Configuration files: what `check --config` says of good ones and of bad
//! ones (`golden/config`), and that schema, reference and example are current.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::{DEADLINE, golden, guests, workspace};
use serde_json::Value;
use tempfile::TempDir;

const GOLDEN: &str = "tests/harness/golden/config";

/// Runs the binary in a folder to its end: the exit code, standard output,
/// standard error.
#[track_caller]
fn innkeeper(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    command.current_dir(folder).args(args);
    let mut process = Process::spawn(&mut command).expect("the host starts");
    let status = process.wait_exit(DEADLINE).expect("the host ends");
    let text = |output| process.lines(output).into_iter().map(|line| line + "\n").collect::<String>();
    (status.code(), text(Output::Stdout), text(Output::Stderr))
}

/// A folder with components, and a copy of a configuration beside them.
fn folder_with(config: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let hello = guests::component("hello").expect("the guests can be built");
    fs::copy(hello, folder.path().join("hello.wasm")).expect("the component can be copied");
    fs::write(folder.path().join("empty.wasm"), "(component)").expect("the folder can be written");
    fs::copy(config, folder.path().join(name(config))).expect("the configuration can be copied");
    folder
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a file has a name")
}

fn configs(kind: &str) -> Vec<PathBuf> {
    let folder = workspace::root().join(GOLDEN).join(kind);
    let entries = fs::read_dir(folder).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let mut configs: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    assert!(!configs.is_empty());
    configs.sort();
    configs
}

#[test]
fn good_files_fit() {
    for config in configs("ok") {
        let folder = folder_with(&config);
        let (code, out, err) = innkeeper(folder.path(), &["check", "--config", name(&config)]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{}", config.display());
        golden::check(&format!("{GOLDEN}/ok/{}", name(&config).replace(".toml", ".txt")), &out);
    }
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told() {
    for config in configs("err") {
        let folder = folder_with(&config);
        let (code, out, err) = innkeeper(folder.path(), &["check", "--config", name(&config)]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{}", config.display());
        golden::check(&format!("{GOLDEN}/err/{}", name(&config).replace(".toml", ".txt")), &err);
    }
}

#[test]
fn serve_tells_what_check_tells() {
    let config = workspace::root().join(GOLDEN).join("err/routes.toml");
    let folder = folder_with(&config);
    let (_, _, checked) = innkeeper(folder.path(), &["check", "--config", "routes.toml"]);
    let (code, out, err) = innkeeper(folder.path(), &["serve", "--config", "routes.toml"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    for problem in checked.lines().filter(|line| line.starts_with("routes.toml:")) {
        assert!(err.contains(problem), "{problem} is missing in {err}");
    }
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, _, err) = innkeeper(folder.path(), &["check", "--config", "no.toml"]);
    assert_eq!(code, Some(1));
    assert!(err.starts_with("no.toml: cannot be read: "), "{err}");
}

#[test]
fn flags_of_a_component_do_not_stand_beside_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    for flag in [
        &["x.wasm"][..],
        &["--env", "A=b"],
        &["--allow", "server-control"],
        &["--outbound", "https://a.example"],
        &["--nameserver", "10.0.0.53"],
        &["--keyvalue", "default"],
        &["--config-value", "a=b"],
        &["--name", "a"],
        &["--instances", "pooled"],
        &["--access-log", "off"],
        &["--cache", "off"],
        &["--head-timeout", "5s"],
        &["--reject-body-not-allowed"],
    ] {
        let args = [&["serve", "--config", "no.toml"], flag].concat();
        let (code, _, err) = innkeeper(folder.path(), &args);
        assert_eq!(code, Some(2), "{flag:?}: {err}");
        assert!(err.contains("cannot be used with"), "{flag:?}: {err}");
    }
    // These may, and so it is the file that is missing.
    let args =
        ["serve", "--config", "no.toml", "--listen", "127.0.0.1:0", "--log", "warn", "--log-format", "json"];
    let (code, _, err) = innkeeper(folder.path(), &args);
    assert_eq!(code, Some(1), "{err}");
}

#[test]
fn the_schema_is_current() {
    golden::check("docs/innkeeper.schema.json", &schema_text());
}

#[test]
fn the_reference_is_current() {
    let path = workspace::root().join("docs/configuration.md");
    let written = fs::read_to_string(path).expect("the reference is there");
    let (head, _) = written.split_once(MARK).expect("the reference has its mark");
    let schema: Value = serde_json::from_str(&schema_text()).expect("the schema is JSON");
    golden::check("docs/configuration.md", &format!("{head}{MARK}\n{}", reference(&schema)));
}

#[test]
fn the_example_fits() {
    let example = workspace::root().join("docs/innkeeper.example.toml");
    let folder = folder_with(&example);
    let (code, out, err) = innkeeper(folder.path(), &["check", "--config", "innkeeper.example.toml"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    // It shows every table.
    let text = fs::read_to_string(example).expect("the example is there");
    let schema: Value = serde_json::from_str(&schema_text()).expect("the schema is JSON");
    let keys = schema["properties"].as_object().expect("the schema has properties");
    for key in keys.keys().filter(|key| *key != "cache") {
        let shown = [format!("\n{key} = "), format!("[{key}]"), format!("[{key}."), format!("[[{key}]]")];
        assert!(shown.iter().any(|shown| text.contains(shown)), "the example does not show {key}");
    }
}

#[track_caller]
fn schema_text() -> String {
    let (code, out, err) = innkeeper(workspace::root(), &["schema"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    out
}

/// Above it the reference is written by hand, below it is made.
const MARK: &str = "<!-- What follows is made of the schema: UPDATE_GOLDEN=1 cargo test -p innkeeper-harness --test e2e config -->\n";

/// The tables in the order in which the reference has them: the heading, and
/// the definition in the schema.
const TABLES: &[(&str, &str)] = &[
    ("Top of the file", ""),
    ("`[limits]`", "Limits"),
    ("`[outbound]`", "Outbound"),
    ("`[keyvalue]`", "KeyValue"),
    ("`[admin]`", "Admin"),
    ("`[log]`", "Log"),
    ("`[telemetry]`", "Telemetry"),
    ("`[defaults.quotas]`", "Quotas"),
    ("`[tenant.NAME]`", "Tenant"),
    ("`[[app]]`", "App"),
    ("`app.routes`", "Route"),
    ("`app.secrets.NAME`, `app.config_secrets.NAME`, `keyvalue.password`", "SecretSource"),
    ("`app.outbound_tls`", "OutboundTls"),
    ("`[app.limits]`", "AppLimits"),
];

/// The schema as tables for people.
fn reference(schema: &Value) -> String {
    let definitions = schema["$defs"].as_object().expect("the schema has definitions");
    // `[defaults]` has one key, which has its own table.
    for name in definitions.keys().filter(|name| *name != "Defaults") {
        assert!(TABLES.iter().any(|(_, table)| table == name), "{name} is in no table of the reference");
    }
    let mut out = String::new();
    for (heading, name) in TABLES {
        let table = if name.is_empty() { schema } else { &definitions[*name] };
        let about = table["description"].as_str().unwrap_or_default();
        writeln!(out, "## {heading}\n\n{about}\n\n| key | meaning | type | default |\n|---|---|---|---|")
            .expect("a string takes it");
        for (key, property) in table["properties"].as_object().expect("a table has keys") {
            let meaning = property["description"].as_str().unwrap_or_default();
            assert!(!meaning.is_empty(), "{name}.{key} is not described");
            let (meaning, default) = match meaning.split_once(" Default: ") {
                Some((meaning, rest)) => match rest.split_once(". ") {
                    Some((default, rest)) => (format!("{meaning} {rest}"), default.to_owned()),
                    None => (meaning.to_owned(), rest.trim_end_matches('.').to_owned()),
                },
                None => (meaning.to_owned(), default_of(property)),
            };
            let meaning = meaning.replace('|', "\\|");
            writeln!(out, "| `{key}` | {meaning} | {} | {default} |", kind(property))
                .expect("a string takes it");
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn default_of(property: &Value) -> String {
    match &property["default"] {
        Value::Null => String::new(),
        value => format!("`{value}`"),
    }
}

/// What may be written for a key, in words.
fn kind(property: &Value) -> String {
    if let Some(title) = property["title"].as_str() {
        return title.replace('|', "\\|");
    }
    if let Some(values) = enumerated(property) {
        return values;
    }
    let kind = property["type"].as_array().and_then(|kinds| kinds.first()).unwrap_or(&property["type"]);
    match kind.as_str() {
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("string") => "text".to_owned(),
        Some("array") if property["items"]["type"] == "string" => "list of texts".to_owned(),
        Some("array") => "list of tables".to_owned(),
        Some("object") if property["additionalProperties"]["type"] == "string" => "table of texts".to_owned(),
        _ => "table".to_owned(),
    }
}

fn enumerated(property: &Value) -> Option<String> {
    let alternatives =
        property["anyOf"].as_array().map_or_else(|| vec![property], |all| all.iter().collect());
    let mut values = Vec::new();
    for alternative in alternatives {
        values.extend(
            alternative["enum"].as_array().into_iter().flatten().filter(|value| !value.is_null()).cloned(),
        );
        for one in alternative["oneOf"].as_array().into_iter().flatten() {
            values.extend(one["enum"].as_array().into_iter().flatten().cloned());
            values.extend(one.get("const").cloned());
        }
    }
    let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
    (!values.is_empty()).then(|| values.join(", "))
}
