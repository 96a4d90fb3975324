use super::*;

fn one(bytes: &[u8]) -> Message {
    let stream = responses(bytes, &[], false);
    assert_eq!((stream.messages.len(), stream.rest.len()), (1, 0), "{stream:?}");
    stream.messages.into_iter().next().expect("one message")
}

#[test]
fn a_response_with_a_length() {
    let message = one(b"HTTP/1.1 404 Not Found\r\nX-a:  b \r\ncontent-length: 2\r\n\r\nok");
    assert_eq!((message.status(), message.reason()), (Some(404), Some("Not Found")));
    assert_eq!(message.headers, [("X-a".into(), "b".into()), ("content-length".into(), "2".into())]);
    assert_eq!((message.framing, message.complete, message.text()), (Framing::Length, true, "ok".into()));
}

#[test]
fn a_body_that_is_not_whole() {
    let message = one(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok");
    assert_eq!((message.complete, message.text()), (false, "ok".into()));
    let message = one(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab");
    assert_eq!((message.complete, message.text()), (false, "ab".into()));
    let message = one(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n");
    assert_eq!((message.complete, message.text()), (false, "ab".into()));
}

#[test]
fn chunks_extensions_and_trailers() {
    let message = one(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nab\r\nA\r\n0123456789\r\n0\r\nX-T: v\r\nx-t: w\r\n\r\n",
    );
    assert_eq!((message.framing, message.complete), (Framing::Chunked, true));
    assert_eq!(message.text(), "ab0123456789");
    assert_eq!(message.trailers, [("X-T".into(), "v".into()), ("x-t".into(), "w".into())]);
}

#[test]
fn a_body_to_the_close_is_whole_at_the_end() {
    let bytes = b"HTTP/1.1 200 OK\r\n\r\nab";
    let open = responses(bytes, &[], false);
    let closed = responses(bytes, &[], true);
    assert_eq!(open.messages.first().map(|message| message.complete), Some(false));
    assert_eq!(
        closed.messages.first().map(|message| (message.framing, message.complete)),
        Some((Framing::Close, true))
    );
}

#[test]
fn responses_follow_each_other() {
    let stream = responses(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTT",
        &["HEAD".into(), "GET".into()],
        false,
    );
    let framings: Vec<_> = stream.messages.iter().map(|message| message.framing).collect();
    assert_eq!(framings, [Framing::None, Framing::None, Framing::Length]);
    assert_eq!((stream.rest.as_slice(), stream.error), (b"HTT".as_slice(), None));
}

#[test]
fn interim_responses_belong_to_the_final_one() {
    let message = one(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(message.interim.iter().map(|interim| interim.status).collect::<Vec<_>>(), [100, 103]);
    assert_eq!(
        response(b"HTTP/1.1 100 Continue\r\n\r\n", false, false).expect("no error").map(|(_, taken)| taken),
        None
    );
}

#[test]
fn what_is_no_response() {
    assert!(responses(b"nonsense\r\n\r\n", &[], false).error.is_some());
    assert!(
        responses(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", &[], false).error.is_some()
    );
    assert!(
        responses(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", &[], false)
            .error
            .is_some()
    );
    assert!(
        responses(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", &[], false)
            .error
            .is_some()
    );
}

#[test]
fn requests_with_and_without_a_body() {
    let stream = requests(
        b"POST /1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST /2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\nHEAD /3 HTTP/1.1\r\n\r\n",
    );
    let seen: Vec<_> =
        stream.messages.iter().map(|message| (message.method(), message.framing, message.text())).collect();
    assert_eq!(
        seen,
        [
            ("POST", Framing::Length, "abc".to_owned()),
            ("POST", Framing::Chunked, "de".to_owned()),
            ("HEAD", Framing::None, String::new())
        ]
    );
}
