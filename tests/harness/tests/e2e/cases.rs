//! The scripted cases: all of them hold, and `docs/node-compat.md` says so.

use std::sync::OnceLock;

use innkeeper_harness::golden;
use innkeeper_harness::node_cases::{CASES, Outcome, Played, document, load, play_all};
use innkeeper_harness::workspace::root;

/// They take a while, so both tests look at one performance.
fn played() -> &'static [Played] {
    static PLAYED: OnceLock<Vec<Played>> = OnceLock::new();
    PLAYED.get_or_init(|| {
        let cases = load(&root().join(CASES)).expect("the cases can be read");
        play_all(cases, |_| ()).expect("the cases can be played")
    })
}

#[test]
fn all_cases_hold() {
    let failed: Vec<_> = played()
        .iter()
        .filter_map(|played| match &played.outcome {
            Outcome::Failed(why) => Some(format!("{}: {}\n{why}", played.case.id, played.case.title)),
            Outcome::Passed | Outcome::Skipped(_) => None,
        })
        .collect();
    assert!(failed.is_empty(), "{} cases failed\n\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn the_document_is_current() {
    golden::check(document::PATH, &document::render(played()));
}
