//! What is wrong with a configuration: all of it, each with its place.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Everything that is wrong with a configuration; at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file; none for what came from elsewhere.
    pub file: Option<PathBuf>,
    /// What is wrong with it, in the order of its lines.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line of the file, from 1.
    pub line: Option<usize>,
    /// The key, `app[2].routes[0].host` for example; empty for the whole.
    pub key: String,
    /// What is wrong with its value, and what to do.
    pub message: String,
}

impl std::error::Error for Problems {}

/// One line for each problem.
impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { line, key, message }) in self.problems.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            if let Some(file) = &self.file {
                write!(out, "{}:", file.display())?;
                match line {
                    Some(line) => write!(out, "{line}: ")?,
                    None => out.write_str(" ")?,
                }
            }
            if !key.is_empty() {
                write!(out, "{key}: ")?;
            }
            out.write_str(message)?;
        }
        Ok(())
    }
}

/// Collects problems, and knows on which line each key is.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    lines: HashMap<String, usize>,
    /// Keys whose values could not be read at all: nothing is said of what
    /// would have been in them.
    unread: Vec<String>,
}

impl Report {
    /// For a file with its keys on these lines.
    pub(super) fn with_lines(lines: HashMap<String, usize>) -> Self {
        Report { lines, ..Report::default() }
    }

    /// Something is wrong with the value of this key, or it is missing.
    pub(super) fn add(&mut self, key: &str, message: impl Into<String>) {
        if !self.unread.iter().any(|unread| is_within(key, unread)) {
            self.problems.push(self.problem(key, message.into()));
        }
    }

    /// What `add` adds.
    pub(super) fn problem(&self, key: &str, message: String) -> Problem {
        Problem { line: self.line(key), key: key.to_owned(), message }
    }

    /// Whether something in the value of this key could not be read.
    pub(super) fn is_partly_unread(&self, key: &str) -> bool {
        self.unread.iter().any(|unread| is_within(unread, key))
    }

    /// The value of this key cannot be read.
    pub(super) fn add_unread(&mut self, key: &str, message: String) {
        self.add(key, message);
        self.unread.push(key.to_owned());
    }

    /// Something is wrong at a line, with no key there.
    pub(super) fn add_at(&mut self, line: Option<usize>, message: String) {
        self.problems.push(Problem { line, key: String::new(), message });
    }

    /// A value that may be wrong; none is one that was reported.
    pub(super) fn take<T, E: fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.add(key, error.to_string())).ok()
    }

    /// Where a key is, for a message about another one.
    pub(super) fn place(&self, key: &str) -> String {
        match self.line(key) {
            Some(line) => format!("{key} (line {line})"),
            None => key.to_owned(),
        }
    }

    /// The problems, if there are any.
    pub(super) fn into_result<T>(mut self, file: Option<&Path>, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => {
                self.problems.sort_by_key(|problem| problem.line);
                Err(Problems { file: file.map(Path::to_owned), problems: self.problems })
            }
        }
    }

    /// The line of a key, or of what it would stand in.
    fn line(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return Some(*line);
            }
            key = key.get(..key.rfind(['.', '['])?)?;
        }
    }
}

/// Whether a key is another one, or in its value.
fn is_within(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
