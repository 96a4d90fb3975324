//! Components that do not fit are refused when they are loaded, and told what
//! is missing; and tables, which no Rust guest grows by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use innkeeper_harness::process::{Output, Process};
use innkeeper_harness::server::Server;
use innkeeper_harness::{DEADLINE, guests, workspace};
use tempfile::TempDir;

use crate::support::get;

/// The component of a text, in a folder that lives as long as the first.
fn assemble(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("there is room for a folder");
    let path = folder.path().join("assembled.wasm");
    let bytes = wat::parse_str(text).expect("the text is a component");
    fs::write(&path, bytes).expect("there is room for a component");
    (folder, path)
}

/// Runs a subcommand that refuses the component; what it says.
#[track_caller]
fn refused(subcommand: &str, component: &Path, flags: &[&str]) -> String {
    let mut command = Command::new(workspace::host_binary().expect("the host can be built"));
    command.arg(subcommand).arg(component).args(flags);
    let mut process = Process::spawn(&mut command).expect("the host starts");
    let status = process.wait_exit(DEADLINE).expect("the host ends");
    assert_eq!(status.code(), Some(1), "{}", process.transcript());
    process.lines(Output::Stderr).join("\n")
}

#[test]
fn a_missing_export_is_named() {
    let (_folder, path) = assemble("(component)");
    for subcommand in ["check", "serve"] {
        let told = refused(subcommand, &path, &[]);
        assert!(told.contains("does not export innkeeper:http/handler@0.1.0"), "{told}");
        assert!(told.contains("assembled.wasm"), "{told}");
    }
}

#[test]
fn another_version_of_the_contract_is_named() {
    let (_folder, path) =
        assemble(r#"(component (instance $none) (export "innkeeper:http/handler@0.2.0" (instance $none)))"#);
    let told = refused("check", &path, &[]);
    assert!(told.contains("it exports innkeeper:http/handler@0.2.0"), "{told}");
}

#[test]
fn a_missing_import_is_named() {
    let import = r#"(import "other:things/shop@1.0.0" (instance (export "buy" (func))))"#;
    let (_folder, path) = assemble(&handler(import, ""));
    for subcommand in ["check", "serve"] {
        let told = refused(subcommand, &path, &[]);
        assert!(told.contains("other:things/shop@1.0.0"), "{told}");
    }
}

#[test]
fn a_core_module_is_told_from_a_component() {
    let (_folder, path) = assemble("(module)");
    let told = refused("serve", &path, &[]);
    assert!(told.contains("core WebAssembly module, not a component"), "{told}");
}

#[test]
fn an_assembled_handler_runs() {
    let (_folder, path) = assemble(&handler("", ""));
    let server = Server::at(path).start();
    // It does nothing, and so does not end its response.
    assert_eq!(server.connect().ask(get("/")).status(), Some(500));
    server.wait_log(|line| line.message.contains("without ending"));
}

#[test]
fn a_table_without_end() {
    // Gives up when its table cannot grow.
    let grow = "(loop $again
        (br_if $again (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1))))
        unreachable";
    let (_folder, path) = assemble(&handler("", grow));
    let server = Server::at(path).start();
    let mut client = server.connect();
    for _ in 0..2 {
        assert_eq!(client.ask(get("/")).status(), Some(500));
    }
    let line = server.wait_log(|line| line.message.starts_with("table_elements_max"));
    assert_eq!((line.level.as_str(), line.field("app").as_deref()), ("ERROR", Some("assembled")));
}

#[test]
fn tables_without_end() {
    // Two tables together: the limit is for all of an instance.
    let grow = "(drop (table.grow 0 (ref.null func) (i32.const 700)))
        (br_if 0 (i32.eq (table.grow 1 (ref.null func) (i32.const 200)) (i32.const -1)))
        (br_if 0 (i32.ne (table.grow 1 (ref.null func) (i32.const 200)) (i32.const -1)))
        unreachable";
    let (_folder, path) = assemble(&handler("", grow));
    let server = Server::at(path).arg("--table-elements-max", "1000").start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(500));
    server.wait_log(|line| line.message.starts_with("table_elements_max"));
}

#[test]
fn a_start_without_end() {
    let (_folder, path) = assemble(&handler("", ") (func $forever (loop br 0)) (start $forever"));
    let server = Server::at(path).arg("--cpu-time-max", "100ms").start();
    let mut client = server.connect();
    for _ in 0..2 {
        assert_eq!(client.ask(get("/")).status(), Some(500));
    }
    server.wait_log(|line| line.message.starts_with("cpu_time_max") && line.number("exchange") == Some(2));
}

#[test]
fn a_start_that_traps() {
    let (_folder, path) = assemble(&handler("", ") (func $trap unreachable) (start $trap"));
    let server = Server::at(path).start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(500));
    server.wait_log(|line| line.level == "ERROR" && line.message.contains("unreachable"));
}

#[test]
fn a_memory_that_is_too_large_from_the_start() {
    let hello = guests::component("hello").expect("the guests can be built");
    let told = refused("serve", hello, &["--memory-bytes-max", "64KiB"]);
    assert!(told.contains("memory"), "{told}");
}

#[test]
fn compiled_components_are_kept() {
    let folder = TempDir::new().expect("there is room for a folder");
    let server = Server::of("hello").arg("--cache", folder.path()).start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(200));
    assert!(fs::read_dir(folder.path()).expect("the folder is there").count() > 0);
    drop(server);
    let server = Server::of("hello").arg("--cache", folder.path()).start();
    assert_eq!(server.connect().ask(get("/")).status(), Some(200));
}

/// A handler that runs `body`, with further imports.
pub fn handler(imports: &str, body: &str) -> String {
    format!(
        r#"(component
            {imports}
            (import "innkeeper:http/types@0.1.0" (instance $types
                (export "incoming-message" (type (sub resource)))
                (export "server-response" (type (sub resource)))))
            (alias export $types "incoming-message" (type $request))
            (alias export $types "server-response" (type $response))
            (core module $other
                (table (export "table") 1 funcref))
            (core instance $other (instantiate $other))
            (core module $code
                (import "other" "table" (table 1 funcref))
                (table 1 funcref)
                (func (export "handle") (param i32 i32) {body}))
            (core instance $core (instantiate $code (with "other" (instance $other))))
            (func $handle (param "req" (own $request)) (param "res" (own $response))
                (canon lift (core func $core "handle")))
            (instance $handler (export "handle" (func $handle)))
            (export "innkeeper:http/handler@0.1.0" (instance $handler)))"#
    )
}
