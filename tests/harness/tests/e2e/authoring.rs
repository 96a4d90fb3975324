//! `innkeeper new`, `build` and `dev`: a project is begun, built, served and
//! worked on. In Rust, whose tools are there; projects in other languages are
//! built where those are tested.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::listening_on;
use innkeeper_harness::wire::Client;
use innkeeper_harness::{DEADLINE, workspace};
use tempfile::TempDir;

use crate::support::get;

/// A first build compiles what the project depends on.
const BUILD: Duration = Duration::from_secs(180);

/// A project in Rust, in a folder of its own.
struct Project {
    _folder: TempDir,
    path: PathBuf,
}

/// `innkeeper dev`, which is up.
struct Dev {
    process: Process,
    address: SocketAddr,
}

fn innkeeper(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    // What projects depend on is the same for all of them, and compiled once.
    let target_dir = workspace::target_dir().expect("there is one").join("authoring");
    command.args(args).current_dir(folder).env("CARGO_TARGET_DIR", target_dir);
    command
}

/// Runs a command to its end: whether it succeeded, and all that it printed.
#[track_caller]
fn ran(command: &mut Command) -> (bool, String, String) {
    let mut process = Process::spawn(command).expect("the command starts");
    let status = process.wait_exit(BUILD).expect("the command ends");
    let text = |output| process.lines(output).join("\n");
    (status.success(), text(Output::Stdout), text(Output::Stderr))
}

#[track_caller]
fn begun(name: &str, template: &str) -> Project {
    let folder = tempfile::tempdir().expect("there is room");
    let (good, out, err) = ran(&mut innkeeper(folder.path(), &["new", name, "--template", template]));
    assert!(good && out.contains("innkeeper dev"), "{out}\n{err}");
    let path = folder.path().join(name);
    // The versions that are on this machine already.
    fs::copy(workspace::root().join("Cargo.lock"), path.join("Cargo.lock")).expect("there is room");
    Project { _folder: folder, path }
}

impl Project {
    /// Replaces a text in a source.
    #[track_caller]
    fn change(&self, from: &str, to: &str) {
        let source = self.path.join("src/lib.rs");
        let text = fs::read_to_string(&source).expect("the source is there");
        assert!(text.contains(from), "{text}");
        fs::write(source, text.replace(from, to)).expect("there is room");
    }

    #[track_caller]
    fn dev(&self) -> Dev {
        // A build on a busy machine takes longer than a connection is kept idle.
        let args = ["dev", "--listen", "127.0.0.1:0", "--keep-alive-timeout", "off"];
        let process = Process::spawn(&mut innkeeper(&self.path, &args)).expect("the host starts");
        let address = process
            .wait_lines(Output::Stdout, BUILD, |lines| lines.iter().find_map(|line| listening_on(line)))
            .expect("it is built and served");
        Dev { process, address }
    }
}

impl Dev {
    #[track_caller]
    fn wait(&self, text: &str) {
        let found = |lines: &[String]| lines.iter().any(|line| line.contains(text)).then_some(());
        self.process.wait_lines(Output::Stderr, BUILD, found).unwrap_or_else(|error| panic!("{error:#}"));
    }
}

#[test]
fn every_template_in_rust_is_tested_and_built() {
    for template in ["hello", "api", "websocket", "proxy"] {
        let project = begun(&format!("try-{template}"), template);
        let mut tests = workspace::cargo();
        let target_dir = workspace::target_dir().expect("there is one").join("authoring");
        tests.arg("test").current_dir(&project.path).env("CARGO_TARGET_DIR", target_dir);
        let (good, out, err) = ran(&mut tests);
        assert!(good && out.contains("test result: ok"), "{template}: {out}\n{err}");
        let (good, out, err) = ran(&mut innkeeper(&project.path, &["build", "--debug"]));
        assert!(good, "{template}: {err}");
        assert!(out.contains(&format!("try_{template}.wasm")), "{out}");
        assert!(out.contains("contract:  innkeeper:http/handler@0.1.0"), "{out}");
    }
}

#[test]
fn a_build_for_machines_is_a_line_of_json() {
    let project = begun("try-json", "hello");
    let (good, out, err) = ran(&mut innkeeper(&project.path, &["build", "--debug", "--json"]));
    assert!(good, "{err}");
    let told: serde_json::Value = serde_json::from_str(&out).expect("one line of JSON");
    assert_eq!(told["language"], "rust");
    let component = told["component"].as_str().expect("a path");
    assert_eq!(fs::metadata(component).ok().map(|file| file.len()), told["bytes"].as_u64());
}

#[test]
fn what_is_changed_is_served_on_the_same_connection() {
    let project = begun("try-change", "hello");
    let dev = project.dev();
    let mut client = Client::connect(dev.address);
    assert_eq!(client.ask(get("/")).text(), "Hello, world!\n");
    project.change("Hello, {name}", "Goodbye, {name}");
    dev.wait("the new one is served");
    assert_eq!(client.ask(get("/")).text(), "Goodbye, world!\n");
}

#[test]
fn a_package_beside_the_project_is_watched_too() {
    let project = begun("try-beside", "hello");
    let beside = project.path.with_file_name("words");
    fs::create_dir_all(beside.join("src")).expect("there is room");
    let manifest = "[package]\nname = \"words\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(beside.join("Cargo.toml"), manifest).expect("there is room");
    let words = |greeting: &str| {
        let source = format!("pub const GREETING: &str = \"{greeting}\";\n");
        fs::write(beside.join("src/lib.rs"), source).expect("there is room");
    };
    words("Hello");
    let own = fs::read_to_string(project.path.join("Cargo.toml")).expect("the manifest is there");
    let own = own.replace("[dependencies]", "[dependencies]\nwords = { path = \"../words\" }");
    fs::write(project.path.join("Cargo.toml"), own).expect("there is room");
    project.change("Hello, {name}", "{}, {name}");
    project.change("!\\n\"", "!\\n\", words::GREETING");
    let dev = project.dev();
    assert_eq!(Client::connect(dev.address).ask(get("/")).text(), "Hello, world!\n");
    words("Goodbye");
    dev.wait("the new one is served");
    assert_eq!(Client::connect(dev.address).ask(get("/")).text(), "Goodbye, world!\n");
}

#[test]
fn a_build_that_fails_leaves_what_is_served() {
    let project = begun("try-failure", "hello");
    let dev = project.dev();
    project.change("res.end(", "res.endd(");
    dev.wait("no method named `endd`");
    dev.wait("the one before is served on");
    let mut client = Client::connect(dev.address);
    assert_eq!(client.ask(get("/")).text(), "Hello, world!\n");
    project.change("res.endd(", "res.end(");
    dev.wait("the component is the same as before");
}

#[test]
fn a_project_that_does_not_build_yet_is_waited_for() {
    let project = begun("try-late", "hello");
    project.change("#[handler]", "#[handlr]");
    let mut command = innkeeper(&project.path, &["dev", "--listen", "127.0.0.1:0"]);
    let process = Process::spawn(&mut command).expect("the host starts");
    let waits =
        |lines: &[String]| lines.iter().any(|line| line.contains("waiting for a change")).then_some(());
    process.wait_lines(Output::Stderr, BUILD, waits).unwrap_or_else(|error| panic!("{error:#}"));
    project.change("#[handlr]", "#[handler]");
    let listens = |lines: &[String]| lines.iter().find_map(|line| listening_on(line));
    let address = process.wait_lines(Output::Stdout, BUILD, listens).expect("it is served");
    assert_eq!(Client::connect(address).ask(get("/Ada")).text(), "Hello, Ada!\n");
}

#[test]
fn a_trap_is_shown_with_its_lines_to_log_and_client() {
    let project = begun("try-trap", "hello");
    project.change("let name = match", "if url == \"/trap\" { fall(&[]); }\n    let name = match");
    let source = project.path.join("src/lib.rs");
    let text = fs::read_to_string(&source).expect("the source is there");
    let fall =
        "#[inline(never)]\nfn fall(list: &[u8]) {\n    println!(\"{}\", list[std::hint::black_box(7)]);\n}\n";
    fs::write(&source, format!("{text}\n{fall}")).expect("there is room");
    let dev = project.dev();
    let answer = Client::connect(dev.address).ask(get("/trap"));
    assert_eq!(answer.status(), Some(500));
    let told = answer.text();
    assert!(told.contains("fall (src/lib.rs:"), "{told}");
    dev.wait("fall (src/lib.rs:");
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().expect("there is room");
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).expect("there is room");
    for (args, told) in [
        (&["new", "taken"][..], "taken exists; take another name"),
        (&["new", "Bad.Name"], "a-z 0-9 - _"),
        (&["new", "x", "--lang", "js", "--template", "websocket"], "--lang rust"),
        (&["build", "taken"], "`innkeeper new NAME` makes one"),
        (&["dev", "taken"], "`innkeeper new NAME` makes one"),
        (&["build", "nowhere"], "cannot look at nowhere"),
    ] {
        let mut command = innkeeper(folder.path(), args);
        let mut process = Process::spawn(&mut command).expect("the host starts");
        let status = process.wait_exit(DEADLINE).expect("it ends");
        let err = process.lines(Output::Stderr).join("\n");
        assert!(!status.success() && err.contains(told), "{args:?}: {err}");
    }
}
