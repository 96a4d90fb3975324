//! The history: who changed what. Each line is written in the transaction that
//! makes the change; the newest are kept.

use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};

use super::database::{Fault, HISTORY, decode, encode};
use super::records::now;
use super::{Event, HistoryRecord, StateError, Store};
use crate::config::Name;

/// Lines that are kept: months of a busy host, in a few megabytes.
const LINES_MAX: u64 = 10_000;

impl Store {
    /// The newest lines of the history that are wanted, the newest first.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn history(
        &self,
        wanted: impl Fn(&HistoryRecord) -> bool,
        limit: usize,
    ) -> Result<Vec<HistoryRecord>, StateError> {
        self.database.read(|transaction| {
            let table = transaction.open_table(HISTORY)?;
            let mut lines = Vec::new();
            for row in table.iter()?.rev() {
                if lines.len() >= limit {
                    break;
                }
                let line: HistoryRecord = decode("history", row?.1.value())?;
                if wanted(&line) {
                    lines.push(line);
                }
            }
            Ok(lines)
        })
    }
}

/// Whom a change was about.
pub(super) struct About<'a> {
    pub(super) app: Option<&'a Name>,
    pub(super) tenant: Option<&'a Name>,
}

/// Adds a line, and lets the oldest go.
pub(super) fn record(transaction: &WriteTransaction, about: About<'_>, event: Event) -> Result<(), Fault> {
    record_within(transaction, about, event, LINES_MAX)
}

fn record_within(
    transaction: &WriteTransaction,
    about: About<'_>,
    event: Event,
    lines_max: u64,
) -> Result<(), Fault> {
    let mut table = transaction.open_table(HISTORY)?;
    let sequence = table.last()?.map_or(1, |(last, _)| last.value().saturating_add(1));
    let line = HistoryRecord {
        sequence,
        at: now(),
        by: event.by,
        app: about.app.cloned(),
        tenant: about.tenant.cloned(),
        action: event.action,
        detail: event.detail,
    };
    table.insert(sequence, encode("history", &line)?.as_slice())?;
    while table.len()? > lines_max {
        table.pop_first()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Action;

    #[test]
    fn only_the_newest_lines_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(directory.path()).unwrap();
        for number in 1..=7 {
            let event = Event { action: Action::Configured, by: "me".to_owned(), detail: number.to_string() };
            store
                .database
                .write(|transaction| record_within(transaction, About { app: None, tenant: None }, event, 5))
                .unwrap();
        }
        let kept: Vec<_> = store
            .history(|_| true, 100)
            .unwrap()
            .into_iter()
            .map(|line| (line.sequence, line.detail))
            .collect();
        let expected = [7, 6, 5, 4, 3].map(|number: u64| (number, number.to_string()));
        assert_eq!(kept, expected);
    }
}
