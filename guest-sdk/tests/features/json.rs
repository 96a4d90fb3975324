//! Bodies that are JSON.

use innkeeper_guest::{Error, ErrorCode, IncomingMessage, Result, ServerResponse, testing};
use serde_json::{Value, json};

fn sum(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let numbers: Vec<i64> = match req.json(32) {
        Ok(numbers) => numbers,
        Err(error) => return error.answer(&res),
    };
    res.json(&json!({ "sum": numbers.iter().sum::<i64>() }))
}

fn post(content_type: &str) -> testing::Request {
    testing::request("POST", "/").header("Content-Type", content_type)
}

#[test]
fn json_in_and_out() {
    for content_type in ["application/json", "application/json; charset=utf-8", "application/vnd.sums+json"] {
        let answer = post(content_type).body("[1, 2]").send(sum);
        assert_eq!((answer.status(), answer.text().as_str()), (200, r#"{"sum":3}"#));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("content-length"), Some("9"));
    }
    assert_eq!(post("application/json").piece("[1,").piece(" 4]").send(sum).text(), r#"{"sum":5}"#);
}

#[test]
fn what_is_wrong_is_told() {
    for (request, status, told) in [
        (testing::request("POST", "/").body("[]"), 415, "no content-type"),
        (post("text/plain").body("[]"), 415, "text/plain"),
        (post("application/json").header("Content-Encoding", "gzip").body("[]"), 415, "gzip"),
        (post("application/json").body("[1,"), 400, "line 1 column 3"),
        (post("application/json").body(""), 400, "EOF"),
        (post("application/json").body(r#"["a"]"#), 400, "invalid type"),
        (post("application/json").body(" ".repeat(33)), 413, "too long"),
        (post("application/json").piece(" ".repeat(30)).piece("[ ]"), 413, "too long"),
        (post("application/json").breaks(ErrorCode::LimitExceeded("of the host".into())), 413, "too long"),
    ] {
        let answer = request.send(sum);
        let problem: Value = serde_json::from_str(&answer.text()).expect("a problem is JSON");
        assert_eq!((answer.status(), problem["status"].as_u64()), (status, Some(status.into())), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{problem}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("accept").is_some(), status == 415);
        assert_eq!(answer.header("connection") == Some("close"), status == 413);
        assert_eq!(answer.error(), None);
    }
}

#[test]
fn a_client_that_went_is_not_answered() {
    let answer = post("application/json").piece("[1,").goes_away().send(sum);
    assert_eq!((answer.is_answered(), answer.error()), (false, Some("the peer went away")));
}

#[test]
fn a_value_that_json_does_not_have_sends_nothing() {
    let answer = testing::get("/").send(|_, res| {
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        res.json(&map)
    });
    assert_eq!(answer.status(), 500);
    assert!(answer.error().is_some_and(|error| error.contains("key must be a string")));
}

#[test]
fn a_content_type_that_is_set_stays() {
    let answer = testing::get("/").send(|_, res| {
        res.set_header("Content-Type", "application/geo+json")?;
        res.json(&Option::<()>::None)?;
        Ok::<(), Error>(())
    });
    assert_eq!(
        (answer.header("content-type"), answer.text().as_str()),
        (Some("application/geo+json"), "null")
    );
}
