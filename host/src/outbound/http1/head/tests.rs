use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, count_max: 8 };

fn read(bytes: &str) -> Result<Option<ResponseHead>, OutboundError> {
    Scanner::default().advance(&mut BytesMut::from(bytes.as_bytes()), LIMITS)
}

fn head(lines: &str) -> ResponseHead {
    read(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).unwrap().unwrap()
}

#[test]
fn a_head_keeps_case_order_and_duplicates() {
    let head = head("X-A:  1 \r\nx-a: 2\r\nServer: s\r\n");
    let shown: Vec<_> = head.lines.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    assert_eq!(shown, [("X-A", &b"1"[..]), ("x-a", b"2"), ("Server", b"s")]);
    assert_eq!((head.status, head.reason.as_str(), head.version), (200, "OK", "1.1"));
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let mut scanner = Scanner::default();
    let mut buffer = BytesMut::new();
    let bytes = b"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\nrest";
    let mut found = None;
    for &byte in bytes {
        buffer.extend_from_slice(&[byte]);
        if found.is_none() {
            found = scanner.advance(&mut buffer, LIMITS).unwrap();
        }
    }
    let found = found.unwrap();
    assert_eq!((found.status, found.version, found.reason.as_str()), (404, "1.0", "Not Found"));
    assert_eq!(buffer, "rest");
}

#[test]
fn what_is_no_head() {
    for bytes in [
        "garbage",
        "HTTP/1.1 200 OK\nA: b\n\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
    ] {
        assert!(matches!(read(bytes), Err(OutboundError::Parse(_))), "{bytes:?}: {:?}", read(bytes));
    }
    assert_eq!(read("HTTP/1.1 200 OK\r\nA: b\r"), Ok(None));
}

#[test]
fn a_head_has_limits() {
    let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(1024));
    assert_eq!(read(&long), Err(OutboundError::Limit("outbound_head_bytes_max")));
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(4096));
    assert_eq!(read(&endless), Err(OutboundError::Limit("outbound_head_bytes_max")));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(9));
    assert_eq!(read(&many), Err(OutboundError::Limit("outbound_header_count_max")));
}

#[test]
fn the_reason_is_read_byte_for_char() {
    let raw = b"HTTP/1.1 200 \xe4 b\r\n\r\n";
    let head = Scanner::default().advance(&mut BytesMut::from(&raw[..]), LIMITS).unwrap().unwrap();
    assert_eq!(head.reason, "ä b");
    assert_eq!(read("HTTP/1.1 200\r\n\r\n").unwrap().unwrap().reason, "");
}

#[test]
fn where_the_body_ends() {
    let framing = |lines: &str, method: &str| head(lines).framing(method);
    assert_eq!(framing("Content-Length: 5\r\n", "GET"), Ok(BodyFraming::Length(5)));
    assert_eq!(framing("Content-Length: 5\r\n", "HEAD"), Ok(BodyFraming::None));
    assert_eq!(framing("Content-Length: 5\r\n", "CONNECT"), Ok(BodyFraming::None));
    assert_eq!(framing("Transfer-Encoding: Chunked\r\n", "GET"), Ok(BodyFraming::Chunked));
    assert_eq!(framing("", "GET"), Ok(BodyFraming::Close));
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: \r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: \r\n",
    ] {
        assert!(matches!(framing(lines, "GET"), Err(OutboundError::Parse(_))), "{lines:?}");
    }
}

#[test]
fn how_long_a_connection_lasts() {
    let persistence = |lines: &str| head(lines).persistence();
    assert_eq!(persistence(""), Persistence { keep_alive: true, timeout: None });
    assert!(!persistence("Connection: Close\r\n").keep_alive);
    assert!(!persistence("Connection: keep-alive, close\r\n").keep_alive);
    assert_eq!(persistence("Keep-Alive: timeout=5, max=100\r\n").timeout, Some(5));
    assert_eq!(persistence("Keep-Alive: max=3, Timeout = 7\r\n").timeout, Some(7));
    let old = read("HTTP/1.0 200 OK\r\n\r\n").unwrap().unwrap();
    assert!(!old.persistence().keep_alive);
}
