//! Plays the scripts of `tests/node-cases/` against the real binary.
//!
//! [`script`] is the format, [`support`] says what of it can be played, `play`
//! plays one case on the connections of `peer`, `judge` compares, [`document`]
//! writes `docs/node-compat.md`. Here: which cases, and several at once.

pub mod document;
mod judge;
mod peer;
mod play;
pub mod script;
pub mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use anyhow::{Context, Result};
use parking_lot::Mutex;

use self::script::{Case, CaseFile};

/// The file that is played unless another one is named.
pub const CASES: &str = "tests/node-cases/cases.json";

/// How many cases run at once: they mostly wait.
const AT_ONCE: usize = 4;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything held.
    Passed,
    /// Something did not hold: what, and what was seen.
    Failed(String),
    /// It needs something that this version does not have.
    Skipped(String),
}

/// A case and what became of it.
#[derive(Clone, Debug)]
pub struct Played {
    /// The case.
    pub case: Case,
    /// What became of it.
    pub outcome: Outcome,
}

/// Reads a file of cases.
///
/// # Errors
///
/// If it cannot be read, or is not of the format.
pub fn load(path: &Path) -> Result<Vec<Case>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: CaseFile =
        serde_json::from_str(&text).with_context(|| format!("{} is no file of cases", path.display()))?;
    Ok(file.cases)
}

/// Plays cases, several at once; `report` hears of each as it is over. The
/// result is in the order of the cases.
///
/// # Errors
///
/// If the host or the guest cannot be built.
pub fn play_all(cases: Vec<Case>, report: impl Fn(&Played) + Sync) -> Result<Vec<Played>> {
    let stage = play::Stage::build(cases.iter().filter(|case| support::missing(case).is_none()))?;
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(cases.len()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    let outcome = match support::missing(case) {
                        Some(reason) => Outcome::Skipped(reason),
                        None => stage.play(case),
                    };
                    let played = Played { case: case.clone(), outcome };
                    report(&played);
                    done.lock().push((index, played));
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, played)| played).collect())
}

/// How many cases passed, failed and were skipped.
#[must_use]
pub fn count(played: &[Played]) -> (usize, usize, usize) {
    let of = |wanted: fn(&Outcome) -> bool| played.iter().filter(|played| wanted(&played.outcome)).count();
    (
        of(|outcome| matches!(outcome, Outcome::Passed)),
        of(|outcome| matches!(outcome, Outcome::Failed(_))),
        of(|outcome| matches!(outcome, Outcome::Skipped(_))),
    )
}
