//! Files that hold what is expected. `UPDATE_GOLDEN=1` writes them anew.

use std::path::Path;
use std::{env, fs};

use crate::workspace;

/// Compares a text with a file of the repository.
///
/// # Panics
///
/// If they differ, or the file cannot be read or written.
#[track_caller]
pub fn check(path: &str, actual: &str) {
    if let Err(difference) = compare(&workspace::root().join(path), actual) {
        panic!("{path} is not current: {difference}\nUPDATE_GOLDEN=1 writes it anew");
    }
}

fn compare(path: &Path, actual: &str) -> Result<(), String> {
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        return fs::write(path, actual).map_err(|error| error.to_string());
    }
    let expected = fs::read_to_string(path).map_err(|error| error.to_string())?;
    if expected == actual {
        return Ok(());
    }
    let lines = expected.lines().map(Some).chain(std::iter::repeat(None));
    let others = actual.lines().map(Some).chain(std::iter::repeat(None));
    // They differ, so there is such a line, or only the last newline differs.
    let longest = expected.lines().count().max(actual.lines().count());
    let first = lines.zip(others).take(longest).enumerate().find(|(_, (one, other))| one != other);
    Err(match first {
        Some((at, (one, other))) => {
            format!(
                "line {}\n  has    {}\n  wanted {}",
                at + 1,
                one.unwrap_or("(end)"),
                other.unwrap_or("(end)")
            )
        }
        None => "the end of the last line".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_told() {
        let path = workspace::root().join("tests/harness/Cargo.toml");
        let text = fs::read_to_string(&path).expect("the file is there");
        assert_eq!(compare(&path, &text), Ok(()));
        let difference = compare(&path, &text.replacen("name", "game", 1)).expect_err("they differ");
        assert!(difference.starts_with("line 2\n"), "{difference}");
    }
}
