//! Counts visits, path by path. What it counts is there for the next instance,
//! the next version and the next start of the host.
//!
//! ```sh
//! innkeeper serve counter.wasm --keyvalue default
//! curl http://127.0.0.1:8080/a http://127.0.0.1:8080/a http://127.0.0.1:8080/
//! ```

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler, keyvalue};

#[handler]
fn counter(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let visits = keyvalue::open("default")?;
    res.set_header("Content-Type", "text/plain")?;
    if req.url() != "/" {
        let count = visits.increment(&req.url(), 1)?;
        return Ok(res.end(format!("visit {count} of {}\n", req.url()))?);
    }
    let mut paths = visits.keys().collect::<std::result::Result<Vec<_>, _>>()?;
    paths.sort_unstable();
    for path in paths {
        let count = visits.get(&path)?.unwrap_or_default();
        res.write(format!("{} {path}\n", String::from_utf8_lossy(&count)))?;
    }
    Ok(res.end_empty()?)
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing;

    use super::*;

    #[test]
    fn visits_are_counted_path_by_path() {
        let bucket = testing::bucket();
        let ask = |path: &str| testing::get(path).bucket("default", &bucket).send(counter).text();
        assert_eq!(["/a", "/a", "/b"].map(ask).concat(), "visit 1 of /a\nvisit 2 of /a\nvisit 1 of /b\n");
        assert_eq!(ask("/"), "2 /a\n1 /b\n");
    }

    #[test]
    fn without_the_grant_there_is_nothing_to_count_with() {
        let answer = testing::get("/").send(counter);
        assert_eq!(answer.status(), 500);
        assert!(answer.error().is_some_and(|error| error.contains("not granted")));
    }
}
