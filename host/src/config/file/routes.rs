//! Whether two routes are for the same requests: nothing would decide which
//! of them has those.

use std::collections::HashMap;

use super::problems::Report;
use crate::config::{AppConfig, HostPattern, PathPattern, RouteConfig};

/// Reports every route that overlaps one before it. Each app comes with its
/// key.
pub(super) fn check(apps: &[(String, &AppConfig)], report: &mut Report) {
    let mut seen: HashMap<(&HostPattern, &PathPattern), Vec<(String, &RouteConfig)>> = HashMap::new();
    for (table, app) in apps {
        for (index, route) in app.routes.iter().enumerate() {
            let dot = if table.is_empty() { "" } else { "." };
            let key = format!("{table}{dot}routes[{index}]");
            let others = seen.entry((&route.host, &route.path)).or_default();
            let common = others.iter().find_map(|(key, other)| Some((key, common_methods(route, other)?)));
            if let Some((other, methods)) = common {
                let place = report.place(other);
                let message =
                    format!("{}{} is at {place} too, {methods}; change one", route.host, route.path);
                report.add(&key, message);
            }
            others.push((key, route));
        }
    }
}

/// The methods that two routes share, in words; none if they share none.
fn common_methods(one: &RouteConfig, other: &RouteConfig) -> Option<String> {
    let common = match (one.methods.as_slice(), other.methods.as_slice()) {
        ([], []) => return Some("for all methods".to_owned()),
        ([], methods) | (methods, []) => methods.join(", "),
        (methods, others) => {
            let common: Vec<_> =
                methods.iter().filter(|method| others.contains(method)).map(String::as_str).collect();
            if common.is_empty() {
                return None;
            }
            common.join(", ")
        }
    };
    Some(format!("for {common}"))
}
