use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, count_max: 16 };

fn whole(bytes: &[u8]) -> Result<Option<RequestHead>, ClientFault> {
    HeadScanner::default().advance(&mut BytesMut::from(bytes), LIMITS)
}

fn fault(bytes: &str) -> ClientFault {
    match whole(bytes.as_bytes()) {
        Err(fault) => fault,
        Ok(head) => panic!("{bytes:?} was taken for {head:?}"),
    }
}

fn head(bytes: &str) -> RequestHead {
    whole(bytes.as_bytes()).unwrap().unwrap_or_else(|| panic!("{bytes:?} is not complete"))
}

#[test]
fn a_head_is_seen_as_it_came() {
    let head =
        head("\r\n\r\nPROPFIND /a?b#c HTTP/1.1\r\nhOsT: x:80\r\nX-a: 1\r\nx-A:\t 2 \r\nEmpty:\r\n\r\n");
    assert_eq!((head.method(), head.target(), head.version_1_1), ("PROPFIND", "/a?b#c", true));
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(lines, [("hOsT", &b"x:80"[..]), ("X-a", b"1"), ("x-A", b"2"), ("Empty", b"")]);
    assert_eq!(head.values("X-A").collect::<Vec<_>>(), [b"1", b"2"]);
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    for request in [
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA\x7f: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET /\r\nfoo\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01",
    ] {
        assert_eq!(fault(request).status(), 400, "{request:?}");
    }
}

#[test]
fn a_fault_is_seen_before_the_head_is_complete() {
    for request in ["GET / HTTP/1.1\nH", "G\x01", " ", "GET / HTTP/1.2\r\n", "GET / HTTP/1.1\r\nA B: c\r\n"] {
        assert_eq!(fault(request).status(), 400, "{request:?}");
    }
}

#[test]
fn host_is_there_once_and_well_formed() {
    for bad in
        ["", "Host: x\r\nHost: x\r\n", "Host: a b\r\n", "Host: a,b\r\n", "Host: u@h\r\n", "Host: x:y\r\n"]
    {
        assert_eq!(fault(&format!("GET / HTTP/1.1\r\n{bad}\r\n")).status(), 400, "{bad:?}");
    }
    for good in ["Host:\r\n", "Host: [::1]:80\r\n", "host: example.com:\r\n"] {
        head(&format!("GET / HTTP/1.1\r\n{good}\r\n"));
    }
    head("GET / HTTP/1.0\r\n\r\n");
}

#[test]
fn lengths_and_codings_leave_no_choice() {
    for (lines, status) in [
        ("Content-Length: 1\r\nContent-Length: 1\r\n", 400),
        ("Content-Length: 5, 5\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: xchunked\r\n", 400),
        ("Transfer-Encoding:\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
        assert_eq!(fault(&request).status(), status, "{lines:?}");
    }
    assert_eq!(fault("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").status(), 400);
    assert_eq!(
        head("POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 007\r\n\r\n").framing,
        BodyFraming::Length(7)
    );
    let chunked = head("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n");
    assert_eq!(chunked.framing, BodyFraming::Chunked);
}

#[test]
fn persistence_and_expectations() {
    let keep_alive = |version: &str, lines: &str| {
        head(&format!("GET / HTTP/{version}\r\nHost: x\r\n{lines}\r\n")).keep_alive
    };
    assert!(keep_alive("1.1", ""));
    assert!(!keep_alive("1.1", "Connection: Close\r\n"));
    assert!(!keep_alive("1.1", "Connection: keep-alive, close\r\n"));
    assert!(!keep_alive("1.0", ""));
    assert!(keep_alive("1.0", "Connection: x\r\nConnection: Keep-Alive\r\n"));
    let expectation = |version: &str, value: &str| {
        head(&format!("GET / HTTP/{version}\r\nHost: x\r\nExpect: {value}\r\n\r\n")).expectation
    };
    assert_eq!(expectation("1.1", "100-Continue"), Expectation::Continue);
    assert_eq!(expectation("1.1", "meoww"), Expectation::Other);
    assert_eq!(expectation("1.0", "meoww"), Expectation::None);
}

#[test]
fn an_upgrade_is_asked_for_with_two_headers_that_are_whole() {
    let upgrade = |lines: &str| head(&format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n")).upgrade;
    for lines in [
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: keep-alive, uPgRaDe\r\nUpgrade: h2c, echo/1.0\r\n",
        "Connection: keep-alive\r\nUpgrade: a\r\nConnection: upgrade\r\nUpgrade: b\r\n",
    ] {
        assert!(upgrade(lines), "{lines:?}");
    }
    for lines in [
        "Upgrade: websocket\r\n",
        "Connection: Upgrade\r\n",
        "Connection: Upgrade\r\nUpgrade:\r\n",
        "Connection: Upgrade\r\nUpgrade: ,\r\n",
        "Connection: Upgraded\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: web socket\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket, /1\r\n",
        "Connection: Upgrade\r\nUpgrade: a/b/c\r\n",
    ] {
        assert!(!upgrade(lines), "{lines:?}");
    }
    // RFC 9110 7.8: not in HTTP/1.0.
    assert!(!head("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").upgrade);
}

#[test]
fn a_connect_has_no_content() {
    let connect = |lines: &str| format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{lines}\r\n");
    assert_eq!(head(&connect("")).framing, BodyFraming::None);
    assert_eq!(head(&connect("Content-Length: 0\r\n")).framing, BodyFraming::Length(0));
    for lines in ["Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"] {
        assert_eq!(fault(&connect(lines)), ClientFault::Malformed("content in CONNECT"));
    }
}

#[test]
fn what_is_refused_stays_in_the_buffer() {
    for request in ["GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\nrest", "GET / HTTP/1.1\r\nA\nB", "?"] {
        let mut buffer = BytesMut::from(request);
        assert!(HeadScanner::default().advance(&mut buffer, LIMITS).is_err());
        assert_eq!(buffer, request);
    }
}

#[test]
fn versions() {
    for (version, status) in [("2.0", 505), ("0.9", 505), ("1.2", 400), ("1.10", 400), ("x", 400)] {
        assert_eq!(fault(&format!("GET / HTTP/{version}\r\nHost: x\r\n\r\n")).status(), status, "{version}");
    }
}

#[test]
fn limits_bite_where_they_say() {
    // Target, names and values count: `/`, `Host`, `x`, `A`.
    let request = |value: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "b".repeat(value));
    head(&request(LIMITS.bytes_max - 8));
    assert_eq!(fault(&request(LIMITS.bytes_max - 7)), ClientFault::HeadTooLarge);
    for end in ["", " HTTP/1.1\r\n", " HTTP/1.1\r\nHost: x\r\n\r\n"] {
        assert_eq!(fault(&format!("GET /{}{end}", "a".repeat(2000))), ClientFault::TargetTooLong);
    }
    let headers = |count: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(count));
    head(&headers(LIMITS.count_max - 1));
    assert_eq!(fault(&headers(LIMITS.count_max)), ClientFault::TooManyHeaders);
}

/// What a scanner makes of bytes: the head's parts and what is left behind it,
/// nothing yet, or a fault.
type Scanned = Result<Option<(Facts, Vec<u8>)>, ()>;

/// Everything of a head that others look at.
type Facts = (String, String, bool, Vec<(String, Vec<u8>)>, BodyFraming, bool, Expectation);

fn scan_in_pieces(bytes: &[u8], places: &[Index]) -> Scanned {
    let mut places: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let (mut scanner, mut buffer, mut from) = (HeadScanner::default(), BytesMut::new(), 0);
    for to in places.into_iter().chain([bytes.len()]) {
        buffer.extend_from_slice(&bytes[from..to]);
        from = to;
        match scanner.advance(&mut buffer, LIMITS) {
            Ok(None) => {}
            Ok(Some(head)) => {
                buffer.extend_from_slice(&bytes[from..]);
                return Ok(Some((facts(&head), buffer.to_vec())));
            }
            // Which fault it is may depend on what is seen first.
            Err(_) => return Err(()),
        }
    }
    Ok(None)
}

fn facts(head: &RequestHead) -> Facts {
    let lines = head.lines().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    let (method, target) = (head.method().to_owned(), head.target().to_owned());
    (method, target, head.version_1_1, lines, head.framing, head.keep_alive, head.expectation)
}

/// Header lines, good ones for the most part.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z0-9-]{1,8}:[ \t]{0,3}[!-~\u{80}-\u{ff}]{0,12}[ \t]{0,2}",
        2 => select(vec![
            "Content-Length: 5",
            "Transfer-Encoding: chunked",
            "Connection: close",
            "Connection: keep-alive",
            "Expect: 100-continue",
            "Expect: more",
            "Host: inn:80",
            "Empty:",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Requests that are good, or nearly so, with something behind them.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let request_line =
        ("(\r\n){0,2}", "[A-Z]{1,7}", "/[!-~]{0,20}", select(vec!["1.1", "1.0", "1.1", "2.0"]));
    let lines = prop::collection::vec(line(), 0..20);
    let damage = prop::option::weighted(0.4, (any::<Index>(), any::<u8>()));
    (request_line, lines, damage, "[a-z]{0,9}").prop_map(|(request_line, lines, damage, rest)| {
        let (before, method, target, version) = request_line;
        let mut text = format!("{before}{method} {target} HTTP/{version}\r\nHost: inn\r\n");
        lines.iter().for_each(|line| text.push_str(&format!("{line}\r\n")));
        let mut bytes = format!("{text}\r\n{rest}").into_bytes();
        if let Some((place, byte)) = damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

fn places() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..12)
}

proptest! {
    #[test]
    fn any_split_gives_the_same_head(bytes in request(), places in places()) {
        prop_assert_eq!(scan_in_pieces(&bytes, &places), scan_in_pieces(&bytes, &[]));
    }

    #[test]
    fn any_bytes_are_scanned_without_harm(bytes: Vec<u8>, places in places()) {
        prop_assert_eq!(scan_in_pieces(&bytes, &places), scan_in_pieces(&bytes, &[]));
    }

    #[test]
    fn any_bytes_behind_a_good_beginning_too(bytes: Vec<u8>, places in places()) {
        let bytes = [b"GET / HTTP/1.1\r\nHost: inn\r\nX", bytes.as_slice()].concat();
        prop_assert_eq!(scan_in_pieces(&bytes, &places), scan_in_pieces(&bytes, &[]));
    }

    #[test]
    fn what_is_written_is_read(
        method in "[A-Z]{1,7}",
        target in "/[!-~]{0,20}",
        lines in prop::collection::vec(("X[A-Za-z0-9-]{0,8}", "([!-~]([ -~]{0,10}[!-~])?)?"), 0..15),
    ) {
        // A CONNECT has a target of another form.
        prop_assume!(method != "CONNECT");
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: inn\r\n");
        lines.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        let head = head(&format!("{text}\r\n"));
        prop_assert_eq!((head.method(), head.target()), (method.as_str(), target.as_str()));
        let read: Vec<_> = head.lines().skip(1).collect();
        let written: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        prop_assert_eq!(read, written);
    }
}

#[test]
fn an_overlay_is_what_the_guest_sees() {
    let head = head(
        "GET /api/x HTTP/1.1\r\nHost: x\r\nA: 1\r\nTRACEPARENT: no\r\nTraceState: b=c\r\na: 2\r\nB: 3\r\n\r\n",
    );
    let set = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    head.overlay(Overlay {
        target: Some("/x".to_owned()),
        set: vec![set("traceparent", b"yes"), set("a", b"4"), set("New", b"5")],
        removed: vec!["tracestate"],
    });
    assert_eq!((head.target(), head.original_target()), ("/x", "/api/x"));
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(
        lines,
        [("Host", &b"x"[..]), ("a", b"4"), ("traceparent", b"yes"), ("B", b"3"), ("New", b"5")]
    );
    assert_eq!(head.lines().len(), 5);
    assert_eq!(head.values("A").collect::<Vec<_>>(), [b"4"]);
    assert_eq!(head.values("tracestate").count(), 0);
}

#[test]
fn a_second_overlay_changes_nothing() {
    let head = head("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(Overlay::default().is_empty());
    head.overlay(Overlay { target: Some("/a".to_owned()), ..Overlay::default() });
    head.overlay(Overlay { target: Some("/b".to_owned()), removed: vec!["host"], ..Overlay::default() });
    assert_eq!((head.target(), head.lines().count()), ("/a", 1));
}
