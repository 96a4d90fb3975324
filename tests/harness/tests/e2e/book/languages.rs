//! Snippets in JavaScript and Python are what their languages can read. They
//! need Node and Python, and are left out with the other tests of languages.

use std::path::Path;
use std::process::Command;

use innkeeper_harness::workspace;

use super::snippets;

#[test]
fn javascript_can_be_read() {
    // A module, as a handler is one.
    each_is_read("js", "handler.mjs", "node", &["--check"]);
}

#[test]
fn python_can_be_read() {
    each_is_read("python", "handler.py", "python3", &["-m", "py_compile"]);
}

/// Has `program` read each snippet of a language, from a file of this name.
fn each_is_read(language: &str, file: &str, program: &str, arguments: &[&str]) {
    let program = workspace::on_path(program).unwrap_or_else(|| {
        panic!("there is no `{program}`: install it, or leave this out by `--skip languages::`")
    });
    let snippets = snippets(language);
    assert!(!snippets.is_empty(), "no page has a snippet in {language}");
    for snippet in snippets {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(file), &snippet.text).expect("the folder can be written");
        let ran =
            Command::new(&program).args(arguments).arg(Path::new(file)).current_dir(folder.path()).output();
        let ran = ran.expect("it starts");
        assert!(ran.status.success(), "{snippet}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}
