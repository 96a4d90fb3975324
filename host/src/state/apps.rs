//! Apps and their versions. Every change is one transaction, its line of the
//! history included; a component that no version names any more is removed
//! after it.

use redb::{ReadableTable, Table, WriteTransaction};

use super::components::Pending;
use super::database::{APPS, Fault, NAMED, VERSIONS, decode, encode};
use super::history::{About, record};
use super::quotas::decode_name;
use super::records::now;
use super::{Action, AppRecord, Event, Serving, Sha256, StateError, Store, VersionRecord};
use crate::config::Name;

/// Versions of an app that are kept beside those that serve: enough to go back
/// far, few enough that daily deploys do not fill a disk.
const IDLE_VERSIONS_MAX: usize = 20;

impl Store {
    /// All apps, by name.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn apps(&self) -> Result<Vec<AppRecord>, StateError> {
        self.database.read(|transaction| {
            let table = transaction.open_table(APPS)?;
            table.iter()?.map(|row| decode("apps", row?.1.value())).collect()
        })
    }

    /// One app, if it is there.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn app(&self, name: &Name) -> Result<Option<AppRecord>, StateError> {
        self.database.read(|transaction| find_app(&transaction.open_table(APPS)?, name))
    }

    /// Makes an app or configures it, and returns it as it is then. Of one
    /// that is there, `spec` and `tenant` change and nothing else: what serves
    /// is for [`Store::set_serving`], so that neither undoes the other.
    ///
    /// # Errors
    ///
    /// If a new one names versions, or the database cannot be written.
    pub fn put_app(&self, app: &AppRecord, event: Event) -> Result<AppRecord, StateError> {
        self.database.write(|transaction| {
            let mut table = transaction.open_table(APPS)?;
            let stored = match find_app(&table, &app.name)? {
                Some(there) => AppRecord { spec: app.spec.clone(), tenant: app.tenant.clone(), ..there },
                None => AppRecord { next_number: app.next_number.max(1), ..app.clone() },
            };
            check_serving(transaction, &app.name, &stored.serving)?;
            insert_app(&mut table, &stored)?;
            record(transaction, about(&stored), event)?;
            Ok(stored)
        })
    }

    /// Deletes an app with its versions, and what only they needed.
    ///
    /// # Errors
    ///
    /// If it is not there, or the database cannot be written.
    pub fn delete_app(&self, name: &Name, event: Event) -> Result<(), StateError> {
        let pending = self.components.pending();
        let released = self.database.write(|transaction| {
            let mut table = transaction.open_table(APPS)?;
            let app = find_app(&table, name)?.ok_or_else(|| StateError::UnknownApp(name.clone()))?;
            table.remove(name.as_str())?;
            let versions = versions_in(&transaction.open_table(VERSIONS)?, name)?;
            versions.iter().try_for_each(|version| remove_version(transaction, name, version))?;
            record(transaction, about(&app), event)?;
            Ok(versions.into_iter().map(|version| version.sha256).collect::<Vec<_>>())
        })?;
        self.remove_unnamed(&pending, &released);
        Ok(())
    }

    /// Adds a version to an app. The oldest of those that do not serve go, if
    /// there are more than are kept.
    ///
    /// # Errors
    ///
    /// If the app or the component is not there, or the database cannot be
    /// written; the component is then still waiting for another try, or for
    /// [`Store::discard`].
    pub fn add_version(
        &self,
        app: &Name,
        sha256: Sha256,
        bytes: u64,
        by: &str,
        note: &str,
    ) -> Result<VersionRecord, StateError> {
        let mut pending = self.components.pending();
        self.check_component(&sha256, bytes)?;
        let (added, released) = self.database.write(|transaction| {
            let mut apps = transaction.open_table(APPS)?;
            let stored = find_app(&apps, app)?.ok_or_else(|| StateError::UnknownApp(app.clone()))?;
            let (by, note) = (by.to_owned(), note.to_owned());
            let added = VersionRecord { number: stored.next_number, sha256, bytes, created: now(), by, note };
            insert_version(transaction, app, &added)?;
            let stored = AppRecord { next_number: added.number.saturating_add(1), ..stored };
            insert_app(&mut apps, &stored)?;
            record(transaction, about(&stored), deployed(&added))?;
            Ok((added, prune(transaction, &stored)?))
        })?;
        pending.settle(&sha256);
        self.remove_unnamed(&pending, &released);
        Ok(added)
    }

    /// Lets go of an uploaded component that will not become a version.
    ///
    /// # Errors
    ///
    /// If the database cannot be read or the file not be removed.
    pub fn discard(&self, sha256: &Sha256) -> Result<(), StateError> {
        let mut pending = self.components.pending();
        pending.settle(sha256);
        self.remove_if_unnamed(&pending, sha256)
    }

    /// The versions of an app, the oldest first.
    ///
    /// # Errors
    ///
    /// If the database cannot be read.
    pub fn versions(&self, app: &Name) -> Result<Vec<VersionRecord>, StateError> {
        self.database.read(|transaction| versions_in(&transaction.open_table(VERSIONS)?, app))
    }

    /// Says which versions of an app serve.
    ///
    /// # Errors
    ///
    /// If the app or one of the versions is not there, or the database cannot
    /// be written.
    pub fn set_serving(&self, app: &Name, serving: Serving, event: Event) -> Result<(), StateError> {
        self.database.write(|transaction| {
            let mut table = transaction.open_table(APPS)?;
            let stored = find_app(&table, app)?.ok_or_else(|| StateError::UnknownApp(app.clone()))?;
            check_serving(transaction, app, &serving)?;
            let stored = AppRecord { serving, ..stored };
            insert_app(&mut table, &stored)?;
            record(transaction, about(&stored), event)
        })
    }

    /// All versions of all apps.
    pub(super) fn all_versions(&self) -> Result<Vec<(Name, VersionRecord)>, StateError> {
        self.database.read(|transaction| {
            let table = transaction.open_table(VERSIONS)?;
            table
                .iter()?
                .map(|row| {
                    let (key, stored) = row?;
                    Ok((decode_name("versions", key.value().0)?, decode("versions", stored.value())?))
                })
                .collect()
        })
    }

    fn check_component(&self, sha256: &Sha256, bytes: u64) -> Result<(), StateError> {
        let path = self.components.path(sha256);
        match self.components.size(sha256)? {
            Some(found) if found == bytes => Ok(()),
            Some(found) => Err(StateError::ComponentDamaged {
                path,
                detail: format!("it has {found} bytes, not {bytes}"),
            }),
            None => Err(StateError::ComponentMissing { path }),
        }
    }

    /// The change is made already: what cannot be removed now goes at the next
    /// start.
    fn remove_unnamed(&self, pending: &Pending, released: &[Sha256]) {
        for sha256 in released {
            if let Err(error) = self.remove_if_unnamed(pending, sha256) {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%sha256, error, "a component that nobody needs stays until the next start");
            }
        }
    }

    fn remove_if_unnamed(&self, pending: &Pending, sha256: &Sha256) -> Result<(), StateError> {
        if pending.has(sha256) || self.is_named(sha256)? {
            return Ok(());
        }
        self.components.remove(sha256)
    }

    fn is_named(&self, sha256: &Sha256) -> Result<bool, StateError> {
        self.database.read(|transaction| {
            let first =
                transaction.open_table(NAMED)?.range((sha256.as_bytes(), "", 0)..)?.next().transpose()?;
            Ok(first.is_some_and(|(key, _)| key.value().0 == sha256.as_bytes()))
        })
    }
}

fn find_app(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &Name,
) -> Result<Option<AppRecord>, Fault> {
    table.get(name.as_str())?.map(|stored| decode("apps", stored.value())).transpose()
}

fn insert_app(table: &mut Table<'_, &'static str, &'static [u8]>, app: &AppRecord) -> Result<(), Fault> {
    table.insert(app.name.as_str(), encode("apps", app)?.as_slice())?;
    Ok(())
}

fn versions_in(
    table: &impl ReadableTable<(&'static str, u64), &'static [u8]>,
    app: &Name,
) -> Result<Vec<VersionRecord>, Fault> {
    let rows = table.range((app.as_str(), 0)..=(app.as_str(), u64::MAX))?;
    rows.map(|row| decode("versions", row?.1.value())).collect()
}

fn insert_version(transaction: &WriteTransaction, app: &Name, version: &VersionRecord) -> Result<(), Fault> {
    let stored = encode("versions", version)?;
    transaction.open_table(VERSIONS)?.insert((app.as_str(), version.number), stored.as_slice())?;
    transaction.open_table(NAMED)?.insert((version.sha256.as_bytes(), app.as_str(), version.number), ())?;
    Ok(())
}

fn remove_version(transaction: &WriteTransaction, app: &Name, version: &VersionRecord) -> Result<(), Fault> {
    transaction.open_table(VERSIONS)?.remove((app.as_str(), version.number))?;
    transaction.open_table(NAMED)?.remove((version.sha256.as_bytes(), app.as_str(), version.number))?;
    Ok(())
}

/// Removes the oldest versions that do not serve beyond those that are kept,
/// and returns their components.
fn prune(transaction: &WriteTransaction, app: &AppRecord) -> Result<Vec<Sha256>, Fault> {
    let mut idle = versions_in(&transaction.open_table(VERSIONS)?, &app.name)?;
    idle.retain(|version| !app.serving.numbers().any(|number| number == version.number));
    idle.truncate(idle.len().saturating_sub(IDLE_VERSIONS_MAX));
    idle.iter().try_for_each(|version| remove_version(transaction, &app.name, version))?;
    Ok(idle.into_iter().map(|version| version.sha256).collect())
}

fn check_serving(transaction: &WriteTransaction, app: &Name, serving: &Serving) -> Result<(), Fault> {
    let table = transaction.open_table(VERSIONS)?;
    for number in serving.numbers() {
        if table.get((app.as_str(), number))?.is_none() {
            return Err(StateError::UnknownVersion { app: app.clone(), number }.into());
        }
    }
    Ok(())
}

fn deployed(version: &VersionRecord) -> Event {
    let VersionRecord { number, sha256, note, .. } = version;
    let detail = match note.as_str() {
        "" => format!("version {number}, {}", sha256.short()),
        note => format!("version {number}, {}: {note}", sha256.short()),
    };
    Event { action: Action::Deployed, by: version.by.clone(), detail }
}

fn about(app: &AppRecord) -> About<'_> {
    About { app: Some(&app.name), tenant: Some(&app.tenant) }
}
