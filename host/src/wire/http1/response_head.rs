//! The head of a response: how the body will be framed, whether the connection
//! goes on, and the bytes that say so (RFC 9112 6 and 9; Node's
//! `_storeHeader`). Decides, and changes nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use crate::wire::error::MessageError;
use crate::wire::http1::date::put_date;
use crate::wire::http1::fields::{FieldLimits, Fields, put_line};
use crate::wire::http1::status;
use crate::wire::http1::syntax::{contains_word, content_length, is_field_value};

/// What a response has to know of its request and of the host.
#[derive(Debug, Clone)]
pub struct ResponseContext {
    /// Whether the client speaks HTTP/1.1, and so understands chunks and 1xx.
    pub version_1_1: bool,
    /// Whether the request is a HEAD.
    pub head_request: bool,
    /// Whether the connection may go on, by the request and by the host.
    pub keep_alive: bool,
    /// Whether the client waits for a 100 that was not sent yet. A final
    /// response then closes: the body may come or not.
    pub awaits_continue: bool,
    /// `keep_alive_timeout`, for the `Keep-Alive` header.
    pub keep_alive_timeout: Option<Duration>,
    /// `requests_per_connection_max`, for the same.
    pub requests_max: Option<u64>,
    /// A header that tells the client the id of its request.
    pub request_id: Option<(Arc<str>, String)>,
    /// `reject_body_not_allowed`.
    pub reject_body_not_allowed: bool,
    /// `response_buffer_bytes_max`.
    pub buffer_bytes_max: usize,
    /// How large the head may be.
    pub field_limits: FieldLimits,
}

/// How the client finds the end of the body (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body; what is written is dropped.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The connection's end.
    Close,
}

/// A head about to be fixed: what is generated beside the guest's fields.
pub struct Plan {
    /// Where the body will end.
    pub framing: Framing,
    /// Whether the connection closes after this response.
    pub closes: bool,
    skip_length: bool,
    skip_coding: bool,
    add_length: Option<u64>,
    add_coding: bool,
}

/// A head that is not fixed yet.
pub struct Draft<'a> {
    /// Request and host.
    pub context: &'a ResponseContext,
    /// The status.
    pub status: u16,
    /// The reason phrase, if it is not the usual one.
    pub reason: Option<&'a str>,
    /// The guest's fields.
    pub fields: &'a Fields,
    /// Whether the guest lets the connection go on.
    pub keep_alive: bool,
    /// Whether `Date` is added.
    pub send_date: bool,
}

impl Draft<'_> {
    /// Decides framing and persistence. `known` is the body's length if `end`
    /// is what fixes the head.
    ///
    /// # Errors
    /// A status, reason phrase or combination of fields that cannot be sent.
    pub fn plan(&self, known: Option<u64>) -> Result<Plan, MessageError> {
        let Draft { context, status, reason, fields, .. } = *self;
        check_status(status)?;
        if reason.is_some_and(|reason| !is_field_value(reason.as_bytes())) {
            return Err(MessageError::InvalidChar("the reason phrase".to_owned()));
        }
        if reason.map_or(0, str::len) + fields.bytes() > context.field_limits.bytes_max {
            return Err(MessageError::LimitExceeded("response_head_bytes_max"));
        }
        let length = fields.first("content-length").and_then(content_length);
        let coding = fields.has("transfer-encoding");
        if length.is_some() && coding {
            return Err(MessageError::InvalidHeaderValue(
                "Content-Length and Transfer-Encoding exclude each other (RFC 9112 6.2)".to_owned(),
            ));
        }
        let trailer = fields.has("trailer");
        if length.is_some() && trailer {
            return Err(MessageError::TrailerInvalid(
                "Trailer and Content-Length exclude each other".to_owned(),
            ));
        }
        let mut plan = Plan {
            framing: Framing::None,
            skip_length: false,
            skip_coding: coding && !context.version_1_1,
            add_length: None,
            add_coding: false,
            closes: false,
        };
        if status == 204 || status == 205 {
            // RFC 9110 8.6 and 15.3.6: a 204 has neither field, a 205 no body.
            plan.skip_length = true;
            plan.skip_coding = true;
            plan.add_length = (status == 205).then_some(0);
        } else if context.head_request || status == 304 {
            // Node ends the connection after a 304 that says `chunked`.
            plan.closes = coding && status == 304;
        } else if let Some(length) = length {
            plan.framing = Framing::Length(length);
        } else if !context.version_1_1 {
            plan.framing = Framing::Close;
        } else if coding {
            plan.framing = Framing::Chunked;
        } else if let Some(known) = known.filter(|_| !trailer && !fields.suppressed.content_length) {
            plan.framing = Framing::Length(known);
            plan.add_length = Some(known);
        } else if !fields.suppressed.transfer_encoding {
            plan.framing = Framing::Chunked;
            plan.add_coding = true;
        } else {
            plan.framing = Framing::Close;
        }
        plan.closes |= plan.framing == Framing::Close
            || !self.keep_alive
            || !context.keep_alive
            || self.says_close()
            || (!context.version_1_1 && length.is_none());
        Ok(plan)
    }

    /// Renders the head: the guest's fields, then `Date`, `Connection`,
    /// `Keep-Alive` and the framing, as Node orders them.
    pub fn render(&self, plan: &Plan, head: &mut BytesMut) {
        let Draft { context, status, reason, fields, .. } = *self;
        head.reserve(fields.bytes() + 192);
        put_status_line(head, status, reason.unwrap_or_else(|| status::reason(status)));
        let own_connection = fields.has("connection");
        let contradicts = plan.closes && own_connection && !self.says_close();
        let generates = !own_connection && !fields.suppressed.connection;
        fields.render(head, |name| {
            (plan.skip_length && name.eq_ignore_ascii_case("content-length"))
                || (plan.skip_coding && name.eq_ignore_ascii_case("transfer-encoding"))
                || (contradicts && name.eq_ignore_ascii_case("connection"))
        });
        if let Some((name, id)) = context.request_id.as_ref().filter(|(name, _)| !fields.has(name)) {
            put_line(head, name, id.as_bytes());
        }
        if self.send_date && !fields.suppressed.date && !fields.has("date") {
            put_date(head);
        }
        if contradicts || (generates && plan.closes) {
            head.extend_from_slice(b"Connection: close\r\n");
        } else if generates {
            head.extend_from_slice(b"Connection: keep-alive\r\n");
            if !fields.has("keep-alive") {
                put_keep_alive(head, context.keep_alive_timeout, context.requests_max);
            }
        }
        if let Some(length) = plan.add_length {
            put_line(head, "Content-Length", itoa::Buffer::new().format(length).as_bytes());
        }
        if plan.add_coding {
            head.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        head.extend_from_slice(b"\r\n");
    }

    /// Whether the guest's own `Connection` says `close`.
    fn says_close(&self) -> bool {
        let values = self.fields.get("connection").unwrap_or_default();
        values.iter().any(|value| contains_word(value, b"close"))
    }
}

/// Appends a status line; always of HTTP/1.1, to whoever it goes.
pub fn put_status_line(head: &mut BytesMut, status: u16, reason: &str) {
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    head.extend_from_slice(b" ");
    head.extend_from_slice(reason.as_bytes());
    head.extend_from_slice(b"\r\n");
}

fn put_keep_alive(head: &mut BytesMut, timeout: Option<Duration>, requests_max: Option<u64>) {
    let Some(timeout) = timeout else { return };
    head.extend_from_slice(b"Keep-Alive: timeout=");
    head.extend_from_slice(itoa::Buffer::new().format(timeout.as_secs()).as_bytes());
    if let Some(max) = requests_max {
        head.extend_from_slice(b", max=");
        head.extend_from_slice(itoa::Buffer::new().format(max).as_bytes());
    }
    head.extend_from_slice(b"\r\n");
}

/// Refuses what cannot be a final status.
///
/// # Errors
/// `InvalidStatusCode`.
pub fn check_status(status: u16) -> Result<(), MessageError> {
    if (200..=999).contains(&status) { Ok(()) } else { Err(MessageError::InvalidStatusCode(status)) }
}
