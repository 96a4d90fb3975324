//! The head of a request: found in the bytes, parsed by `httparse`, and then
//! judged more strictly than `httparse` does (RFC 9112 sections 2 to 6). What
//! could be read in two ways is refused, before any guest hears of it.

mod overlay;
mod target;

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;

use bytes::{Buf, Bytes, BytesMut};

pub use overlay::Overlay;

use overlay::{Laid, LaidLine};
use target::{check_host, check_target};

use crate::wire::error::ClientFault;
use crate::wire::http1::syntax::{
    contains_word, content_length, is_field_value, is_token, is_token_byte, list,
};

/// Headers that are parsed without an allocation; more are rare.
const HEADERS_INLINE: usize = 64;

/// How much a head or a trailer section may hold.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// `head_bytes_max`.
    pub bytes_max: usize,
    /// `header_count_max`.
    pub count_max: usize,
}

impl HeadLimits {
    /// Bytes that a head within the limits can take with its separators.
    pub fn raw_bytes_max(self) -> usize {
        self.bytes_max.saturating_add(self.count_max.saturating_mul(4)).saturating_add(REQUEST_LINE_OVERHEAD)
    }
}

/// Method, version and blanks of a request line: more than any method needs.
const REQUEST_LINE_OVERHEAD: usize = 256;

/// A request head that passed every check.
#[derive(Debug)]
pub struct RequestHead {
    raw: Bytes,
    method: Range<usize>,
    target: Range<usize>,
    lines: Vec<LineRange>,
    /// What the host puts over it for the guest.
    laid: OnceLock<Box<Laid>>,
    /// Whether the version is 1.1, not 1.0.
    pub version_1_1: bool,
    /// How the body is framed.
    pub framing: BodyFraming,
    /// Whether the client lets the connection go on.
    pub keep_alive: bool,
    /// What the client expects before it sends the body.
    pub expectation: Expectation,
    /// Whether the client may hold the body back until a 100 comes, among
    /// whatever else it expects.
    pub awaits_continue: bool,
    /// Whether the client asks for another protocol: an `Upgrade` that names
    /// one, and `Connection: upgrade` (RFC 9110 7.8). Not in HTTP/1.0.
    pub upgrade: bool,
}

#[derive(Debug)]
struct LineRange {
    name: Range<usize>,
    value: Range<usize>,
}

/// How a message frames its body (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection; a response only.
    Close,
}

/// The `Expect` header (RFC 9110 10.1.1); HTTP/1.0 has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing.
    None,
    /// `100-continue`.
    Continue,
    /// Something else.
    Other,
}

impl RequestHead {
    /// The method, in its own case.
    pub fn method(&self) -> &str {
        self.text(&self.method)
    }

    /// The request target as the guest sees it.
    pub fn target(&self) -> &str {
        match self.laid.get().and_then(|laid| laid.target.as_deref()) {
            Some(target) => target,
            None => self.original_target(),
        }
    }

    /// The request target as it came.
    pub fn original_target(&self) -> &str {
        self.text(&self.target)
    }

    /// The header lines in order, names in their own case, as the guest sees
    /// them.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        let laid = self.laid.get().and_then(|laid| laid.lines.as_deref());
        let count = laid.map_or(self.lines.len(), <[LaidLine]>::len);
        (0..count).map(move |at| match laid {
            None => self.line(at),
            Some(laid) => match laid.get(at) {
                Some(LaidLine::Set(name, value)) => (name.as_str(), value.as_slice()),
                Some(LaidLine::Came(at)) => self.line(*at),
                None => Default::default(),
            },
        })
    }

    /// Puts something over what came, for the guest to see instead; before it
    /// does, and once. A second overlay changes nothing.
    pub fn overlay(&self, overlay: Overlay) {
        let lines = (0..self.lines.len()).map(|at| self.line(at).0);
        // A second one would be a change under the guest's eyes.
        let _ = self.laid.set(Box::new(overlay.lay(lines)));
    }

    fn line(&self, at: usize) -> (&str, &[u8]) {
        let Some(line) = self.lines.get(at) else { return Default::default() };
        (self.text(&line.name), self.raw.get(line.value.clone()).unwrap_or_default())
    }

    /// The values of a header, by name in any case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self, range: &Range<usize>) -> &str {
        // Method, target and names are ASCII by the time there is a head.
        self.raw.get(range.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// Looks for the end of a head while its bytes come in, each byte once.
#[derive(Debug, Default)]
pub struct HeadScanner {
    scanned: usize,
    line: usize,
    lines: usize,
    request_line_bytes: usize,
}

impl HeadScanner {
    /// Looks at what came since the last call. Takes the head off `buffer`
    /// once it is complete; leading empty lines are dropped (RFC 9112 2.2).
    ///
    /// # Errors
    /// As soon as the bytes cannot become a good head any more.
    pub fn advance(
        &mut self,
        buffer: &mut BytesMut,
        limits: HeadLimits,
    ) -> Result<Option<RequestHead>, ClientFault> {
        if self.scanned == 0 {
            skip_empty_lines(buffer);
            match buffer.as_ref() {
                [] | [b'\r'] => return Ok(None),
                [byte, ..] if *byte == b'\r' || is_token_byte(*byte) => {}
                _ => return Err(ClientFault::Malformed("method")),
            }
        }
        let lines_before = self.lines;
        if let Some(end) = self.scan(buffer)? {
            self.check_size(end, limits)?;
            // Usually the head is all there is: taken whole, it is not copied.
            let whole = end == buffer.len();
            let raw = if whole { std::mem::take(buffer) } else { buffer.split_to(end) };
            let lines = self.lines - 1;
            *self = HeadScanner::default();
            return match parse(raw.freeze(), lines, limits) {
                Ok(head) => Ok(Some(head)),
                Err((fault, raw)) => {
                    // For whoever wants to see what was wrong.
                    let rest = std::mem::replace(buffer, BytesMut::from(raw));
                    buffer.extend_from_slice(&rest);
                    Err(fault)
                }
            };
        }
        if self.lines > lines_before {
            check_so_far(buffer.get(..self.line).unwrap_or_default(), self.lines, limits)?;
        }
        self.check_size(buffer.len(), limits)?;
        Ok(None)
    }

    /// Bounds what a head takes with its blanks, which no other limit counts;
    /// the same for a head that comes at once as for one that comes in pieces.
    fn check_size(&self, bytes: usize, limits: HeadLimits) -> Result<(), ClientFault> {
        let request_line_bytes = if self.lines == 0 { bytes } else { self.request_line_bytes };
        if request_line_bytes > limits.bytes_max.saturating_add(REQUEST_LINE_OVERHEAD) {
            return Err(ClientFault::TargetTooLong);
        }
        if bytes > limits.raw_bytes_max() { Err(ClientFault::HeadTooLarge) } else { Ok(()) }
    }

    /// Finds the empty line, and refuses line ends that are not CRLF and
    /// control characters on the way.
    fn scan(&mut self, buffer: &[u8]) -> Result<Option<usize>, ClientFault> {
        let mut before = self.scanned.checked_sub(1).and_then(|at| buffer.get(at)).copied();
        for (at, &byte) in buffer.iter().enumerate().skip(self.scanned) {
            match (before, byte) {
                (Some(b'\r'), b'\n') if at - 1 == self.line => return Ok(Some(at + 1)),
                (Some(b'\r'), b'\n') => {
                    self.line = at + 1;
                    self.lines += 1;
                    if self.lines == 1 {
                        self.request_line_bytes = self.line;
                    }
                }
                (_, b'\n') => return Err(ClientFault::Malformed("LF without CR")),
                (Some(b'\r'), _) => return Err(ClientFault::Malformed("CR without LF")),
                (_, b'\r' | b'\t' | b' '..=b'~' | 0x80..) => {}
                _ => return Err(ClientFault::Malformed("control character")),
            }
            before = Some(byte);
        }
        self.scanned = buffer.len();
        Ok(None)
    }
}

/// Drops empty lines before a request (RFC 9112 2.2).
pub fn skip_empty_lines(buffer: &mut BytesMut) {
    while buffer.starts_with(b"\r\n") {
        buffer.advance(2);
    }
}

/// Refuses complete lines of an incomplete head as soon as they are wrong.
fn check_so_far(lines: &[u8], count: usize, limits: HeadLimits) -> Result<(), ClientFault> {
    if count > limits.count_max.saturating_add(1) {
        return Err(ClientFault::TooManyHeaders);
    }
    let mut headers = vec![httparse::EMPTY_HEADER; count];
    match httparse::Request::new(&mut headers).parse(lines) {
        Ok(_) => Ok(()),
        Err(error) => Err(fault_of(error, lines)),
    }
}

/// For a look at lines that are not counted.
const ANY_SIZE: HeadLimits = HeadLimits { bytes_max: usize::MAX, count_max: usize::MAX };

/// The bytes of `raw` up to the end of its last line that is good together
/// with all before it.
pub fn good_bytes(raw: &[u8]) -> usize {
    let ends: Vec<_> = memchr::memmem::find_iter(raw, b"\r\n").map(|at| at + 2).collect();
    let good = ends.partition_point(|&end| {
        let lines = raw.get(..end).unwrap_or_default();
        check_so_far(lines, ends.len(), ANY_SIZE).is_ok()
    });
    good.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0)
}

/// Gives the bytes back if they are no good head.
fn parse(raw: Bytes, count: usize, limits: HeadLimits) -> Result<RequestHead, (ClientFault, Bytes)> {
    let mut head = RequestHead {
        raw,
        method: 0..0,
        target: 0..0,
        lines: Vec::new(),
        laid: OnceLock::new(),
        version_1_1: false,
        framing: BodyFraming::None,
        keep_alive: false,
        expectation: Expectation::None,
        awaits_continue: false,
        upgrade: false,
    };
    match parse_lines(&mut head, count, limits).and_then(|()| judge(&mut head, limits)) {
        Ok(()) => Ok(head),
        Err(fault) => Err((fault, head.raw)),
    }
}

fn parse_lines(head: &mut RequestHead, count: usize, limits: HeadLimits) -> Result<(), ClientFault> {
    if count > limits.count_max {
        return Err(ClientFault::TooManyHeaders);
    }
    let mut inline = [const { MaybeUninit::uninit() }; HEADERS_INLINE];
    let mut spilled = Vec::new();
    let headers = if count <= HEADERS_INLINE {
        &mut inline[..]
    } else {
        spilled.resize_with(count, MaybeUninit::uninit);
        &mut spilled[..]
    };
    let raw = &head.raw;
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(raw, headers) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(ClientFault::Malformed("request line")),
        Err(error) => return Err(fault_of(error, raw)),
    }
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    check_target(method, target)?;
    let lines = request.headers.iter().map(|header| LineRange {
        name: range_in(raw, header.name.as_bytes()),
        value: range_in(raw, header.value.trim_ascii()),
    });
    head.lines = lines.collect();
    (head.method, head.target) = (range_in(raw, method.as_bytes()), range_in(raw, target.as_bytes()));
    head.version_1_1 = request.version == Some(1);
    Ok(())
}

/// Everything that follows from the fields.
fn judge(head: &mut RequestHead, limits: HeadLimits) -> Result<(), ClientFault> {
    let mut bytes = head.target.len();
    if bytes >= limits.bytes_max {
        return Err(ClientFault::TargetTooLong);
    }
    let (mut hosts, mut lengths, mut codings) = (0, 0, Codings::default());
    let (mut wishes, mut upgrades, mut length) = (Wishes::default(), Upgrades::default(), None);
    let (mut expectation, mut awaits_continue) = (Expectation::None, false);
    for (name, value) in head.lines() {
        bytes += name.len() + value.len();
        if !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(ClientFault::Malformed("header"));
        }
        if name.eq_ignore_ascii_case("host") {
            hosts += 1;
            check_host(value)?;
        } else if name.eq_ignore_ascii_case("content-length") {
            lengths += 1;
            length = content_length(value);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            codings.add(value);
        } else if name.eq_ignore_ascii_case("connection") {
            wishes.add(value);
        } else if name.eq_ignore_ascii_case("upgrade") {
            upgrades.add(value);
        } else if name.eq_ignore_ascii_case("expect") && head.version_1_1 {
            let known = contains_word(value, b"100-continue");
            awaits_continue |= known;
            let all_known = known && expectation != Expectation::Other;
            expectation = if all_known { Expectation::Continue } else { Expectation::Other };
        }
    }
    if bytes >= limits.bytes_max {
        return Err(ClientFault::HeadTooLarge);
    }
    if hosts > 1 || (hosts == 0 && head.version_1_1) {
        return Err(ClientFault::Malformed("Host header"));
    }
    head.framing = match (lengths, length, codings.lines) {
        (0, _, 0) => BodyFraming::None,
        (1, Some(length), 0) => BodyFraming::Length(length),
        (0, _, _) if head.version_1_1 => codings.framing()?,
        (0, _, _) => return Err(ClientFault::Malformed("Transfer-Encoding in HTTP/1.0")),
        (_, _, 0) => return Err(ClientFault::Malformed("Content-Length")),
        _ => return Err(ClientFault::Malformed("Content-Length beside Transfer-Encoding")),
    };
    // What follows is the tunnel's (RFC 9110 9.3.6); a length would be a
    // second reading of it.
    let content = !matches!(head.framing, BodyFraming::None | BodyFraming::Length(0));
    if content && head.method() == "CONNECT" {
        return Err(ClientFault::Malformed("content in CONNECT"));
    }
    head.keep_alive = !wishes.close && (head.version_1_1 || wishes.keep_alive);
    head.upgrade = head.version_1_1 && wishes.upgrade && upgrades.are_good();
    (head.expectation, head.awaits_continue) = (expectation, awaits_continue);
    Ok(())
}

/// What the `Connection` lines ask for (RFC 9110 7.6.1).
#[derive(Default)]
struct Wishes {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

impl Wishes {
    fn add(&mut self, value: &[u8]) {
        for member in list(value) {
            self.close |= member.eq_ignore_ascii_case(b"close");
            self.keep_alive |= member.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= member.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

/// The `Upgrade` lines taken together: protocols, each a name and perhaps a
/// version (RFC 9110 7.8). One that is none makes the client ask for nothing.
#[derive(Default)]
struct Upgrades {
    good: usize,
    bad: bool,
}

impl Upgrades {
    fn add(&mut self, value: &[u8]) {
        for member in list(value) {
            let mut parts = member.splitn(2, |&byte| byte == b'/');
            if parts.all(is_token) { self.good += 1 } else { self.bad = true }
        }
    }

    fn are_good(&self) -> bool {
        self.good > 0 && !self.bad
    }
}

/// The `Transfer-Encoding` lines taken together.
#[derive(Default)]
struct Codings {
    lines: usize,
    members: usize,
    chunked: usize,
    chunked_last: bool,
    empty: bool,
}

impl Codings {
    fn add(&mut self, value: &[u8]) {
        self.lines += 1;
        // An empty member is legal in a list, and dropped by some and not by
        // others: a second reading.
        for member in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.members += 1;
            self.empty |= member.is_empty();
            self.chunked_last = member.eq_ignore_ascii_case(b"chunked");
            self.chunked += usize::from(self.chunked_last);
        }
    }

    fn framing(&self) -> Result<BodyFraming, ClientFault> {
        if !self.chunked_last || self.chunked > 1 || self.empty {
            return Err(ClientFault::Malformed("Transfer-Encoding"));
        }
        if self.members > 1 { Err(ClientFault::TransferCoding) } else { Ok(BodyFraming::Chunked) }
    }
}

fn fault_of(error: httparse::Error, lines: &[u8]) -> ClientFault {
    match error {
        // A version that is one, of another major number.
        httparse::Error::Version if names_other_major(lines) => ClientFault::Version,
        httparse::Error::Version => ClientFault::Malformed("version"),
        httparse::Error::HeaderName => ClientFault::Malformed("header name"),
        httparse::Error::HeaderValue => ClientFault::Malformed("header value"),
        httparse::Error::TooManyHeaders => ClientFault::TooManyHeaders,
        _ => ClientFault::Malformed("request line"),
    }
}

fn names_other_major(lines: &[u8]) -> bool {
    let line = lines.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && *major != b'1' && minor.is_ascii_digit())
}

/// Where `part`, a slice of `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    if part.is_empty() || start >= whole.len() { 0..0 } else { start..start + part.len() }
}

#[cfg(test)]
mod tests;
