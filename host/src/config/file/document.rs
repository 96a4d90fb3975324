//! A TOML file as far as it can be read: each value that has the wrong type
//! and each key that there is not is reported, left out, and the rest is read.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize as _;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::problems::{Problem, Report};
use super::raw::Raw;
use super::raw_limits;

/// How many values are left out before the rest is given up. Each costs
/// another reading, and more than this nobody reads at once.
const UNREAD_MAX: usize = 100;

/// Reads a file. Its values and their problems; no values if it is no TOML.
pub(super) fn read(text: &str) -> (Option<Raw>, Report) {
    let mut document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let mut report = Report::default();
            let line = error.span().map(|span| line_at(text, span.start));
            report.add_at(line, format!("no TOML: {}", one_line(error.message())));
            return (None, report);
        }
    };
    let mut lines = HashMap::new();
    note_lines(text, document.get_ref(), &mut String::new(), &mut lines);
    let mut report = Report::with_lines(lines);
    for _ in 0..UNREAD_MAX {
        let error = match Raw::deserialize(Deserializer::from(document.clone())) {
            Ok(raw) => return (Some(raw), report),
            Err(error) => error,
        };
        let place = error.span().and_then(|span| locate(document.get_ref(), &span));
        let Some(place) = place else {
            report.add_at(error.span().map(|span| line_at(text, span.start)), one_line(error.message()));
            return (None, report);
        };
        report.add_unread(&place.to_string(), reworded(&error, &place));
        let removed = remove(document.get_mut(), &place.0);
        if !removed {
            return (None, report);
        }
    }
    report.add_at(None, format!("more than {UNREAD_MAX} values cannot be read; mend these first"));
    (None, report)
}

/// A problem with the value of a key that was found after reading.
pub(super) fn problem(text: &str, key: &str, message: String) -> Problem {
    let mut lines = HashMap::new();
    if let Ok(document) = DeTable::parse(text) {
        note_lines(text, document.get_ref(), &mut String::new(), &mut lines);
    }
    Report::with_lines(lines).problem(key, message)
}

/// The way from the top of a document to a value.
#[derive(Debug, Clone, PartialEq)]
struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => out.write_str(key)?,
                Step::Key(key) => write!(out, ".{key}")?,
                Step::Index(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Notes the line of every key, and of every element of an array.
fn note_lines(text: &str, table: &DeTable<'_>, path: &mut String, lines: &mut HashMap<String, usize>) {
    for (key, value) in table {
        let end = path.len();
        if end > 0 {
            path.push('.');
        }
        path.push_str(key.get_ref());
        lines.insert(path.clone(), line_at(text, key.span().start));
        note_lines_in(text, value.get_ref(), path, lines);
        path.truncate(end);
    }
}

fn note_lines_in(text: &str, value: &DeValue<'_>, path: &mut String, lines: &mut HashMap<String, usize>) {
    match value {
        DeValue::Table(table) => note_lines(text, table, path, lines),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                let end = path.len();
                path.push_str(&format!("[{index}]"));
                lines.insert(path.clone(), line_at(text, element.span().start));
                note_lines_in(text, element.get_ref(), path, lines);
                path.truncate(end);
            }
        }
        _ => {}
    }
}

fn line_at(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    1 + memchr::memchr_iter(b'\n', before).count()
}

/// The innermost value whose key or text has this span. A table with a header
/// has that as its own span, so that all are looked at.
fn locate(table: &DeTable<'_>, span: &Range<usize>) -> Option<Place> {
    let mut search = Search { span, best: None };
    search.table(table, &mut Vec::new());
    search.best.map(|(_, place)| place)
}

struct Search<'a> {
    span: &'a Range<usize>,
    best: Option<(usize, Place)>,
}

impl Search<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &mut Vec<Step>) {
        for (key, value) in table {
            path.push(Step::Key(key.get_ref().clone().into_owned()));
            self.consider(key.span(), path);
            self.consider(value.span(), path);
            self.value(value.get_ref(), path);
            path.pop();
        }
    }

    fn value(&mut self, value: &DeValue<'_>, path: &mut Vec<Step>) {
        match value {
            DeValue::Table(table) => self.table(table, path),
            DeValue::Array(array) => {
                for (index, element) in array.iter().enumerate() {
                    path.push(Step::Index(index));
                    self.consider(element.span(), path);
                    self.value(element.get_ref(), path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn consider(&mut self, span: Range<usize>, path: &[Step]) {
        let is_around = span.start <= self.span.start && self.span.end <= span.end;
        let is_better = self.best.as_ref().is_none_or(|(length, _)| span.len() <= *length);
        if is_around && is_better {
            self.best = Some((span.len(), Place(path.to_vec())));
        }
    }
}

/// Takes a value out, with the array that it is an element of: the others
/// would get other numbers.
fn remove(table: &mut DeTable<'_>, place: &[Step]) -> bool {
    let Some(last) = place.iter().rposition(|step| matches!(step, Step::Key(_))) else { return false };
    let Some((Step::Key(key), way)) = place.get(..=last).and_then(|place| place.split_last()) else {
        return false;
    };
    let Some((Step::Key(first), rest)) = way.split_first() else {
        return table.remove(key.as_str()).is_some();
    };
    let mut value = table.get_mut(first.as_str());
    for step in rest {
        value = match (value.map(|value| value.get_mut()), step) {
            (Some(DeValue::Table(table)), Step::Key(key)) => table.get_mut(key.as_str()),
            (Some(DeValue::Array(array)), Step::Index(index)) => array.get_mut(*index),
            _ => None,
        };
    }
    match value.map(|value| value.get_mut()) {
        Some(DeValue::Table(table)) => table.remove(key.as_str()).is_some(),
        _ => false,
    }
}

/// What serde says, with the remedy.
fn reworded(error: &Error, place: &Place) -> String {
    let message = one_line(error.message());
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let unknown = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        return unknown_key(unknown, &known, place);
    }
    if message.starts_with("unknown variant") {
        let unknown = quoted.next().unwrap_or_default();
        let known: Vec<String> = quoted.map(|known| format!("{known:?}")).collect();
        return format!("{unknown:?} is none of the values {}", known.join(", "));
    }
    KINDS.iter().fold(message, |message, (kind, words)| message.replace(kind, words))
}

/// What serde calls the kinds of values, and what operators do.
const KINDS: &[(&str, &str)] = &[
    ("expected u32", "expected a whole number"),
    ("expected u64", "expected a whole number"),
    ("expected usize", "expected a whole number"),
    ("expected f64", "expected a number"),
    ("expected a boolean", "expected true or false"),
    ("expected a sequence", "expected a list in [ ]"),
    ("expected a map", "expected a table"),
    ("expected struct ", "expected a table: "),
    ("expected a string", "expected a text in quotes"),
    ("expected path string", "expected a path in quotes"),
];

fn unknown_key(unknown: &str, known: &[&str], place: &Place) -> String {
    let in_app_limits = matches!(place.0.as_slice(), [Step::Key(app), Step::Index(_), Step::Key(limits), _]
        if app == "app" && limits == "limits");
    if in_app_limits && raw_limits::is_of_the_host(unknown) {
        return "set it in [limits]; it is the host's, not an app's".to_owned();
    }
    let nearest = known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(unknown, known), known))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((likeness, nearest)) if likeness >= 0.6 => format!("there is no such key; is {nearest} meant?"),
        _ => format!("there is no such key; there are {}", known.join(", ")),
    }
}

fn one_line(message: &str) -> String {
    message.trim().replace('\n', "; ")
}
