//! Which requests an app is for: a host, a path and methods, in the forms in
//! which they are configured. What of several routes a request takes is
//! decided in `app::routes`.

use std::fmt;

/// One route of an app. Made by [`RouteConfig::new`] only, so that host and
/// path are always in their normal form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteConfig {
    /// Which hosts.
    pub host: HostPattern,
    /// Which paths.
    pub path: PathPattern,
    /// Which methods, in upper case; empty for all.
    pub methods: Vec<String>,
    /// Whether the guest sees the path without the prefix.
    pub strip_prefix: bool,
}

/// The hosts of a route. Names are in lower case, without port and final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// One name or address.
    Exact(String),
    /// Every name that ends so, at a dot: `a.example` for `*.a.example`, which
    /// `a.example` itself is not.
    Suffix(String),
    /// Those for which no other route is.
    Any,
}

/// The paths of a route, in normal form: decoded as far as that changes no
/// meaning, without dot segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathPattern {
    /// One path.
    Exact(String),
    /// A path and everything below it, without the final slash; empty for all.
    /// `/api` is for `/api` and `/api/x`, not for `/apis`.
    Prefix(String),
}

impl RouteConfig {
    /// The route that takes everything.
    pub fn everything() -> Self {
        RouteConfig {
            host: HostPattern::Any,
            path: PathPattern::Prefix(String::new()),
            methods: Vec::new(),
            strip_prefix: false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exact(name) => out.write_str(name),
            HostPattern::Suffix(name) => write!(out, "*.{name}"),
            HostPattern::Any => out.write_str("*"),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathPattern::Exact(path) => out.write_str(path),
            PathPattern::Prefix(path) => write!(out, "{path}/*"),
        }
    }
}

impl fmt::Display for RouteConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.host, self.path)?;
        if self.methods.is_empty() { Ok(()) } else { write!(out, " ({})", self.methods.join(", ")) }
    }
}
