//! Cookies read, set and removed.

use innkeeper_guest::cookies::{Cookie, SameSite, time::Duration};
use innkeeper_guest::{Error, ErrorCode, ServerResponse, testing};

/// What a handler sends as `Set-Cookie`.
fn sent(work: impl Fn(&ServerResponse) -> Result<(), ErrorCode>) -> Vec<String> {
    let answer = testing::get("/").send(|_, res| {
        work(&res)?;
        Ok::<(), Error>(res.end_empty()?)
    });
    assert_eq!(answer.error(), None);
    answer.values("set-cookie").map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

/// Why a cookie is refused.
fn refused<'c>(cookie: impl Into<Cookie<'c>>) -> String {
    let mut why = String::new();
    testing::get("/").send(|_, res| {
        let error = res.set_cookie(cookie).expect_err("browsers would drop it");
        assert_eq!(error.code(), "invalid-arg");
        why = error.to_string();
        Ok::<(), Error>(())
    });
    why
}

#[test]
fn cookies_are_read() {
    let request = testing::get("/")
        .header("Cookie", "a=1; b=two%20words;c=\"quoted\"; ;nothing; a=2")
        .header("Cookie", "d=100%; e=x=y; =f; g=");
    request.send(|req, _| {
        let cookies = req.cookies();
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("two words")),
            ("d", Some("100%")),
            ("e", Some("x=y")),
            ("g", Some("")),
            ("nothing", None),
            ("", None),
        ] {
            assert_eq!(cookies.get(name), value, "{name}");
        }
        assert_eq!(cookies.iter().filter(|(name, _)| *name == "a").count(), 2);
        Ok::<(), Error>(())
    });
    testing::get("/").send(|req, _| {
        assert_eq!(req.cookies().iter().count(), 0);
        Ok::<(), Error>(())
    });
}

#[test]
fn what_is_not_said_is_safe() {
    assert_eq!(
        sent(|res| res.set_cookie(("id", "4 7; Domain=evil"))),
        ["id=4%207%3B%20Domain%3Devil; HttpOnly; SameSite=Lax; Secure; Path=/"]
    );
}

#[test]
fn what_is_said_stays() {
    let cookie = Cookie::build(("id", "47"))
        .http_only(false)
        .secure(false)
        .same_site(SameSite::Strict)
        .path("/shop")
        .domain("inn.example")
        .max_age(Duration::days(1));
    assert_eq!(
        sent(|res| res.set_cookie(cookie.clone())),
        ["id=47; SameSite=Strict; Path=/shop; Domain=inn.example; Max-Age=86400"]
    );
}

#[test]
fn the_last_of_a_name_counts() {
    let lines = sent(|res| {
        res.set_cookie(("a", "1"))?;
        res.set_cookie(("b", "2"))?;
        res.set_cookie(Cookie::build(("a", "3")).path("/shop"))?;
        res.set_cookie(("a", "4"))
    });
    let pairs: Vec<_> = lines.iter().filter_map(|line| line.split(';').next()).collect();
    assert_eq!(pairs, ["b=2", "a=3", "a=4"]);
}

#[test]
fn a_cookie_is_removed_as_it_was_set() {
    assert_eq!(
        sent(|res| res.remove_cookie("id")),
        ["id=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]
    );
    let lines = sent(|res| res.remove_cookie(Cookie::build("id").path("/shop")));
    assert!(lines[0].contains("; Path=/shop;"), "{lines:?}");
}

#[test]
fn what_browsers_would_drop_is_refused() {
    assert!(
        refused(Cookie::build(("a", "1")).same_site(SameSite::None).secure(false)).contains("SameSite=None")
    );
    assert!(refused(Cookie::build(("a", "1")).partitioned(true).secure(false)).contains("Partitioned"));
    assert!(refused(Cookie::build(("__Secure-a", "1")).secure(false)).contains("Secure"));
    assert!(refused(Cookie::build(("__Host-a", "1")).path("/shop")).contains("Path=/"));
    assert!(refused(Cookie::build(("a", "1")).path("/; Domain=evil")).contains("path"));
    assert!(refused(("", "1")).contains("no name"));
    assert!(refused(("a", "1".repeat(4096))).contains("4096"));
}
