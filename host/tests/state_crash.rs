//! A host that is killed at any moment leaves a state that starts. The child
//! is this test binary once more, which changes a state until it is killed.
//!
//! It stands apart from the other tests of the state: a process that has just
//! been forked has the locks of all that its parent had open.

use std::env;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use innkeeper::config::Name;
use innkeeper::state::{Action, AppRecord, CanaryRecord, Event, Serving, Sha256, Store};

/// Where the child has its state; without it, it is no child.
const DIRECTORY: &str = "INNKEEPER_TEST_STATE";

/// How often it is killed.
const KILLS: u64 = 50;

#[test]
fn a_state_survives_being_killed() {
    if let Some(directory) = env::var_os(DIRECTORY) {
        change_until_killed(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut newest = 0;
    for kill in 0..KILLS {
        run_and_kill(directory.path(), kill);
        let sequence = check(directory.path());
        assert!(sequence >= newest, "the history went back from {newest} to {sequence}");
        newest = sequence;
    }
    assert!(newest > KILLS, "only {newest} changes in {KILLS} runs");
}

/// Starts the child, and kills it some time after its first change.
fn run_and_kill(directory: &Path, kill: u64) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_state_survives_being_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("changing")), "the child ended");
    // Spread over the length of a few changes; it is the moment that matters,
    // so there is nothing to wait for.
    std::thread::sleep(Duration::from_micros(kill * 7919 % 40_000));
    child.kill().unwrap();
    const SIGKILL: i32 = 9;
    assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL), "the child ended before it was killed");
}

fn change_until_killed(directory: &Path) -> ! {
    let (store, _) = Store::open(directory).unwrap();
    let apps = ["a", "b"].map(|name| name.parse().unwrap());
    let first = store.history(|_| true, 1).unwrap().first().map_or(0, |line| line.sequence);
    println!("changing");
    for round in first.. {
        let app = &apps[(round % 2) as usize];
        change(&store, app, round);
    }
    unreachable!("there are always more changes")
}

fn change(store: &Store, name: &Name, round: u64) {
    let app = AppRecord {
        name: name.clone(),
        spec: None,
        tenant: name.clone(),
        serving: Serving::default(),
        next_number: 1,
    };
    store.put_app(&app, event(Action::Configured)).unwrap();
    // Some bytes come again, so that components are shared.
    let (sha256, bytes) = upload(store, format!("component {}", round % 30).repeat(5_000).as_bytes());
    let added = store.add_version(name, sha256, bytes, "child", "").unwrap();
    let before = store.app(name).unwrap().unwrap().serving;
    let canary =
        CanaryRecord { version: added.number, weight_percent: 5, error_rate_max: None, requests_min: 1 };
    let serving = Serving { canary: Some(canary), ..before.clone() };
    store.set_serving(name, serving, event(Action::Canary)).unwrap();
    let serving = Serving { current: Some(added.number), canary: None, previous: before.current };
    store.set_serving(name, serving, event(Action::Promoted)).unwrap();
    if round.is_multiple_of(11) {
        store.delete_app(name, event(Action::Deleted)).unwrap();
    }
    if round.is_multiple_of(7) {
        let (sha256, _) = upload(store, b"refused");
        store.discard(&sha256).unwrap();
    }
}

fn event(action: Action) -> Event {
    Event { action, by: "child".to_owned(), detail: String::new() }
}

fn upload(store: &Store, bytes: &[u8]) -> (Sha256, u64) {
    let mut upload = store.begin_upload().unwrap();
    bytes.chunks(10_000).for_each(|piece| upload.write(piece).unwrap());
    upload.finish().unwrap()
}

/// Opens the state, checks all that must hold, and returns the number of the
/// latest change.
fn check(directory: &Path) -> u64 {
    let (store, recovery) = Store::open(directory).unwrap();
    assert_eq!(recovery.damaged, []);
    for AppRecord { name, serving, next_number, .. } in store.apps().unwrap() {
        let versions = store.versions(&name).unwrap();
        for number in serving.numbers() {
            assert!(versions.iter().any(|version| version.number == number), "{name} has no {number}");
        }
        for version in versions {
            assert!(version.number < next_number);
            store.verify(&version.sha256).unwrap();
        }
    }
    store.history(|_| true, 1).unwrap().first().map_or(0, |line| line.sequence)
}
