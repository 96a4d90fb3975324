//! How what is served changes: every version that is wanted is loaded first,
//! beside what serves; then all of it is switched at once. What did not change
//! keeps its instances. What fails changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::app::loading::Loader;
use crate::app::routes::RouteTable;
use crate::app::served::{App, Origin, Source, Wanted};
use crate::app::version::{Canary, Serving, Version};
use crate::app::{Apps, Terms};
use crate::config::{AppSettings, Name, RouteConfig};

/// What is to be served from now on.
#[derive(Default)]
pub struct Change {
    /// Apps that are to be so.
    pub apps: Vec<Wanted>,
    /// Whether all others are to go.
    pub only: bool,
    /// Apps that are to go.
    pub remove: Vec<Name>,
    /// What tenants may use; none leaves that.
    pub terms: Option<Terms>,
    /// Whether this is a start, or the whole configuration anew: then a version
    /// that was deployed before and cannot be loaded is left out, and one that
    /// does not start is served as it is, instead of failing everything.
    pub lenient: bool,
}

/// What a change came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Apps that are new.
    pub added: Vec<Name>,
    /// Apps with another version or other settings.
    pub changed: Vec<Name>,
    /// Apps that are as they were.
    pub kept: usize,
    /// Apps that are gone.
    pub removed: Vec<Name>,
}

/// Why a change was not made: all the reasons.
#[derive(Debug)]
pub struct Failures(pub Vec<String>);

/// An app with what it will serve.
struct Built {
    app: Arc<App>,
    wanted: Wanted,
    serving: Serving,
    is_new: bool,
    is_changed: bool,
}

/// Versions that are wanted, each loaded once, and what became of them.
struct Loading<'a> {
    loader: &'a Loader,
    lenient: bool,
    failures: Mutex<Vec<String>>,
}

impl Apps {
    /// Makes a change; changes come one after another. Compiles on threads of
    /// its own, and starts each new version once. Dropping the future changes
    /// nothing, or everything.
    ///
    /// # Errors
    /// Everything that is wrong with it; then nothing has changed.
    pub async fn change(self: &Arc<Self>, change: Change) -> Result<Outcome, Failures> {
        self.change_after(change, || Ok::<_, Failures>(())).await
    }

    /// The same, but when all is loaded and before it serves `record` writes it
    /// down, which may block; if that fails, nothing changes.
    ///
    /// # Errors
    /// Those of [`Apps::change`], and that of `record`.
    pub async fn change_after<E: From<Failures> + Send + 'static>(
        self: &Arc<Self>,
        change: Change,
        record: impl FnOnce() -> Result<(), E> + Send + 'static,
    ) -> Result<Outcome, E> {
        let one_at_a_time = self.changing.clone().lock_owned().await;
        let (change, built) = match self.prepare(change).await {
            Ok(prepared) => prepared,
            Err(failures) => {
                // Tenants may have begun with it.
                self.settle_tenants(&mut self.book.lock());
                return Err(failures.into());
            }
        };
        // Whoever gives this up midway finds it done or undone, and whoever
        // comes next finds it over.
        let apps = self.clone();
        let switching = tokio::task::spawn_blocking(move || {
            let switched = apps.switch(change, built, record);
            drop(one_at_a_time);
            switched
        });
        switching.await.map_err(broke_off)?
    }

    /// Loads and starts what is new.
    async fn prepare(self: &Arc<Self>, change: Change) -> Result<(Change, Vec<Built>), Failures> {
        let apps = self.clone();
        let building = tokio::task::spawn_blocking(move || {
            let built = apps.build(&change)?;
            Ok((change, built))
        });
        let (change, built) = building.await.map_err(broke_off)??;
        self.start_once(&built, change.lenient).await?;
        Ok((change, built))
    }

    /// Loads a version of an app and starts it, without having it serve. Whoever
    /// has it serve soon after finds it compiled.
    ///
    /// # Errors
    /// Why it cannot be served.
    pub async fn try_out(
        self: &Arc<Self>,
        app: &Arc<App>,
        settings: &AppSettings,
        source: Source,
    ) -> Result<(), Failures> {
        let (apps, app, settings) = (self.clone(), app.clone(), Arc::new(settings.clone()));
        let loading = tokio::task::spawn_blocking(move || {
            let read = apps.loader.read(&source)?;
            apps.loader.load(&app, &settings, &source, &read)
        });
        let version =
            loading.await.map_err(broke_off)?.map_err(|error| Failures(vec![format!("{error:#}")]))?;
        self.loader.warm(&version).await.map_err(|error| Failures(vec![format!("{error:#}")]))
    }

    /// Loads what is new. Blocks.
    fn build(&self, change: &Change) -> Result<Vec<Built>, Failures> {
        let loading = Loading { loader: &self.loader, lenient: change.lenient, failures: Mutex::default() };
        let entries: Vec<_> = {
            let book = &mut *self.book.lock();
            let terms = change.terms.clone().unwrap_or_else(|| book.terms.clone());
            let mut entry = |wanted: &Wanted| {
                let name = &wanted.config.tenant;
                let old = book.apps.get(&wanted.config.name).cloned();
                let old = old.filter(|app| app.tenant.name == *name);
                let app = old.clone().unwrap_or_else(|| {
                    let tenant = book.tenant(name, &terms, &self.gate, &self.demotion);
                    Arc::new(App::new(tenant, wanted.clone()))
                });
                (app, old.is_none())
            };
            change.apps.iter().map(|wanted| (wanted, entry(wanted))).collect()
        };
        let next = AtomicUsize::new(0);
        let built = Mutex::new(BTreeMap::new());
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(entries.len());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some((wanted, (app, is_new))) = entries.get(at) else { return };
                        let one = loading.build(wanted, app, *is_new);
                        built.lock().insert(at, one);
                    }
                });
            }
        });
        let failures = loading.failures.into_inner();
        if failures.is_empty() {
            Ok(built.into_inner().into_values().collect())
        } else {
            Err(Failures(failures))
        }
    }

    /// Starts each version that is not there yet and is to answer.
    async fn start_once(&self, built: &[Built], lenient: bool) -> Result<(), Failures> {
        let mut failures = Vec::new();
        for Built { app, serving, .. } in built {
            let before = app.serving();
            let fresh = |version: &&Arc<Version>| !before.loaded().any(|old| Arc::ptr_eq(old, version));
            for version in serving.answering().filter(fresh) {
                match self.loader.warm(version).await {
                    Ok(()) => {}
                    // Its requests will say so too; those of others need not
                    // wait for it.
                    Err(error) if lenient => tracing::error!(app = %app.name, "{error:#}"),
                    Err(error) => failures.push(format!("app {}: {error:#}", app.name)),
                }
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(Failures(failures)) }
    }

    /// Has what was loaded serve. One change at a time comes here, so that the
    /// book is as it was when `record` is done; nobody who only looks something
    /// up waits for the disk.
    fn switch<E: From<Failures>>(
        &self,
        change: Change,
        built: Vec<Built>,
        record: impl FnOnce() -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let mut apps = if change.only { BTreeMap::new() } else { self.book.lock().apps.clone() };
        for name in &change.remove {
            apps.remove(name);
        }
        let mut routes: BTreeMap<_, _> =
            apps.iter().map(|(name, app)| (name.clone(), app.wanted().config.routes)).collect();
        for Built { app, wanted, .. } in &built {
            apps.insert(app.name.clone(), app.clone());
            routes.insert(app.name.clone(), wanted.config.routes.clone());
        }
        let spared = built.iter().filter(|built| built.wanted.is_spared(change.lenient));
        let spared: Vec<_> = spared.map(|built| &built.app.name).collect();
        let recorded =
            table_of(&apps, routes, &spared).map_err(E::from).and_then(|table| record().map(|()| table));
        let book = &mut *self.book.lock();
        let table = recorded.inspect_err(|_| self.settle_tenants(book))?;

        let mut outcome = Outcome::default();
        outcome.removed.extend(book.apps.keys().filter(|name| !apps.contains_key(*name)).cloned());
        for Built { app, wanted, serving, is_new, is_changed } in built {
            match (is_new, is_changed) {
                (true, _) => outcome.added.push(app.name.clone()),
                (false, true) => outcome.changed.push(app.name.clone()),
                (false, false) => outcome.kept += 1,
            }
            if is_new || is_changed {
                app.switch(wanted, serving);
            }
        }
        self.table.store(Arc::new(table));
        book.apps = apps;
        if let Some(terms) = change.terms {
            book.terms = terms;
        }
        self.settle_tenants(book);
        Ok(outcome)
    }

    /// Has the tenants be as their terms say, and lets those go that are
    /// nobody's.
    fn settle_tenants(&self, book: &mut super::Book) {
        let terms = book.terms.clone();
        for name in terms.tenants.keys() {
            book.tenant(name, &terms, &self.gate, &self.demotion);
        }
        let used: BTreeSet<_> = book.apps.values().map(|app| &app.tenant.name).collect();
        let mut tenants = std::mem::take(&mut book.tenants);
        tenants.retain(|name, _| terms.tenants.contains_key(name) || used.contains(name));
        for (name, tenant) in &tenants {
            let terms = terms.of(name);
            if terms != tenant.terms() {
                tenant.set_terms(terms);
            }
        }
        book.tenants = tenants;
    }
}

impl Loading<'_> {
    fn build(&self, wanted: &Wanted, app: &Arc<App>, is_new: bool) -> Built {
        let settings = Arc::new(wanted.config.settings.clone());
        let before = app.serving();
        let versions = &wanted.versions;
        let spared = wanted.is_spared(self.lenient);
        let mut load = |source: &Source| self.version(app, &before, &settings, source, spared);
        let current = versions.current.as_ref().and_then(&mut load);
        let canary = versions
            .canary
            .as_ref()
            .and_then(|(source, terms)| Some(Canary { version: load(source)?, terms: *terms }));
        // It does not answer: that it cannot be gone back to must not keep
        // another from taking over, least of all from one that is damaged.
        let spared = wanted.origin != Origin::File;
        let previous = versions.previous.as_ref();
        let previous = previous.and_then(|source| self.version(app, &before, &settings, source, spared));
        let serving = Serving::new(current, canary, previous);
        let same = serving.loaded().count() == before.loaded().count()
            && serving.loaded().zip(before.loaded()).all(|(new, old)| Arc::ptr_eq(new, old));
        let is_changed = !same || app.wanted() != *wanted;
        Built { app: app.clone(), wanted: wanted.clone(), serving, is_new, is_changed }
    }

    /// The version of this file: the one that is loaded, if that is the same.
    fn version(
        &self,
        app: &App,
        before: &Serving,
        settings: &Arc<AppSettings>,
        source: &Source,
        spared: bool,
    ) -> Option<Arc<Version>> {
        let loaded = self.loader.read(source).and_then(|read| {
            let same = |version: &&Arc<Version>| {
                version.sha256 == read.sha256()
                    && version.settings == *settings
                    && version.number == source.number
            };
            match before.loaded().find(same) {
                Some(version) => Ok(version.clone()),
                None => self.loader.load(app, settings, source, &read).map(Arc::new),
            }
        });
        match loaded {
            Ok(version) => Some(version),
            Err(error) if spared => {
                tracing::error!(app = %app.name, version = source.number, "a deployed version cannot be served: {error:#}");
                None
            }
            Err(error) => {
                self.failures.lock().push(format!("app {}: {error:#}", app.name));
                None
            }
        }
    }
}

/// The table of all routes. An app that is `spared` goes without its routes
/// where others have them already, instead of failing everything: they were the
/// file's to give since it was deployed.
fn table_of(
    apps: &BTreeMap<Name, Arc<App>>,
    mut routes: BTreeMap<Name, Vec<RouteConfig>>,
    spared: &[&Name],
) -> Result<RouteTable<Arc<App>>, Failures> {
    loop {
        let all = apps.values().flat_map(|app| {
            let routes = routes.get(&app.name).cloned().unwrap_or_default();
            routes.into_iter().map(|route| (route, app.clone()))
        });
        let overlap = match RouteTable::new(all) {
            Ok(table) => return Ok(table),
            Err(overlap) => overlap,
        };
        let is_it =
            |route: &RouteConfig| route.host == overlap.route.host && route.path == overlap.route.path;
        let has_it = |name: &&&Name| routes.get(**name).is_some_and(|routes| routes.iter().any(is_it));
        let Some(name) = spared.iter().find(has_it) else { return Err(Failures(vec![overlap.to_string()])) };
        tracing::error!(app = %name, "a deployed app is not reached: {overlap}");
        routes.remove(*name);
    }
}

fn broke_off(error: tokio::task::JoinError) -> Failures {
    Failures(vec![format!("loading broke off: {error}")])
}

impl fmt::Display for Failures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Failures {}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Source { number: None, sha256: None, path }
    }
}
