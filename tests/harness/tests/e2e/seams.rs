//! Architectural rules that hold by absence: what a part of the host must not
//! name. Reads sources only; `ARCHITECTURE.md` says why each rule is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use innkeeper_harness::workspace::root;

/// A word, and the only places under `host/src` that may use it.
struct Seam {
    words: &'static [&'static str],
    only_in: &'static [&'static str],
}

const SEAMS: &[Seam] = &[
    Seam { words: &["wasmtime"], only_in: &["guest/"] },
    Seam { words: &["httparse"], only_in: &["outbound/http1/", "wire/"] },
    // The administration is no path of requests: it may use a server as it is.
    Seam { words: &["hyper"], only_in: &["wire/http2.rs", "outbound/", "admin/serve.rs"] },
    Seam { words: &["axum"], only_in: &["admin/"] },
    Seam { words: &["hickory_"], only_in: &["outbound/resolver.rs", "outbound/resolver/"] },
    Seam {
        words: &["rustls", "tokio_rustls"],
        only_in: &["outbound/connect/tests.rs", "outbound/stream", "outbound/tls"],
    },
    Seam { words: &["redb", "sha2::"], only_in: &["state/"] },
    Seam { words: &["redis::"], only_in: &["keyvalue/"] },
    // Keys and values are the guest's; what brings them to it is put together
    // where apps are loaded.
    Seam { words: &["crate::keyvalue"], only_in: &["app/", "guest/", "server.rs"] },
    // Doors open one way: `wire/` knows nobody but `config/`.
    Seam {
        words: &["crate::guest"],
        only_in: &[
            "guest/",
            "admin/logs.rs",
            "app/",
            "cli/",
            "error.rs",
            "event.rs",
            "handler.rs",
            "rewording.rs",
            "stay.rs",
        ],
    },
    // What goes out is the guest's; nothing that comes in knows of it.
    Seam { words: &["crate::outbound"], only_in: &["app/", "guest/", "outbound/", "server.rs"] },
    Seam {
        words: &["crate::telemetry"],
        only_in: &["app/", "cli/", "handler.rs", "server.rs", "server/", "stay.rs", "telemetry/"],
    },
    Seam {
        words: &["crate::error"],
        only_in: &["app/", "event.rs", "handler.rs", "rewording.rs", "stay.rs", "telemetry/mod.rs"],
    },
    Seam {
        words: &["crate::app"],
        only_in: &["admin/", "app/", "deploy/", "handler.rs", "server.rs", "server/", "stay.rs"],
    },
    Seam { words: &["crate::stay"], only_in: &["handler.rs", "rewording.rs"] },
    Seam { words: &["crate::event"], only_in: &["guest/call.rs", "handler.rs"] },
    Seam { words: &["crate::handler"], only_in: &["server.rs", "server/"] },
    Seam { words: &["crate::deploy"], only_in: &["admin/", "deploy/", "server.rs", "server/"] },
    Seam { words: &["crate::admin"], only_in: &["admin/", "cli/", "server.rs"] },
    // What serves a request does not wait for the disk: of the state it may
    // know what a hash is. A guest that keeps something waits for it, on a
    // thread that is made for that.
    Seam { words: &["crate::state"], only_in: &["admin/", "app/", "cli/", "deploy/", "keyvalue/", "state/"] },
    Seam { words: &["Store"], only_in: &["admin/", "deploy/", "guest/", "keyvalue/", "state/"] },
    // A task has one owner, which knows how it ends.
    Seam { words: &["tokio::spawn", ".spawn(", "spawn_blocking", "thread::spawn"], only_in: SPAWNING },
];

/// The files that own tasks or threads.
const SPAWNING: &[&str] = &[
    "admin/",
    "app/breaker/tests.rs",
    "app/change.rs",
    "cli/authoring/dev.rs",
    "cli/reload.rs",
    "deploy/",
    "guest/demotion.rs",
    "guest/demotion/tests.rs",
    "guest/engine.rs",
    "guest/wasi_http/worker.rs",
    "keyvalue/embedded.rs",
    "keyvalue/redis.rs",
    "keyvalue/tests.rs",
    "outbound/agents.rs",
    "outbound/http2/tasks.rs",
    "server/listeners.rs",
    "wire/listener.rs",
];

#[test]
fn words_stay_behind_their_seams() {
    let mut faults = Vec::new();
    for (path, text) in host_sources() {
        for (number, line) in code_lines(&text) {
            for seam in SEAMS {
                let allowed = seam.only_in.iter().any(|place| path.starts_with(place));
                if let Some(word) = seam.words.iter().find(|word| !allowed && names(line, word)) {
                    faults.push(format!(
                        "host/src/{path}:{number} names `{word}`, allowed only in {:?}",
                        seam.only_in
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_places_of_seams_exist() {
    // An allowance for a file that is gone would hide the next one of its name.
    let sources: Vec<_> = host_sources().into_iter().map(|(path, _)| path).collect();
    let gone: Vec<_> =
        SPAWNING.iter().filter(|place| !sources.iter().any(|path| path.starts_with(**place))).collect();
    assert!(gone.is_empty(), "no such file under host/src: {gone:?}");
}

#[test]
fn architecture_names_every_file_of_the_host() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let unnamed: Vec<_> = host_sources()
        .into_iter()
        .map(|(path, _)| format!("host/src/{path}"))
        .filter(|path| !is_test_file(path) && !text.contains(path.as_str()))
        .collect();
    assert!(unnamed.is_empty(), "ARCHITECTURE.md does not name\n{}", unnamed.join("\n"));
}

#[test]
fn architecture_names_no_file_that_is_gone() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let gone: BTreeSet<_> = paths_in(&text).into_iter().filter(|path| !root().join(path).exists()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names what does not exist: {gone:?}");
}

#[test]
fn security_names_only_tests_that_exist() {
    let text = fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md is there");
    let named: Vec<_> = text.split('`').filter(|word| is_test_name(word)).collect();
    assert!(!named.is_empty(), "SECURITY.md names no test");
    let gone: Vec<_> = named.into_iter().filter(|name| !is_test(name)).collect();
    assert!(gone.is_empty(), "SECURITY.md names what is no test: {gone:?}");
}

/// Whether this looks like `module::test`, and is not just that.
fn is_test_name(word: &str) -> bool {
    let is_path =
        word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "_:".contains(char));
    is_path && word.contains("::") && word != "module::test"
}

/// Whether there is such a test, named as `module::test`.
pub fn is_test(name: &str) -> bool {
    let Some((module, test)) = name.split_once("::") else { return false };
    let file = root().join(format!("tests/harness/tests/e2e/{module}.rs"));
    fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("#[test]\nfn {test}()")))
}

/// All sources of the host: the path under `host/src`, and the text.
fn host_sources() -> Vec<(String, String)> {
    let folder = root().join("host/src");
    let mut sources = Vec::new();
    collect(&folder, &folder, &mut sources);
    sources.sort();
    assert!(!sources.is_empty(), "host/src has no sources");
    sources
}

fn collect(folder: &Path, base: &Path, sources: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            collect(&path, base, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(base).expect("it is below").to_string_lossy().into_owned();
            sources.push((name, fs::read_to_string(&path).expect("a source is text")));
        }
    }
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The lines that are not comments: prose may name anything.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether a line names a word: `wasmtime_wasi` counts as `wasmtime`, but
/// `shyper` not as `hyper`.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !word.starts_with(char::is_alphabetic)
            || !before.is_some_and(|char| char.is_alphanumeric() || char == '_')
    })
}

/// What stands in backquotes or link targets and looks like a path of the
/// repository.
fn paths_in(text: &str) -> Vec<String> {
    const FOLDERS: &[&str] =
        &["host/", "guest-sdk/", "wit/", "examples/", "tests/", "docs/", ".ci/", ".cargo/"];
    text.split(['`', '(', ')', ' ', '\n', '<', '>', '|', '#'])
        .map(|piece| piece.trim_end_matches(['.', ',', ':', ';']))
        .filter(|piece| FOLDERS.iter().any(|folder| piece.starts_with(folder)))
        .filter(|piece| !piece.contains(['*', '{', '…']))
        .map(str::to_owned)
        .collect()
}

#[test]
fn words_are_told_from_parts_of_words() {
    assert!(names("use wasmtime_wasi::X;", "wasmtime"));
    assert!(names("tokio::spawn(x)", "tokio::spawn"));
    assert!(names("set.spawn(x)", ".spawn("));
    assert!(!names("let shyper = 1;", "hyper"));
    assert_eq!(
        paths_in("see `host/src/lib.rs`, [x](wit/types.wit#a) and host/src/*.rs"),
        ["host/src/lib.rs", "wit/types.wit"]
    );
}
