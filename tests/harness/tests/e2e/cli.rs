//! The command line: what `--help` says, what the small subcommands print, and
//! how mistakes are told.

use std::process::Command;

use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::{DEADLINE, golden, guests, workspace};

/// Runs the binary to its end: the exit code, standard output, standard error.
#[track_caller]
fn innkeeper(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    // The width of whose terminal this is must not show in the help.
    command.args(args).env("COLUMNS", "100");
    let mut process = Process::spawn(&mut command).expect("the host starts");
    let status = process.wait_exit(DEADLINE).expect("the host ends");
    let text = |output| process.lines(output).into_iter().map(|line| line + "\n").collect::<String>();
    (status.code(), text(Output::Stdout), text(Output::Stderr))
}

#[track_caller]
fn check_help(args: &[&str], golden: &str) {
    let (code, out, err) = innkeeper(args);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    golden::check(&format!("tests/harness/golden/{golden}.txt"), &out);
}

#[test]
fn help() {
    check_help(&["--help"], "help");
}

#[test]
fn help_of_serve() {
    check_help(&["serve", "--help"], "help-serve");
}

#[test]
fn help_of_new() {
    check_help(&["new", "--help"], "help-new");
}

#[test]
fn help_of_build() {
    check_help(&["build", "--help"], "help-build");
}

#[test]
fn help_of_dev() {
    check_help(&["dev", "--help"], "help-dev");
}

#[test]
fn help_of_inspect() {
    check_help(&["inspect", "--help"], "help-inspect");
}

#[test]
fn help_of_check() {
    check_help(&["check", "--help"], "help-check");
}

#[test]
fn help_of_schema() {
    check_help(&["schema", "--help"], "help-schema");
}

#[test]
fn help_of_completions() {
    check_help(&["completions", "--help"], "help-completions");
}

#[test]
fn completions_name_the_subcommands() {
    let (code, out, _) = innkeeper(&["completions", "bash"]);
    assert_eq!(code, Some(0));
    for name in ["serve", "inspect", "check", "--head-timeout"] {
        assert!(out.contains(name), "`{name}` is missing");
    }
}

#[test]
fn inspect_tells_contract_exports_and_imports() {
    let hello = guests::component("hello").expect("the guests can be built");
    let (code, out, err) = innkeeper(&["inspect", &hello.to_string_lossy()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("innkeeper:http/handler@0.1.0"), "{out}");
    assert!(out.contains("innkeeper:http/types@0.1.0"), "{out}");
    assert!(out.contains("wasi:io/"), "{out}");
}

#[test]
fn check_accepts_every_guest_but_what_needs_another_behind_it() {
    for (name, path) in guests::all().expect("the guests can be built") {
        let (code, out, err) = innkeeper(&["check", &path.to_string_lossy()]);
        let fits = !name.ends_with("-middleware");
        assert_eq!(code, Some(if fits { 0 } else { 1 }), "{name}: {out}{err}");
    }
}

#[test]
fn check_refuses_what_is_no_component() {
    let manifest = workspace::root().join("Cargo.toml");
    let (code, _, err) = innkeeper(&["check", &manifest.to_string_lossy()]);
    assert_eq!(code, Some(1));
    assert!(err.contains("Cargo.toml"), "the file is not named: {err}");
}

#[test]
fn a_component_that_is_not_there_is_named() {
    for subcommand in ["serve", "check", "inspect"] {
        let (code, _, err) = innkeeper(&[subcommand, "no/such/file.wasm"]);
        assert_eq!(code, Some(1), "{subcommand}");
        assert!(err.contains("no/such/file.wasm"), "{subcommand}: {err}");
    }
}

#[test]
fn a_value_that_cannot_be_is_told_with_its_flag() {
    let (code, _, err) = innkeeper(&["serve", "x.wasm", "--head-timeout", "soon"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("--head-timeout") && err.contains("soon"), "{err}");
}

#[test]
fn an_address_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound socket has an address").to_string();
    let hello = guests::component("hello").expect("the guests can be built");
    let (code, out, err) = innkeeper(&["serve", &hello.to_string_lossy(), "--listen", &address]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains(&address), "the address is not named: {err}");
}
