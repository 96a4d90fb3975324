use proptest::prelude::*;

use super::*;

/// A response as a client reads it, by a decoder that knows nothing of ours.
#[derive(Debug, PartialEq)]
struct Received {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
enum Call {
    Write(Vec<u8>),
    Cork,
    Uncork,
    Flush,
}

fn context(version_1_1: bool, head_request: bool) -> ResponseContext {
    ResponseContext {
        request_id: None,
        version_1_1,
        head_request,
        keep_alive: true,
        awaits_continue: false,
        keep_alive_timeout: Some(Duration::from_secs(5)),
        requests_max: None,
        reject_body_not_allowed: false,
        buffer_bytes_max: usize::MAX,
        field_limits: FieldLimits { bytes_max: 1024, lines_max: 16 },
    }
}

/// Reads one response from all of `bytes`.
fn receive(bytes: &[u8], to_head: bool) -> Received {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").expect("a head");
    let (head, rest) = bytes.split_at(end + 4);
    let mut lines = std::str::from_utf8(&head[..end]).expect("text").split("\r\n");
    let status_line = lines.next().expect("a status line");
    let status = status_line.strip_prefix("HTTP/1.1 ").expect("a version")[..3].parse().expect("a status");
    let headers: Vec<_> = lines.map(field).collect();
    let value = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    let (body, trailers) = match (value("Content-Length"), value("Transfer-Encoding")) {
        _ if to_head || matches!(status, 204 | 304) => (rest, Vec::new()),
        (Some(length), None) => {
            assert_eq!(rest.len(), length.parse::<usize>().expect("a length"));
            (rest, Vec::new())
        }
        (None, Some("chunked")) => return dechunk(status, headers, rest),
        (None, None) => {
            assert_eq!(value("Connection"), Some("close"));
            (rest, Vec::new())
        }
        both => panic!("framed twice: {both:?}"),
    };
    Received { status, headers, body: body.to_vec(), trailers }
}

fn dechunk(status: u16, headers: Vec<(String, String)>, mut rest: &[u8]) -> Received {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(take_line(&mut rest), 16).expect("a chunk size");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        assert_eq!(take_line(&mut rest), "", "behind a chunk");
    }
    let lines = std::iter::from_fn(|| Some(take_line(&mut rest)).filter(|line| !line.is_empty()));
    let trailers = lines.map(field).collect();
    assert_eq!(rest, b"", "behind the last chunk");
    Received { status, headers, body, trailers }
}

fn take_line<'a>(rest: &mut &'a [u8]) -> &'a str {
    let end = memchr::memmem::find(rest, b"\r\n").expect("a line end");
    let line = std::str::from_utf8(&rest[..end]).expect("text");
    *rest = &rest[end + 2..];
    line
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(": ").expect("a header line");
    (name.to_owned(), value.to_owned())
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Call::Write),
        1 => prop::collection::vec(any::<u8>(), 4090..4100).prop_map(Call::Write),
        1 => Just(Call::Cork),
        1 => Just(Call::Uncork),
        1 => Just(Call::Flush),
    ]
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(call(), 0..12)
}

fn lines() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("X-[A-Za-z0-9-]{0,8}", "([!-~]([ -~]{0,10}[!-~])?)?"), 0..6)
}

fn as_lines(lines: &[(String, String)]) -> Vec<Line> {
    lines.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect()
}

fn play(response: &mut Response, calls: &[Call], last: Option<Vec<u8>>) -> Result<(), MessageError> {
    for call in calls {
        match call {
            Call::Write(piece) => response.write(piece.clone(), false)?,
            Call::Cork => response.cork(),
            Call::Uncork => response.uncork(),
            Call::Flush => response.flush_headers()?,
        }
    }
    response.end(last)
}

fn body_of(calls: &[Call], last: Option<&Vec<u8>>) -> Vec<u8> {
    let written =
        calls.iter().filter_map(|call| if let Call::Write(piece) = call { Some(piece) } else { None });
    written.chain(last).flatten().copied().collect()
}

proptest! {
    #[test]
    fn what_is_written_is_received(
        calls in calls(),
        last: Option<Vec<u8>>,
        trailers in lines(),
        version_1_1: bool,
    ) {
        let mut response = Response::new(context(version_1_1, false));
        response.add_trailers(as_lines(&trailers)).unwrap();
        play(&mut response, &calls, last.clone()).unwrap();
        let received = receive(&response.out().bytes(), false);
        prop_assert_eq!(received.status, 200);
        prop_assert_eq!(received.body, body_of(&calls, last.as_ref()));
        prop_assert_eq!(response.body_bytes(), body_of(&calls, last.as_ref()).len() as u64);
        let chunked = received.headers.iter().any(|(name, _)| name == "Transfer-Encoding");
        prop_assert_eq!(received.trailers, if chunked { trailers } else { Vec::new() });
        // Nobody finds the end of a body that has neither.
        let says = |value: &str| received.headers.iter().any(|(name, own)| name == "Connection" && own == value);
        prop_assert_eq!(says("keep-alive"), response.keeps_alive());
        prop_assert_eq!(says("close"), !response.keeps_alive());
        prop_assert!(version_1_1 || !chunked);
    }

    #[test]
    fn headers_are_received_as_they_were_set(headers in lines(), status in 206..=999_u16) {
        let mut response = Response::new(context(true, false));
        response.write_head(status, None, as_lines(&headers)).unwrap();
        response.end(None).unwrap();
        let received = receive(&response.out().bytes(), false);
        prop_assert_eq!(received.status, status);
        let mut expected: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in headers {
            match expected.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(&name)) {
                Some((_, values)) => values.push(value),
                None => expected.push((name, vec![value])),
            }
        }
        let expected: Vec<_> =
            expected.into_iter().flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value))).collect();
        prop_assert_eq!(&received.headers[..expected.len()], expected);
    }

    #[test]
    fn a_declared_length_is_kept_or_the_response_fails(calls in calls(), last: Option<Vec<u8>>, declared in 0..200_u64) {
        let mut response = Response::new(context(true, false));
        let limits = response.context.field_limits;
        response.fields.set("Content-Length", vec![declared.to_string().into_bytes()], limits).unwrap();
        let body = body_of(&calls, last.as_ref());
        let ended = play(&mut response, &calls, last);
        prop_assert_eq!(ended.is_ok(), body.len() as u64 == declared);
        if ended.is_ok() {
            prop_assert_eq!(receive(&response.out().bytes(), false).body, body);
        } else {
            // Never more than was declared; and what was not ended is no answer.
            prop_assert!(response.body_bytes() <= declared);
            prop_assert!(!response.keeps_alive());
        }
    }

    #[test]
    fn a_response_without_a_body_has_none(calls in calls(), last: Option<Vec<u8>>, status in proptest::sample::select(vec![0_u16, 204, 205, 304])) {
        // 0 stands for a HEAD.
        let mut response = Response::new(context(true, status == 0));
        response.status = if status == 0 { 200 } else { status };
        play(&mut response, &calls, last).unwrap();
        let bytes = response.out().bytes();
        prop_assert!(bytes.ends_with(b"\r\n\r\n"));
        prop_assert_eq!(receive(&bytes, status == 0).body, b"");
        prop_assert!(response.keeps_alive());
    }

    #[test]
    fn no_reason_breaks_out_of_its_line(reason: String) {
        let mut response = Response::new(context(true, false));
        let told = response.write_head(200, Some(reason.clone()), Vec::new());
        prop_assert_eq!(told.is_ok(), !reason.bytes().any(|byte| byte != b'\t' && (byte < 0x20 || byte == 0x7f)));
        response.end(None).unwrap();
        let line = if told.is_ok() { reason } else { "OK".to_owned() };
        let line = format!("HTTP/1.1 200 {line}\r\n");
        prop_assert!(response.out().bytes().starts_with(line.as_bytes()));
    }
}

#[test]
fn an_answer_of_the_hosts_own_takes_the_place_of_what_is_unsent() {
    let mut response = Response::new(context(true, false));
    response.write(b"a secret of the guest".to_vec(), false).unwrap();
    response.flush_headers().unwrap();
    assert!(response.is_unsent());
    response.replace(500, "sorry\n", Some(&Hint::RetryAfter(Duration::from_secs(3))), true);
    let received = receive(&response.out().bytes(), false);
    assert_eq!((received.status, received.body.as_slice()), (500, &b"sorry\n"[..]));
    let names: Vec<_> = received.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Content-Type", "Retry-After", "Date", "Connection", "Content-Length"]);
}
