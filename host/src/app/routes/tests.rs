use bytes::BytesMut;
use proptest::prelude::*;
use proptest::sample::select;

use super::request::is_normal_path;
use super::*;
use crate::config::normal::{normal_host, normal_path};
use crate::wire::http1::head::{HeadLimits, HeadScanner};

const LIMITS: HeadLimits = HeadLimits { bytes_max: 1 << 20, count_max: 4 };

fn head(method: &str, target: &str, host: Option<&str>) -> RequestHead {
    let (version, field) = match host {
        Some(host) => ("1.1", format!("Host: {host}\r\n")),
        None => ("1.0", String::new()),
    };
    let text = format!("{method} {target} HTTP/{version}\r\n{field}\r\n");
    let head = HeadScanner::default().advance(&mut BytesMut::from(text.as_bytes()), LIMITS);
    head.unwrap_or_else(|fault| panic!("{text:?}: {fault}")).unwrap()
}

/// `a.example/api/*` as a route.
fn route(pattern: &str, methods: &[&str], strip_prefix: bool) -> RouteConfig {
    let (host, path) = pattern.split_at(pattern.find('/').unwrap());
    let methods: Vec<_> = methods.iter().map(|&method| method.to_owned()).collect();
    RouteConfig::new(host, path, &methods, strip_prefix).unwrap()
}

/// A table of routes for all methods, each to its own pattern.
fn table<'a>(patterns: &[&'a str]) -> RouteTable<&'a str> {
    RouteTable::new(patterns.iter().map(|&pattern| (route(pattern, &[], false), pattern))).unwrap()
}

/// Where `GET` goes.
fn get<T: Clone>(table: &RouteTable<T>, host: &str, target: &str) -> Result<T, Miss> {
    table.find(&head("GET", target, Some(host))).map(|found| found.target.clone())
}

/// The cells of the table in `docs/routing.md` whose first heading this is.
fn documented(heading: &str) -> Vec<Vec<&'static str>> {
    let lines = include_str!("../../../../docs/routing.md").lines();
    let mut lines = lines.skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    assert!(lines.next().is_some() && lines.next().is_some(), "no table of {heading}");
    let rows = lines.take_while(|line| line.starts_with('|'));
    let cell = |cell: &'static str| cell.trim().trim_matches('`');
    rows.map(|row| row.trim_matches('|').split('|').map(cell).collect()).collect()
}

#[test]
fn the_documented_examples() {
    let routes: Vec<_> = documented("app")
        .into_iter()
        .map(|row| {
            let [app, pattern, methods, strip] = row[..] else { panic!("{row:?}") };
            let methods: Vec<_> = methods.split(", ").filter(|name| !name.is_empty()).collect();
            (route(pattern, &methods, strip == "yes"), app)
        })
        .collect();
    assert!(routes.len() > 10);
    // The order of routes means nothing.
    let backwards = RouteTable::new(routes.iter().cloned().rev()).unwrap();
    let table = RouteTable::new(routes).unwrap();
    let examples = documented("method");
    assert!(examples.len() > 60);
    for row in examples {
        let [method, target, host, goes_to, sees] = row[..] else { panic!("{row:?}") };
        let host = match host {
            "(none)" => None,
            "(empty)" => Some(""),
            host => Some(host),
        };
        let head = head(method, target, host);
        let found = table.find(&head);
        assert_eq!(found, backwards.find(&head), "{row:?}");
        let (to, rewritten) = match found {
            Ok(found) => ((*found.target).to_owned(), found.rewritten),
            Err(Miss::NoRoute) => ("404".to_owned(), None),
            Err(Miss::Method { allow }) => (format!("405, Allow: {allow}"), None),
            Err(Miss::Malformed(_)) => ("400".to_owned(), None),
        };
        assert_eq!((to.as_str(), rewritten.as_deref().unwrap_or("")), (goes_to, sees), "{row:?}");
    }
}

#[test]
fn one_app_for_everything() {
    let table = RouteTable::new([(RouteConfig::everything(), 1)]).unwrap();
    for (method, target, host) in [
        ("GET", "/../%zz", Some("a..b")),
        ("x", "/", None),
        ("OPTIONS", "*", Some("")),
        ("CONNECT", "a:1", Some("b")),
        ("GET", "http://a/b", Some("a")),
    ] {
        let head = head(method, target, host);
        assert_eq!(table.find(&head), Ok(Found { target: &1, rewritten: None }), "{target}");
    }
    let mismatch = head("GET", "http://a/b", Some("b"));
    assert!(matches!(table.find(&mismatch), Err(Miss::Malformed(_))));
    assert_eq!(table.catch_all(), Some(&1));
}

#[test]
fn a_refusal_names_what_is_wrong() {
    for (target, what) in [
        ("http://me@a/", "user in the request target"),
        ("http://a:x/", "host of the request target"),
        ("http://b/", "Host header that differs from the request target"),
    ] {
        let refused = get(&table(&["*/*", "a/*"]), "a", target);
        assert_eq!(refused, Err(Miss::Malformed(what)), "{target}");
    }
}

#[test]
fn the_catch_all_takes_everything() {
    assert_eq!(table(&["*/*", "a.example/*"]).catch_all(), Some(&"*/*"));
    for pattern in ["a.example/*", "*/a/*", "*/"] {
        assert_eq!(table(&[pattern]).catch_all(), None, "{pattern}");
    }
    assert_eq!(RouteTable::new([(route("*/*", &["GET"], false), ())]).unwrap().catch_all(), None);
}

#[test]
fn a_table_of_one_route_is_no_table_of_everything() {
    assert_eq!(get(&table(&["a.example/*"]), "b.example", "/"), Err(Miss::NoRoute));
    assert_eq!(get(&table(&["*/a/*"]), "b.example", "/b"), Err(Miss::NoRoute));
    let posts = RouteTable::new([(route("*/*", &["POST"], false), ())]).unwrap();
    assert_eq!(get(&posts, "a", "/"), Err(Miss::Method { allow: "POST".to_owned() }));
    assert_eq!(get(&table(&[]), "a", "/"), Err(Miss::NoRoute));
}

#[test]
fn a_named_method_goes_first() {
    let routes = [(&["GET"][..], 1), (&["HEAD", "POST"], 2), (&[], 3)];
    let table =
        RouteTable::new(routes.map(|(methods, target)| (route("*/*", methods, false), target))).unwrap();
    for (method, target) in [("GET", 1), ("HEAD", 2), ("POST", 2), ("PUT", 3), ("Get", 3)] {
        assert_eq!(*table.find(&head(method, "/", None)).unwrap().target, target, "{method}");
    }
}

#[test]
fn allow_is_sorted_and_names_nothing_twice() {
    let routes = [&["PUT", "GET", "PUT"][..], &["HEAD", "DELETE"]];
    let table = RouteTable::new(routes.map(|methods| (route("*/a", methods, false), ()))).unwrap();
    let allow = "DELETE, GET, HEAD, PUT".to_owned();
    assert_eq!(table.find(&head("POST", "/a", None)), Err(Miss::Method { allow }));
}

#[test]
fn routes_that_overlap_are_named() {
    for (first, second, common) in [
        (route("A.example/%61/*", &[], false), route("a.example./a/*", &[], true), "a.example/a/*"),
        (route("*/a", &["GET", "PUT"], false), route("*/a", &["POST", "PUT"], false), "*/a (PUT)"),
    ] {
        let overlap = RouteTable::new([(first, 1), (second, 2)]).unwrap_err().to_string();
        let remedy = "remove one of them, or give it another host, path or method";
        assert_eq!(overlap, format!("two routes are for {common}; {remedy}"));
    }
    for others in [
        [route("*/a", &["GET"], false), route("*/a", &[], false)],
        [route("*/a", &["GET"], false), route("*/a", &["HEAD"], false)],
        [route("*/a", &[], false), route("*/a/*", &[], false)],
        [route("*.a/", &[], false), route("a/", &[], false)],
    ] {
        assert!(RouteTable::new(others.map(|route| (route, ()))).is_ok());
    }
}

#[test]
fn ten_routes_and_ten_thousand() {
    for count in [10, 10_000] {
        let hosts = (0..count).map(|n| (format!("h{n}.example/*"), n));
        let suffixes = (0..count).map(|n| (format!("*.s{n}.example/x/*"), n));
        let paths = (0..count).map(|n| (format!("one.example/p{n}/a/*"), n));
        let routes = hosts.chain(suffixes).chain(paths);
        let table = RouteTable::new(routes.map(|(pattern, n)| (route(&pattern, &[], false), n))).unwrap();
        for n in [0, count / 2, count - 1] {
            assert_eq!(get(&table, &format!("h{n}.example"), "/"), Ok(n));
            assert_eq!(get(&table, &format!("a.b.s{n}.example"), "/x/y"), Ok(n));
            assert_eq!(get(&table, "one.example", &format!("/p{n}/a/b")), Ok(n));
        }
        assert_eq!(get(&table, &format!("h{count}.example"), "/"), Err(Miss::NoRoute));
        assert_eq!(get(&table, "one.example", &format!("/p{count}/a")), Err(Miss::NoRoute));
    }
}

#[test]
fn long_names_cost_what_they_are_long() {
    // Quadratic work would take minutes here; recursion would end the stack.
    let long = "/a".repeat(200_000);
    let pattern = format!("*{long}/*");
    let table = table(&["*/*", "*/a/*", &pattern]);
    let dots = "a.".repeat(10_000) + "example";
    let slashes = "/".repeat(400_000);
    let climbing = "/a/%2e%2e".repeat(50_000);
    assert_eq!(get(&table, &dots, &slashes), Ok("*/*"));
    assert_eq!(get(&table, "a", &climbing), Ok("*/*"));
    assert_eq!(get(&table, "a", &long), Ok(pattern.as_str()));
    assert_eq!(get(&table, "a", &long[2..]), Ok("*/a/*"));
}

#[test]
fn what_is_in_normal_form_is_not_copied() {
    use std::borrow::Cow;
    for (target, host) in [
        ("/", "a.example"),
        ("/.well-known/x.y/...?%2e", "a-1.example:80"),
        ("/a//b%20c%C3%A4", "127.0.0.1:8080"),
        ("http://a.example:80/a", "a.example"),
    ] {
        let head = head("GET", target, Some(host));
        let asked = Asked::of(&head).unwrap();
        assert!(matches!(asked.host, Some(Cow::Borrowed(_))), "{host}");
        assert!(matches!(asked.path, Some(Cow::Borrowed(_))), "{target}");
    }
}

/// The rules said once more, for tables that are searched from end to end.
fn naive(routes: &[(RouteConfig, usize)], head: &RequestHead) -> Result<usize, Miss> {
    let field = head.values("host").next().map(|value| std::str::from_utf8(value).unwrap());
    let (host, path) = match head.target().strip_prefix("http://") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap());
            if field.and_then(normal_host) != normal_host(authority) {
                return Err(Miss::Malformed("Host header that differs from the request target"));
            }
            (normal_host(authority), Some(path))
        }
        None => (field.and_then(normal_host), (head.target() != "*").then_some(head.target())),
    };
    let path = path.map(|path| normal_path(path.split('?').next().unwrap()));
    let host_rank = |route: &RouteConfig| match (&route.host, &host) {
        (HostPattern::Exact(name), Some(host)) if name == host => Some(usize::MAX),
        (HostPattern::Suffix(name), Some(host)) if host.ends_with(&format!(".{name}")) => Some(name.len()),
        (HostPattern::Any, _) => Some(0),
        _ => None,
    };
    let path_rank = |route: &RouteConfig| match (&route.path, &path) {
        (PathPattern::Exact(exact), Some(path)) if exact == path => Some(usize::MAX),
        (PathPattern::Prefix(prefix), Some(path))
            if prefix == path || path.starts_with(&format!("{prefix}/")) =>
        {
            Some(prefix.len())
        }
        (PathPattern::Prefix(prefix), None) if prefix.is_empty() => Some(0),
        _ => None,
    };
    let best_host = routes.iter().filter_map(|(route, _)| host_rank(route)).max();
    let of_host: Vec<_> = routes.iter().filter(|(route, _)| host_rank(route) == best_host).collect();
    let best_path = of_host.iter().filter_map(|(route, _)| path_rank(route)).max();
    let Some(best_path) = best_path.filter(|_| best_host.is_some()) else { return Err(Miss::NoRoute) };
    let of_path: Vec<_> =
        of_host.into_iter().filter(|(route, _)| path_rank(route) == Some(best_path)).collect();
    let naming =
        |name: &str| of_path.iter().find(|(route, _)| route.methods.iter().any(|other| other == name));
    let get = if head.method() == "HEAD" { naming("GET") } else { None };
    let every = of_path.iter().find(|(route, _)| route.methods.is_empty());
    if let Some((_, target)) = naming(head.method()).or(get).or(every) {
        return Ok(*target);
    }
    let named = |name: &str| naming(name).is_some() || (name == "HEAD" && naming("GET").is_some());
    let allow: Vec<_> = ["GET", "HEAD", "POST"].into_iter().filter(|name| named(name)).collect();
    Err(Miss::Method { allow: allow.join(", ") })
}

fn routes() -> impl Strategy<Value = Vec<RouteConfig>> {
    let hosts = vec!["*", "a.b", "*.a.b", "*.b", "b", "x.a.b", "[::1]"];
    let paths = vec!["/*", "/", "/a", "/a/*", "/a/b/*", "/a//*", "/a/b", "//*", "/a%2Fb/*"];
    let methods = vec![&[][..], &[], &["GET"], &["POST"], &["HEAD", "GET"]];
    let parts = (select(hosts), select(paths), select(methods), any::<bool>());
    let one = parts.prop_map(|(host, path, methods, strip)| {
        let strip = strip && path.ends_with("/*") && path != "/*";
        route(&format!("{host}{path}"), methods, strip)
    });
    proptest::collection::vec(one, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_table_does_what_the_rules_say(
        all in routes(),
        method in select(vec!["GET", "GET", "HEAD", "POST", "PUT", "OPTIONS"]),
        path in "/(a|b|/|/|[.]|%2e|%2F|%61|%){0,8}([?]/a/[.][.])?",
        host in select(vec!["a.b", "x.a.b", "y.x.a.B", "b.", "c.b:1", "b", "c", "[0::1]:80", "", "[a]"]),
        other in select(vec!["a.b", "c", "A.b.:80"]),
        form in 0..4,
    ) {
        let mut routes: Vec<(RouteConfig, usize)> = Vec::new();
        for route in all {
            let overlaps = |(other, _): &(RouteConfig, usize)| {
                (&other.host, &other.path) == (&route.host, &route.path)
                    && (other.methods == route.methods
                        || other.methods.iter().any(|name| route.methods.contains(name)))
            };
            let target = routes.len();
            let overlap = routes.iter().any(overlaps);
            let with = routes.iter().cloned().chain([(route.clone(), target)]);
            prop_assert_eq!(RouteTable::new(with).is_err(), overlap);
            if !overlap {
                routes.push((route, target));
            }
        }
        let target = match form {
            0 if method == "OPTIONS" => "*".to_owned(),
            1 => format!("http://{other}{path}"),
            2 if !host.is_empty() && host != "[a]" => format!("http://{host}{path}"),
            _ => path,
        };
        let head = head(method, &target, Some(host));
        let table = RouteTable::new(routes.iter().cloned()).unwrap();
        let found = table.find(&head);
        let expected = naive(&routes, &head);
        prop_assert_eq!(found.as_ref().map(|found| found.target), expected.as_ref());
        if let Ok(Found { target, rewritten: Some(rewritten) }) = found {
            let PathPattern::Prefix(prefix) = &routes[*target].0.path else { panic!("no prefix") };
            let (path, query) = rewritten.split_at(rewritten.find('?').unwrap_or(rewritten.len()));
            prop_assert!(head.target().ends_with(query) && path.starts_with('/'));
            let whole = format!("{prefix}{path}");
            prop_assert_eq!(normal_path(&whole), whole, "of {}", rewritten);
        }
    }

    #[test]
    fn a_path_taken_as_it_is_is_normal(path in "/(a|/|[.]|%|%2[eEfF]|%6|%[2-7][0-9A-F]|[1aE]){0,12}") {
        if is_normal_path(&path) {
            prop_assert_eq!(normal_path(&path), path);
        }
    }
}
