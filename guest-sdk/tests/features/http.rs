//! Requests and responses as types of the crate `http`.

use innkeeper_guest::http::{self, Method, Request, Response, StatusCode, Version};
use innkeeper_guest::{Error, IncomingMessage, Result, ServerResponse, client, testing};

fn echo(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    http::answer(req, res, |req: Request<IncomingMessage>| {
        let (head, body) = req.into_parts();
        assert_eq!((&head.method, head.version), (&Method::POST, Version::HTTP_11));
        assert_eq!((head.uri.path(), head.uri.query()), ("/a%20b", Some("c=d")));
        let lines: Vec<_> = head.headers.get_all("x-two").iter().collect();
        assert_eq!(lines, ["a", "b"]);
        let body = body.read_all(100)?;
        let response = Response::builder().status(StatusCode::CREATED);
        Ok(response.header("x-two", "c").header("X-Two", "d").header("content-type", "text/x").body(body)?)
    })
}

#[test]
fn requests_and_responses_are_those_of_the_crate() {
    let answer = testing::request("POST", "/a%20b?c=d").header("X-Two", ["a", "b"]).body("hello").send(echo);
    assert_eq!((answer.status(), answer.text().as_str()), (201, "hello"));
    assert_eq!(answer.values("x-two").collect::<Vec<_>>(), [b"c", b"d"]);
    assert_eq!((answer.header("content-type"), answer.header("content-length")), (Some("text/x"), Some("5")));
}

#[test]
fn a_function_that_fails_sends_nothing() {
    let answer = testing::get("/")
        .send(|req, res| http::answer(req, res, |_| Err::<Response<&str>, _>(Error::msg("no idea"))));
    assert_eq!((answer.status(), answer.error()), (500, Some("no idea")));
}

#[test]
fn a_response_goes_over_what_is_set() {
    let answer = testing::request("HEAD", "/").send(|_, res| {
        res.set_header("X-A", ["1", "2"])?;
        res.set_header("X-B", "3")?;
        res.send(Response::builder().header("x-a", "4").body("body")?)?;
        Ok::<(), Error>(())
    });
    assert_eq!(answer.values("x-a").collect::<Vec<_>>(), [b"4"]);
    assert_eq!((answer.header("x-b"), answer.text().as_str()), (Some("3"), ""));
}

#[test]
fn targets_that_are_no_uri_are_refused() {
    let answer = testing::get("/a<b").send(|req, _| {
        assert!(req.into_http().is_err());
        Ok::<(), Error>(())
    });
    assert_eq!(answer.error(), None);
    let options = testing::request("OPTIONS", "*").send(|req, res| {
        assert_eq!(req.into_http()?.uri().path(), "*");
        Ok::<(), Error>(res.end_empty()?)
    });
    assert_eq!(options.status(), 200);
}

#[test]
fn what_others_answer_is_one_too() {
    let answer = testing::get("/")
        .upstream("http://api", |_| testing::Reply::new(404).header("X-Two", ["a", "b"]).body("no"))
        .send(|_, res| {
            let said = client::get("http://api/")?;
            let head = Response::try_from(&said)?;
            assert_eq!(head.headers().get_all("x-two").iter().count(), 2);
            res.send(head.map(|()| said.read_all(10).unwrap_or_default()))?;
            Ok::<(), Error>(())
        });
    assert_eq!((answer.status(), answer.text().as_str()), (404, "no"));
}
