//! Takes HTTP/1 messages apart, as a client does that wants to know exactly
//! what came: order, case and framing are kept.
//!
//! It knows no limits and no recovery; what it cannot read is an error that
//! says where. Used by [`wire`](crate::wire) and by the judge of the cases.

use serde::Deserialize;

use crate::bytes::{find, to_text};

/// A header or trailer line: the name in its own case, and the value.
pub type Field = (String, String);

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection.
    Close,
    /// There is no body.
    None,
}

/// A message: a request, or a response with the interim ones before it.
#[derive(Clone, Debug)]
pub struct Message {
    /// The request line or status line, without its end.
    pub line: String,
    /// The header lines in order.
    pub headers: Vec<Field>,
    /// The body, without its chunks.
    pub body: Vec<u8>,
    /// The trailer lines in order.
    pub trailers: Vec<Field>,
    /// How the end of the body is told.
    pub framing: Framing,
    /// Whether the whole message was received.
    pub complete: bool,
    /// The interim responses before this one.
    pub interim: Vec<Interim>,
}

/// An interim response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interim {
    /// Its status.
    pub status: u16,
    /// Its header lines in order.
    pub headers: Vec<Field>,
}

/// What a byte stream holds: messages, and what is behind the last of them.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// The messages in order; the last one may be incomplete.
    pub messages: Vec<Message>,
    /// Bytes that are no message, or only the beginning of a head.
    pub rest: Vec<u8>,
    /// Why the rest is no message, if that is certain.
    pub error: Option<String>,
}

impl Message {
    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        status_of(&self.line)
    }

    /// The reason phrase of a response.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.line.splitn(3, ' ').nth(2)
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// All values of a header, by name in any case.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// The first value of a header, by name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.values(name).first().copied()
    }

    /// The body as text, one char for each byte.
    #[must_use]
    pub fn text(&self) -> String {
        to_text(&self.body)
    }
}

/// Reads the response at the beginning of `bytes`, with the interim ones
/// before it: the message, and how many bytes it took. None if its head is
/// not whole yet.
///
/// `to_head` says that the request was a HEAD, `ended` that no more bytes
/// will come.
///
/// # Errors
///
/// If the bytes are no response.
pub fn response(bytes: &[u8], to_head: bool, ended: bool) -> Result<Option<(Message, usize)>, String> {
    let mut interim = Vec::new();
    let mut taken = 0;
    loop {
        let rest = bytes.get(taken..).unwrap_or_default();
        let Some(head) = head(rest)? else {
            return Ok(None);
        };
        taken += head.len;
        let Some(status) = status_of(&head.line) else {
            return Err(format!("`{}` is no status line", head.line));
        };
        if (100..200).contains(&status) && status != 101 {
            interim.push(Interim { status, headers: head.headers });
            continue;
        }
        let bodyless = to_head || matches!(status, 101 | 204 | 304);
        let framing = framing(&head.headers, if bodyless { Bodyless::Always } else { Bodyless::Never })?;
        let body = body(bytes.get(taken..).unwrap_or_default(), framing, ended)?;
        let taken = taken + body.len;
        return Ok(Some((message(head, framing.into(), body, interim), taken)));
    }
}

/// Reads the request at the beginning of `bytes`: the message, and how many
/// bytes it took. None if its head is not whole yet.
///
/// # Errors
///
/// If the bytes are no request.
pub fn request(bytes: &[u8]) -> Result<Option<(Message, usize)>, String> {
    let Some(head) = head(bytes)? else {
        return Ok(None);
    };
    let framing = framing(&head.headers, Bodyless::WithoutLength)?;
    let body = body(bytes.get(head.len..).unwrap_or_default(), framing, false)?;
    let taken = head.len + body.len;
    Ok(Some((message(head, framing.into(), body, Vec::new()), taken)))
}

/// Reads all responses of a stream. `methods` are those of the requests; what
/// is behind them counts as GET.
#[must_use]
pub fn responses(bytes: &[u8], methods: &[String], ended: bool) -> Stream {
    let mut methods = methods.iter();
    stream(bytes, |rest| {
        let to_head = methods.next().is_some_and(|method| method == "HEAD");
        response(rest, to_head, ended)
    })
}

/// Reads all requests of a stream.
#[must_use]
pub fn requests(bytes: &[u8]) -> Stream {
    stream(bytes, request)
}

fn stream(bytes: &[u8], mut next: impl FnMut(&[u8]) -> Result<Option<(Message, usize)>, String>) -> Stream {
    let mut stream = Stream::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        match next(rest) {
            Ok(Some((message, taken))) => {
                stream.messages.push(message);
                rest = rest.get(taken..).unwrap_or_default();
            }
            Ok(None) => break,
            Err(error) => {
                stream.error = Some(error);
                break;
            }
        }
    }
    stream.rest = rest.to_vec();
    stream
}

struct Head {
    line: String,
    headers: Vec<Field>,
    len: usize,
}

fn head(bytes: &[u8]) -> Result<Option<Head>, String> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = to_text(bytes.get(..end).unwrap_or_default());
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let headers = lines.map(field).collect::<Result<_, _>>()?;
    Ok(Some(Head { line, headers, len: end + 4 }))
}

fn field(line: &str) -> Result<Field, String> {
    let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` is no header line"))?;
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn status_of(line: &str) -> Option<u16> {
    let mut parts = line.splitn(3, ' ');
    parts.next().filter(|version| version.starts_with("HTTP/1."))?;
    parts.next().filter(|status| status.len() == 3)?.parse().ok()
}

fn values<'a>(fields: &'a [Field], name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
}

fn message(head: Head, framing: Framing, body: Body, interim: Vec<Interim>) -> Message {
    let Head { line, headers, .. } = head;
    let Body { bytes, trailers, complete, .. } = body;
    Message { line, headers, body: bytes, trailers, framing, complete, interim }
}

/// When a message has no body.
enum Bodyless {
    Never,
    Always,
    WithoutLength,
}

#[derive(Clone, Copy)]
enum Sized {
    Length(usize),
    Chunked,
    Close,
    None,
}

impl From<Sized> for Framing {
    fn from(sized: Sized) -> Self {
        match sized {
            Sized::Length(_) => Self::Length,
            Sized::Chunked => Self::Chunked,
            Sized::Close => Self::Close,
            Sized::None => Self::None,
        }
    }
}

fn framing(headers: &[Field], bodyless: Bodyless) -> Result<Sized, String> {
    if matches!(bodyless, Bodyless::Always) {
        return Ok(Sized::None);
    }
    if let Some(coding) = values(headers, "transfer-encoding").last() {
        let last = coding.rsplit(',').next().unwrap_or_default().trim();
        return Ok(if last.eq_ignore_ascii_case("chunked") { Sized::Chunked } else { Sized::Close });
    }
    match (values(headers, "content-length").as_slice(), bodyless) {
        ([], Bodyless::WithoutLength) => Ok(Sized::None),
        ([], _) => Ok(Sized::Close),
        ([length], _) => length.parse().map(Sized::Length).map_err(|_| format!("`{length}` is no length")),
        (lengths, _) => Err(format!("{} Content-Length headers", lengths.len())),
    }
}

struct Body {
    bytes: Vec<u8>,
    trailers: Vec<Field>,
    complete: bool,
    len: usize,
}

fn body(bytes: &[u8], framing: Sized, ended: bool) -> Result<Body, String> {
    let plain = |length: usize, complete| Body {
        bytes: bytes.get(..length).unwrap_or_default().to_vec(),
        trailers: Vec::new(),
        complete,
        len: length,
    };
    Ok(match framing {
        Sized::None => plain(0, true),
        Sized::Length(length) => plain(length.min(bytes.len()), bytes.len() >= length),
        Sized::Close => plain(bytes.len(), ended),
        Sized::Chunked => return chunked(bytes),
    })
}

fn chunked(bytes: &[u8]) -> Result<Body, String> {
    let mut body = Vec::new();
    let mut rest = bytes;
    let cut = |body| Body { bytes: body, trailers: Vec::new(), complete: false, len: bytes.len() };
    loop {
        let Some(line) = find(rest, b"\r\n") else {
            return Ok(cut(body));
        };
        let (line, after) = rest.split_at(line);
        let after = after.get(2..).unwrap_or_default();
        let digits = to_text(line.split(|byte| *byte == b';').next().unwrap_or_default());
        let size = usize::from_str_radix(&digits, 16).map_err(|_| format!("`{digits}` is no chunk size"))?;
        if size == 0 {
            // From the end of the size line, so that a body without trailers
            // ends like one with them.
            let from_line_end = rest.get(line.len()..).unwrap_or_default();
            let Some(end) = find(from_line_end, b"\r\n\r\n") else {
                return Ok(cut(body));
            };
            let text = to_text(from_line_end.get(2..end).unwrap_or_default());
            let trailers =
                text.split("\r\n").filter(|line| !line.is_empty()).map(field).collect::<Result<_, _>>()?;
            let len = bytes.len() - from_line_end.len() + end + 4;
            return Ok(Body { bytes: body, trailers, complete: true, len });
        }
        let Some((chunk, after)) = after.split_at_checked(size) else {
            body.extend_from_slice(after);
            return Ok(cut(body));
        };
        body.extend_from_slice(chunk);
        rest = match after {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(cut(body)),
            _ => return Err("a chunk is longer than its size".to_owned()),
        };
    }
}

#[cfg(test)]
mod tests;
