//! A directory inside the component, served.

use std::time::{Duration, SystemTime};

use innkeeper_guest::static_files::{Dir, StaticFiles, include_dir};
use innkeeper_guest::testing::{self, Answer, Request};
use innkeeper_guest::{IncomingMessage, Result, ServerResponse};

static SITE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tests/site");

const BEFORE: &str = "Sat, 01 Jan 2022 00:00:00 GMT";
const THEN: &str = "Sun, 01 Jan 2023 00:00:00 GMT";
const AFTER: &str = "Mon, 01 Jan 2024 00:00:00 GMT";

fn site(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    Ok(StaticFiles::new(&SITE).serve(&req, &res)?)
}

fn dated(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    // Half a second after `THEN`.
    let changed = SystemTime::UNIX_EPOCH + Duration::from_millis(1_672_531_200_500);
    let files = StaticFiles::new(&SITE).last_modified(changed).cache_control("max-age=60");
    Ok(files.not_found("404.html").serve(&req, &res)?)
}

fn digits() -> Request {
    testing::get("/digits.txt")
}

fn tag_of(url: &str) -> String {
    testing::get(url).send(site).header("etag").expect("a file has a tag").to_owned()
}

fn said<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.header(name).unwrap_or_default()
}

#[test]
fn files_are_sent_with_their_types() {
    for (url, content_type, body) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>\n<title>Inn</title>\n"),
        ("/index.html?a=b", "text/html; charset=utf-8", "<!doctype html>\n<title>Inn</title>\n"),
        ("/docs/", "text/html; charset=utf-8", "<!doctype html>\n<title>Docs</title>\n"),
        ("/a%20style.css", "text/css; charset=utf-8", "body { color: black }\n"),
        ("http://inn/digits.txt", "text/plain; charset=utf-8", "0123456789"),
        ("/empty", "application/octet-stream", ""),
    ] {
        let answer = testing::get(url).send(site);
        assert_eq!((answer.status(), answer.text().as_str()), (200, body), "{url}");
        assert_eq!(said(&answer, "content-type"), content_type);
        assert_eq!(said(&answer, "content-length"), body.len().to_string());
        assert_eq!(said(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(said(&answer, "accept-ranges"), "bytes");
        assert_eq!((answer.header("last-modified"), answer.header("cache-control")), (None, None));
    }
}

#[test]
fn nothing_else_is_found() {
    for url in [
        "/none",
        "/digits.txt/",
        "/docs/none",
        "//",
        "//digits.txt",
        "/docs//index.html",
        "/./digits.txt",
        "/docs/../digits.txt",
        "/docs/%2e%2e/digits.txt",
        "/docs%2Findex.html",
        "/docs%5Cindex.html",
        "/%00",
        "/../features/main.rs",
        "/%",
        "*",
        "/Digits.txt",
    ] {
        let answer = testing::get(url).send(site);
        assert_eq!((answer.status(), answer.text().as_str()), (404, "there is no such file\n"), "{url}");
    }
    let answer = testing::get("/none").send(dated);
    assert_eq!((answer.status(), answer.text().as_str()), (404, "nothing here\n"));
    assert_eq!((said(&answer, "content-type"), answer.header("etag")), ("text/html; charset=utf-8", None));
}

#[test]
fn a_folder_has_a_slash() {
    for (url, location) in
        [("/docs", "./docs/"), ("/docs?a=b", "./docs/?a=b"), ("http://inn/docs", "./docs/")]
    {
        let answer = testing::get(url).send(site);
        assert_eq!((answer.status(), said(&answer, "location")), (301, location));
    }
}

#[test]
fn a_directory_below_a_prefix() {
    let below = |req: IncomingMessage, res: ServerResponse| -> Result<()> {
        Ok(StaticFiles::new(&SITE).below("/assets/").serve(&req, &res)?)
    };
    for (url, status) in [
        ("/assets/digits.txt", 200),
        ("/assets/", 200),
        ("/assets", 301),
        ("/digits.txt", 404),
        ("/assetsdigits.txt", 404),
        ("/assets/docs", 301),
    ] {
        assert_eq!(testing::get(url).send(below).status(), status, "{url}");
    }
    assert_eq!(said(&testing::get("/assets").send(below), "location"), "./assets/");
}

#[test]
fn only_get_and_head() {
    let head = testing::request("HEAD", "/digits.txt").header("Range", "bytes=0-1").send(site);
    assert_eq!((head.status(), head.text().as_str(), said(&head, "content-length")), (200, "", "10"));
    let post = testing::request("POST", "/digits.txt").body("x").send(site);
    assert_eq!((post.status(), said(&post, "allow")), (405, "GET, HEAD"));
    assert_eq!(testing::request("DELETE", "/none").send(site).status(), 404);
    assert_eq!(testing::request("HEAD", "/none").send(site).status(), 404);
}

#[test]
fn others_may_answer_what_is_not_found() {
    let answer = testing::get("/none").send(|req, res| {
        assert!(!StaticFiles::new(&SITE).try_serve(&req, &res)?);
        assert!(res.header_names().is_empty());
        Ok::<(), innkeeper_guest::Error>(res.end("mine")?)
    });
    assert_eq!(answer.text(), "mine");
}

#[test]
fn conditions_on_tags() {
    let tag = tag_of("/digits.txt");
    assert_ne!(tag, tag_of("/index.html"));
    let weak = format!("W/{tag}");
    let listed = format!("\"x\", {weak}");
    for (name, value, status) in [
        ("If-None-Match", &*tag, 304),
        ("If-None-Match", &weak, 304),
        ("If-None-Match", &listed, 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", "\"x\"", 200),
        ("If-Match", &tag, 200),
        ("If-Match", "*", 200),
        ("If-Match", &weak, 412),
        ("If-Match", "\"x\"", 412),
    ] {
        let answer = digits().header(name, value).send(site);
        assert_eq!(answer.status(), status, "{name}: {value}");
        assert_eq!((said(&answer, "etag"), answer.text().is_empty()), (&*tag, status != 200));
    }
    let lines = digits().header("If-None-Match", ["\"x\"", &tag]).send(site);
    assert_eq!(lines.status(), 304);
}

#[test]
fn conditions_on_dates() {
    for (name, value, status) in [
        ("If-Modified-Since", THEN, 304),
        ("If-Modified-Since", AFTER, 304),
        ("If-Modified-Since", BEFORE, 200),
        ("If-Modified-Since", "yesterday", 200),
        ("If-Unmodified-Since", THEN, 200),
        ("If-Unmodified-Since", AFTER, 200),
        ("If-Unmodified-Since", BEFORE, 412),
    ] {
        let answer = digits().header(name, value).send(dated);
        assert_eq!(answer.status(), status, "{name}: {value}");
        assert_eq!((said(&answer, "last-modified"), said(&answer, "cache-control")), (THEN, "max-age=60"));
        // A date that is not known is in no condition.
        assert_eq!(digits().header(name, value).send(site).status(), 200);
    }
}

#[test]
fn conditions_have_an_order() {
    let tag = tag_of("/digits.txt");
    for (conditions, status) in [
        // Tags count, and dates beside them do not.
        ([("If-Match", &*tag), ("If-Unmodified-Since", BEFORE)], 200),
        ([("If-None-Match", "\"x\""), ("If-Modified-Since", AFTER)], 200),
        ([("If-None-Match", &tag), ("If-Modified-Since", BEFORE)], 304),
        // What fails comes before what is not modified.
        ([("If-None-Match", &tag), ("If-Match", "\"x\"")], 412),
        ([("If-Modified-Since", AFTER), ("If-Unmodified-Since", BEFORE)], 412),
        // And that before ranges.
        ([("Range", "bytes=0-1"), ("If-None-Match", &tag)], 304),
        ([("Range", "bytes=0-1"), ("If-Match", &tag)], 206),
    ] {
        let request = conditions.iter().fold(digits(), |request, (name, value)| request.header(name, *value));
        assert_eq!(request.send(dated).status(), status, "{conditions:?}");
    }
}

#[test]
fn ranges() {
    for (range, content_range, body) in [
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-2", "bytes 8-9/10", "89"),
        ("bytes=3-50", "bytes 3-9/10", "3456789"),
    ] {
        let answer = digits().header("Range", range).send(site);
        assert_eq!((answer.status(), answer.text().as_str()), (206, body));
        assert_eq!(said(&answer, "content-range"), content_range);
        assert_eq!(said(&answer, "content-length"), body.len().to_string());
        assert_eq!(said(&answer, "content-type"), "text/plain; charset=utf-8");
    }
    for (url, length) in [("/digits.txt", 10), ("/empty", 0)] {
        let answer = testing::get(url).header("Range", "bytes=10-").send(site);
        assert_eq!((answer.status(), answer.text().as_str()), (416, ""));
        assert_eq!(said(&answer, "content-range"), format!("bytes */{length}"));
    }
    for ignored in ["bytes=0-5,3-9", "lines=1-2", "bytes=2-1", "bytes"] {
        let answer = digits().header("Range", ignored).send(site);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "0123456789"), "{ignored}");
    }
}

#[test]
fn several_ranges_are_parts() {
    let answer = digits().header("Range", "bytes=8-9, 0-1, 40-").send(site);
    assert_eq!(answer.status(), 206);
    assert_eq!(said(&answer, "content-type"), "multipart/byteranges; boundary=part-of-10-0");
    assert_eq!(answer.header("content-range"), None);
    let expected = "--part-of-10-0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 8-9/10\r\n\r\n89\
        \r\n--part-of-10-0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
        \r\n--part-of-10-0--\r\n";
    assert_eq!(answer.text(), expected);
    assert_eq!(said(&answer, "content-length"), expected.len().to_string());
}

#[test]
fn a_range_of_what_the_client_has_begun() {
    let tag = tag_of("/digits.txt");
    let weak = format!("W/{tag}");
    for (if_range, status) in
        [(&*tag, 206), (THEN, 206), ("\"x\"", 200), (&weak, 200), (BEFORE, 200), (AFTER, 200), ("x", 200)]
    {
        let answer = digits().header("Range", "bytes=0-1").header("If-Range", if_range).send(dated);
        assert_eq!(answer.status(), status, "{if_range}");
    }
    assert_eq!(digits().header("Range", "bytes=0-1").header("If-Range", THEN).send(site).status(), 200);
}

#[test]
fn compressed_variants() {
    let plain = testing::get("/app.js").send(site);
    assert_eq!((plain.header("content-encoding"), said(&plain, "vary")), (None, "Accept-Encoding"));
    let mut tags = vec![said(&plain, "etag").to_owned()];
    for (accepted, coding, file) in [
        ("gzip, deflate, br", "br", "app.js.br"),
        ("gzip", "gzip", "app.js.gz"),
        ("br;q=0.1, gzip;q=0.2", "gzip", "app.js.gz"),
        ("*", "br", "app.js.br"),
    ] {
        let request = || testing::get("/app.js").header("Accept-Encoding", accepted);
        let answer = request().send(site);
        let content = SITE.get_file(file).expect("the variant is there").contents();
        assert_eq!((said(&answer, "content-encoding"), answer.body().as_slice()), (coding, content));
        assert_eq!(said(&answer, "content-type"), said(&plain, "content-type"));
        let tag = said(&answer, "etag").to_owned();
        let again = request().header("If-None-Match", &tag).send(site);
        assert_eq!((again.status(), said(&again, "vary")), (304, "Accept-Encoding"));
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "each variant has its own tag");
    for nothing in ["br;q=0, gzip;q=0", "deflate", "identity"] {
        let answer = testing::get("/app.js").header("Accept-Encoding", nothing).send(site);
        assert_eq!(answer.header("content-encoding"), None, "{nothing}");
    }
    let other = digits().header("Accept-Encoding", "br").send(site);
    assert_eq!((other.header("vary"), other.header("content-encoding")), (None, None));
}
