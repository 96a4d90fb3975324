//! Which requests an app is for: a host, a path and methods, in the forms in
//! which they are configured. What of several routes a request takes is
//! decided in `app::routes`.

use std::fmt;
use std::str::FromStr;

use super::normal::{normal_host, normal_path};

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
    /// The route for what matches all of these: a host (`shop.example`,
    /// `*.shop.example` or `*`), a path (`/exact` or `/prefix/*`), and one of
    /// the methods, or any if there are none. With `strip_prefix` the guest
    /// sees the path without the prefix.
    ///
    /// # Errors
    /// What is wrong with the first of them that is.
    pub fn new(host: &str, path: &str, methods: &[String], strip_prefix: bool) -> Result<Self, String> {
        let (host, path) = (host.parse()?, path.parse()?);
        let mut normal: Vec<String> = Vec::with_capacity(methods.len());
        for method in methods {
            let method = normal_method(method)?;
            if !normal.contains(&method) {
                normal.push(method);
            }
        }
        if strip_prefix {
            check_prefix(&path)?;
        }
        Ok(RouteConfig { host, path, methods: normal, strip_prefix })
    }

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

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        let (is_suffix, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let bad = |remedy: &str| format!("{text:?} is no host of a route; {remedy}");
        if name.contains('*') {
            return Err(bad("a * stands alone or as the first label, as in *.shop.example"));
        }
        if !name.is_ascii() {
            return Err(bad("write the name in its ASCII form, which begins with xn--"));
        }
        let normal = normal_host(name).ok_or_else(|| bad("write shop.example, *.shop.example or *"))?;
        // An address in brackets has colons of its own.
        let behind = name.rsplit(']').next().unwrap_or(name);
        if behind.contains(':') {
            return Err(bad("routes have no port, leave it out"));
        }
        let is_name = |name: &str| {
            let is_label = |label: &str| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            name.split('.').all(is_label)
        };
        match (is_suffix, normal.starts_with('[') || is_name(&normal)) {
            (true, true) if !normal.starts_with('[') => Ok(HostPattern::Suffix(normal)),
            (false, true) => Ok(HostPattern::Exact(normal)),
            _ => Err(bad("write shop.example, *.shop.example or *")),
        }
    }
}

impl FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |remedy: &str| format!("{text:?} is no path of a route; {remedy}");
        if !text.starts_with('/') {
            return Err(bad("begin it with a slash, as in /api/* or /about"));
        }
        // What RFC 3986 lets a path have, but no `*`.
        let is_path_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()+,;=:@%".contains(&byte);
        let (base, is_prefix) = match text.strip_suffix("/*") {
            Some(base) => (base, true),
            None => (text, false),
        };
        if base.contains('*') {
            return Err(bad("a * stands only at the end and behind a slash, as in /api/*"));
        }
        if base.contains(['?', '#']) {
            return Err(bad("a route has no query; leave it out"));
        }
        if let Some(char) = base.chars().find(|char| !u8::try_from(*char).is_ok_and(is_path_byte)) {
            return Err(bad(&format!("write {char:?} percent-encoded")));
        }
        let digits = |piece: &str| piece.bytes().take(2).filter(u8::is_ascii_hexdigit).count();
        if base.split('%').skip(1).any(|piece| digits(piece) != 2) {
            return Err(bad("write a % as %25"));
        }
        if !is_prefix {
            return Ok(PathPattern::Exact(normal_path(base)));
        }
        // With its slash, so that dot segments at its end are removed as they
        // are from the paths that it is compared with.
        let mut prefix = normal_path(&format!("{base}/"));
        prefix.pop();
        Ok(PathPattern::Prefix(prefix))
    }
}

/// A method in its normal form.
///
/// # Errors
/// If it is no method.
pub fn normal_method(text: &str) -> Result<String, String> {
    // RFC 9110, 5.6.2.
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_token_byte) {
        return Err(format!("{text:?} is no method; write GET or POST, for example"));
    }
    Ok(text.to_ascii_uppercase())
}

/// Whether there is a prefix that can be stripped.
///
/// # Errors
/// If there is none.
pub fn check_prefix(path: &PathPattern) -> Result<(), String> {
    match path {
        PathPattern::Prefix(prefix) if !prefix.is_empty() => Ok(()),
        path => Err(format!("there is no prefix to strip in {path}; give a path such as /api/*")),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn route(host: &str, path: &str) -> Result<String, String> {
        RouteConfig::new(host, path, &[], false).map(|route| route.to_string())
    }

    #[test]
    fn hosts_and_paths_get_their_normal_form() {
        for (host, path, normal) in [
            ("*", "/*", "*/*"),
            ("Shop.Example.", "/", "shop.example/"),
            ("*.Shop.example", "/api/*", "*.shop.example/api/*"),
            ("[0::1]", "/a/../b%2d%2f", "[::1]/b-%2F"),
            ("127.0.0.1", "/a//*", "127.0.0.1/a//*"),
            ("a", "/a/../*", "a/*"),
            ("a", "/a/%2e%2e/*", "a/*"),
        ] {
            assert_eq!(route(host, path).as_deref(), Ok(normal));
        }
    }

    #[test]
    fn bad_hosts_are_refused() {
        for host in [
            "",
            ".",
            "*.",
            "a.*",
            "*a",
            "**",
            "*.*",
            "a:80",
            "[::1]:80",
            "*.[::1]",
            "a..b",
            ".a",
            "a b",
            "a/b",
            "ä.example",
            "http://a",
            "a@b",
            "[::1",
            "%61",
        ] {
            assert!(host.parse::<HostPattern>().is_err(), "{host}");
        }
    }

    #[test]
    fn bad_paths_are_refused() {
        for path in [
            "", "*", "a", "/a*", "/*/a", "/a/**", "/a?b", "/a#b", "/a b", "/ä", "/%", "/%2", "/%zz", "/%+1",
            "/\\",
        ] {
            assert!(path.parse::<PathPattern>().is_err(), "{path}");
        }
    }

    #[test]
    fn methods_are_tokens_in_upper_case() {
        let methods = ["get".to_owned(), "GET".to_owned(), "POST".to_owned()];
        let route = RouteConfig::new("*", "/*", &methods, false).unwrap();
        assert_eq!(route.methods, ["GET", "POST"]);
        assert!(normal_method("").is_err());
        assert!(normal_method("GET POST").is_err());
    }

    #[test]
    fn only_a_prefix_can_be_stripped() {
        assert!(RouteConfig::new("*", "/a/*", &[], true).is_ok());
        assert!(RouteConfig::new("*", "/a", &[], true).is_err());
        assert!(RouteConfig::new("*", "/*", &[], true).is_err());
    }
}
