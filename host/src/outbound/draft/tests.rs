use super::*;

const LIMITS: DraftLimits = DraftLimits {
    fields: FieldLimits { bytes_max: 4096, lines_max: 16 },
    buffer_bytes_max: 16,
    body_bytes_max: 64,
};

fn opening(method: &str, headers: &[(&str, &str)]) -> Opening {
    Opening {
        method: method.to_owned(),
        origin: Origin::parse("http", "a.example:8080").unwrap(),
        path: "/x?y".to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        auth: None,
    }
}

fn draft(method: &str, headers: &[(&str, &str)]) -> Draft {
    Draft::new(opening(method, headers), LIMITS).unwrap()
}

fn head(draft: &Draft) -> String {
    String::from_utf8(draft.render(true).to_vec()).unwrap()
}

#[test]
fn a_plain_get_has_a_host_and_no_framing() {
    let mut get = draft("GET", &[]);
    get.end(None).unwrap();
    assert_eq!(head(&get), "GET /x?y HTTP/1.1\r\nHost: a.example:8080\r\nConnection: keep-alive\r\n\r\n");
}

#[test]
fn the_end_alone_tells_the_length() {
    for (method, body, framing) in [
        ("POST", Some(b"ab".to_vec()), Framing::Length(2)),
        ("POST", None, Framing::Length(0)),
        ("GET", Some(b"ab".to_vec()), Framing::Length(2)),
        ("DELETE", None, Framing::None),
    ] {
        let mut request = draft(method, &[]);
        request.end(body).unwrap();
        assert_eq!(request.framing(), framing, "{method}");
    }
}

#[test]
fn what_is_written_before_the_end_is_chunked_whatever_the_method() {
    for method in ["POST", "GET", "DELETE"] {
        let mut request = draft(method, &[]);
        request.write(b"body".to_vec(), false, 0).unwrap();
        request.end(None).unwrap();
        assert_eq!(request.framing(), Framing::Chunked, "{method}");
        assert!(head(&request).ends_with("Transfer-Encoding: chunked\r\n\r\n"));
    }
}

#[test]
fn names_keep_their_case_their_order_and_their_lines() {
    let mut request =
        draft("GET", &[("X-A", "1"), ("x-b", "2"), ("x-a", "3"), ("Cookie", "a=1"), ("cookie", "b=2")]);
    request.end(None).unwrap();
    let head = head(&request);
    assert!(head.contains("\r\nX-A: 1\r\nx-b: 2\r\nx-a: 3\r\ncookie: a=1; b=2\r\nHost: "), "{head}");
}

#[test]
fn a_declared_length_holds() {
    let mut request = draft("PUT", &[("Content-Length", "3")]);
    let mismatch = Err(MessageError::ContentLengthMismatch { declared: 3, actual: 4 });
    assert_eq!(request.write(b"abcd".to_vec(), false, 0), mismatch);
    request.write(b"ab".to_vec(), false, 0).unwrap();
    assert_eq!(request.end(None), Err(MessageError::ContentLengthMismatch { declared: 3, actual: 2 }));
    request.end(Some(b"c".to_vec())).unwrap();
    assert_eq!(request.end(None), Err(MessageError::AlreadyFinished));
    assert_eq!(request.write(b"d".to_vec(), false, 0), Err(MessageError::WriteAfterEnd));
}

#[test]
fn two_framings_are_none() {
    let mut request = draft("POST", &[("Content-Length", "1"), ("Transfer-Encoding", "chunked")]);
    assert!(matches!(request.end(Some(b"a".to_vec())), Err(MessageError::InvalidHeaderValue(_))));
}

#[test]
fn what_a_request_refuses_at_once() {
    let refused = |opening: Opening| Draft::new(opening, LIMITS).map(|_| ());
    let with = |change: fn(&mut Opening)| {
        let mut opening = opening("GET", &[]);
        change(&mut opening);
        refused(opening)
    };
    for change in [
        (|opening| opening.path = "/a b".to_owned()) as fn(&mut Opening),
        |opening| opening.path = String::new(),
        |opening| opening.path = "/a\r\nX: y".to_owned(),
        |opening| opening.path = "/ä".to_owned(),
    ] {
        assert!(matches!(with(change), Err(OutboundError::UnescapedPath(_))));
    }
    assert!(with(|opening| opening.method = "a b".to_owned()).is_err());
    let bad_value = refused(opening("GET", &[("a", "x\ny")]));
    assert!(matches!(bad_value, Err(OutboundError::Message(MessageError::InvalidChar(_)))));
    let bad_name = refused(opening("GET", &[("a b", "1")]));
    assert!(matches!(bad_name, Err(OutboundError::Message(MessageError::InvalidHeaderName(_)))));
}

#[test]
fn host_goes_out_even_if_it_was_removed() {
    let mut request = draft("GET", &[]);
    request.open_fields().unwrap().0.remove("host");
    request.end(None).unwrap();
    assert!(head(&request).contains("\r\nHost: a.example:8080\r\n"));
}

#[test]
fn limits_of_the_body() {
    let mut request = draft("POST", &[]);
    let full = Err(MessageError::LimitExceeded("outbound_buffer_bytes_max"));
    assert_eq!(request.write(vec![0; 17], true, 0), full);
    request.write(vec![0; 17], false, 0).unwrap();
    let long = Err(MessageError::LimitExceeded("outbound_request_body_bytes_max"));
    assert_eq!(request.write(vec![0; 48], false, 0), long);
}

#[test]
fn auth_gives_way_to_a_header() {
    let mut with = opening("GET", &[]);
    with.auth = Some(b"user:pass".to_vec());
    let request = Draft::new(with.clone(), LIMITS).unwrap();
    assert_eq!(request.fields().first("authorization"), Some(&b"Basic dXNlcjpwYXNz"[..]));
    with.headers = vec![("Authorization".to_owned(), b"Bearer x".to_vec())];
    let request = Draft::new(with, LIMITS).unwrap();
    assert_eq!(request.fields().first("authorization"), Some(&b"Bearer x"[..]));
}

#[test]
fn there_is_one_host() {
    let mut twice = draft("GET", &[("Host", "a"), ("host", "b")]);
    assert!(matches!(twice.end(None), Err(MessageError::InvalidHeaderValue(_))));
    // A header without a value is none on the wire.
    let mut empty = draft("GET", &[]);
    let (fields, limits) = empty.open_fields().unwrap();
    fields.set("Host", Vec::new(), limits).unwrap();
    empty.end(None).unwrap();
    assert!(head(&empty).contains("\r\nHost: a.example:8080\r\n"), "{}", head(&empty));
}
