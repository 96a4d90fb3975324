//! The route table: which app a request is for, by host, path and method. The
//! rules stand in `docs/routing.md`. What a request asks for is read in
//! `request`; weights between versions are no business of this table. The
//! handler asks it once for each exchange.

mod request;
mod tree;

use std::fmt;

use crate::app::routes::request::Asked;
use crate::app::routes::tree::Tree;
use crate::config::{HostPattern, PathPattern, RouteConfig};
use crate::wire::http1::head::RequestHead;

/// What is served where. A look-up takes time in proportion to host and path
/// of the request, however many routes there are.
#[derive(Debug)]
pub struct RouteTable<T> {
    /// The target of a table with one route that takes everything.
    only: Option<T>,
    hosts: Tree<Tree<Methods<T>>>,
    /// Where there is no host, or none that is named in a route.
    any_host: Tree<Methods<T>>,
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<'a, T> {
    /// What the route is to.
    pub target: &'a T,
    /// The request target that the guest sees, where the route strips its
    /// prefix.
    pub rewritten: Option<String>,
}

/// Why a request goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// No route is for it (404).
    NoRoute,
    /// Its path has routes, but none for its method (405).
    Method {
        /// The value of the `Allow` field.
        allow: String,
    },
    /// It can be read in two ways (400); what is wrong.
    Malformed(&'static str),
}

/// Two routes for the same requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// What both have in common: host, path, and a method if they name one.
    pub route: RouteConfig,
}

/// The routes of one host and path.
#[derive(Debug)]
struct Methods<T> {
    /// In the order of their names.
    named: Vec<(String, Place<T>)>,
    every: Option<Place<T>>,
}

#[derive(Debug, Clone)]
struct Place<T> {
    target: T,
    /// Bytes of the path that the guest does not see.
    stripped: usize,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        RouteTable { only: None, hosts: Tree::default(), any_host: Tree::default() }
    }
}

impl<T: Clone> RouteTable<T> {
    /// A table of `routes`, each with its target.
    ///
    /// # Errors
    /// Two routes that are for the same host, path and method.
    pub fn new(routes: impl IntoIterator<Item = (RouteConfig, T)>) -> Result<Self, Overlap> {
        let mut table = RouteTable::default();
        let mut count = 0_usize;
        for (route, target) in routes {
            table.add(&route, target)?;
            count += 1;
        }
        if count == 1 {
            table.only = table.catch_all().cloned();
        }
        Ok(table)
    }

    fn add(&mut self, route: &RouteConfig, target: T) -> Result<(), Overlap> {
        let paths = match &route.host {
            HostPattern::Exact(name) => self.hosts.exactly(labels(name)).get_or_insert_default(),
            HostPattern::Suffix(name) => self.hosts.below(labels(name)).get_or_insert_default(),
            HostPattern::Any => &mut self.any_host,
        };
        let (methods, prefix) = match &route.path {
            PathPattern::Exact(path) => (paths.exactly(segments(path)), ""),
            PathPattern::Prefix(path) => (paths.below(segments(path)), path.as_str()),
        };
        let stripped = if route.strip_prefix { prefix.len() } else { 0 };
        methods.get_or_insert_default().add(route, Place { target, stripped })
    }
}

impl<T> RouteTable<T> {
    /// The target for a request. Nothing is allocated if host and path come in
    /// normal form and no prefix is stripped.
    ///
    /// # Errors
    /// No route is for it, or it can be read in two ways.
    pub fn find(&self, head: &RequestHead) -> Result<Found<'_, T>, Miss> {
        if let Some(target) = self.only.as_ref().filter(|_| head.target().starts_with('/')) {
            return Ok(Found { target, rewritten: None });
        }
        let asked = Asked::of(head).map_err(Miss::Malformed)?;
        let methods = self.paths(asked.host.as_deref()).and_then(|paths| match &asked.path {
            Some(path) => {
                let walk = paths.walk(segments(path));
                walk.exact.or(walk.below).or(walk.above)
            }
            None => paths.root(),
        });
        let place = methods.ok_or(Miss::NoRoute)?.find(head.method())?;
        Ok(Found { target: &place.target, rewritten: place.rewritten(&asked) })
    }

    /// The target of the route that takes everything, for requests without a
    /// head that could be read.
    pub fn catch_all(&self) -> Option<&T> {
        self.any_host.root()?.every.as_ref().map(|place| &place.target)
    }

    /// The paths of the most specific host that there is. Less specific ones
    /// have no say, whatever the path is: they may be another tenant's.
    fn paths(&self, host: Option<&str>) -> Option<&Tree<Methods<T>>> {
        let walk = host.map(|host| self.hosts.walk(labels(host)));
        walk.and_then(|walk| walk.exact.or(walk.above)).or(Some(&self.any_host))
    }
}

/// The labels of a host from the right: a suffix comes first.
fn labels(host: &str) -> impl Iterator<Item = &str> {
    host.rsplit('.')
}

/// The segments of a path; the empty path has none, `/` has an empty one.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').skip(1)
}

impl<T: Clone> Methods<T> {
    fn add(&mut self, route: &RouteConfig, place: Place<T>) -> Result<(), Overlap> {
        let overlap = |methods| Overlap { route: RouteConfig { methods, ..route.clone() } };
        if route.methods.is_empty() {
            return match self.every.replace(place) {
                Some(_) => Err(overlap(Vec::new())),
                None => Ok(()),
            };
        }
        let mut names: Vec<_> = route.methods.iter().collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            match self.position(name) {
                Ok(_) => return Err(overlap(vec![name.clone()])),
                Err(at) => self.named.insert(at, (name.clone(), place.clone())),
            }
        }
        Ok(())
    }
}

impl<T> Methods<T> {
    /// A route that names the method goes before one for all of them.
    fn find(&self, method: &str) -> Result<&Place<T>, Miss> {
        let get = if method == "HEAD" { self.named("GET") } else { None };
        let place = self.named(method).or(get).or(self.every.as_ref());
        place.ok_or_else(|| Miss::Method { allow: self.allow() })
    }

    fn named(&self, method: &str) -> Option<&Place<T>> {
        self.position(method).ok().and_then(|at| self.named.get(at)).map(|(_, place)| place)
    }

    fn position(&self, method: &str) -> Result<usize, usize> {
        self.named.binary_search_by(|(name, _)| name.as_str().cmp(method))
    }

    fn allow(&self) -> String {
        let mut names: Vec<_> = self.named.iter().map(|(name, _)| name.as_str()).collect();
        // Whoever answers GET answers HEAD.
        if let (Ok(_), Err(at)) = (self.position("GET"), self.position("HEAD")) {
            names.insert(at, "HEAD");
        }
        names.join(", ")
    }
}

impl<T> Default for Methods<T> {
    fn default() -> Self {
        Methods { named: Vec::new(), every: None }
    }
}

impl<T> Place<T> {
    fn rewritten(&self, asked: &Asked<'_>) -> Option<String> {
        if self.stripped == 0 {
            return None;
        }
        let path = asked.path.as_deref()?.get(self.stripped..)?;
        Some(format!("{}{}", if path.is_empty() { "/" } else { path }, asked.query))
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "two routes are for {}; remove one of them, or give it another host, path or method",
            self.route
        )
    }
}

impl std::error::Error for Overlap {}

#[cfg(test)]
mod tests;
