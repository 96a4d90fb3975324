//! The files of `site`, inside the component: with their types, `ETag`s,
//! ranges, and an `index.html` for a folder.
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/
//! curl -i -H 'Range: bytes=0-14' http://127.0.0.1:8080/index.html
//! ```

use innkeeper_guest::static_files::{Dir, StaticFiles, include_dir};
use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};

static SITE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/site");

#[handler]
fn site(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    Ok(StaticFiles::new(&SITE).cache_control("public, max-age=600").serve(&req, &res)?)
}

#[cfg(test)]
mod tests {
    use innkeeper_guest::testing::get;

    use super::site;

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let first = get("/style.css").send(site);
        assert_eq!(first.header("content-type"), Some("text/css; charset=utf-8"));
        let tag = first.header("etag").expect("every file has one").to_owned();
        let again = get("/style.css").header("If-None-Match", &tag).send(site);
        assert_eq!((again.status(), again.text().as_str()), (304, ""));
    }

    #[test]
    fn nothing_else_is_found() {
        for path in ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/src/lib.rs"] {
            assert_eq!(get(path).send(site).status(), 404, "{path}");
        }
    }
}
