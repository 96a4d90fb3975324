//! A response on its way out: what the guest has set, when the head is fixed,
//! what of the body may be written. How the head then looks is
//! `response_head`'s. The rules are those of Node's `ServerResponse`; where
//! RFC 9112 says otherwise, it wins. Bytes end up in `output`; who sends them,
//! and when, is `wire::exchange`'s affair.

pub mod raw;
mod replaced;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use crate::wire::error::MessageError;
use crate::wire::http1::fields::{FieldLimits, Fields, Line, check_lines, is_framing, put_line};
use crate::wire::http1::output::Output;
use crate::wire::http1::response_head::{
    Draft, Framing, Plan, ResponseContext, check_status, put_status_line,
};
use crate::wire::http1::status;

pub use replaced::Hint;

/// A buffer this full makes `write` wait. Node's, since version 22.
pub const HIGH_WATER_MARK: usize = 64 * 1024;

/// One response (Node: `http.ServerResponse`).
#[derive(Debug)]
pub struct Response {
    context: ResponseContext,
    /// The status that the head will have.
    pub status: u16,
    /// The reason phrase, if it is not the usual one.
    pub reason: Option<String>,
    /// The headers set so far.
    pub fields: Fields,
    /// Whether `Date` is added.
    pub send_date: bool,
    /// Whether the guest wants the connection to go on.
    pub keep_alive: bool,
    phase: Phase,
    framing: Framing,
    /// The fixed head, until the first byte that goes with it.
    head: BytesMut,
    corked: u32,
    gathered: Vec<u8>,
    trailers: Vec<Line>,
    body_bytes: u64,
    /// Bytes put into `out` from the head on.
    queued: usize,
    /// Bytes of interim responses put into `out` before.
    interim: usize,
    out: Output,
}

/// How far the response is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The head can change.
    Open,
    /// The head is fixed, the body is under way.
    Fixed,
    /// `end` was called.
    Ended,
    /// It will not come to its end.
    Failed(MessageError),
}

impl Response {
    /// A response of which nothing is set.
    pub fn new(context: ResponseContext) -> Self {
        Response {
            keep_alive: context.keep_alive,
            context,
            status: 200,
            reason: None,
            fields: Fields::default(),
            send_date: true,
            phase: Phase::Open,
            framing: Framing::None,
            head: BytesMut::new(),
            corked: 0,
            gathered: Vec::new(),
            trailers: Vec::new(),
            body_bytes: 0,
            queued: 0,
            interim: 0,
            out: Output::default(),
        }
    }

    /// Whether the head is fixed (Node: `headersSent`).
    pub fn is_fixed(&self) -> bool {
        self.phase != Phase::Open
    }

    /// Whether `end` was called.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether nothing of the final response has been taken by the operating
    /// system, so that another can still be put in its place.
    pub fn is_unsent(&self) -> bool {
        // An interim response that left by half is not to be torn.
        self.out.len() == self.queued || self.out.len() == self.queued + self.interim
    }

    /// Whether the connection goes on after this response.
    pub fn keeps_alive(&self) -> bool {
        self.is_ended() && self.keep_alive
    }

    /// Whether only the end of the connection tells the client where the body
    /// ends, so that an early end must not look like a regular one.
    pub fn is_close_delimited(&self) -> bool {
        self.is_fixed() && self.framing == Framing::Close
    }

    /// Bytes of body so far, without their framing.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Bytes written and not yet taken by the operating system.
    pub fn buffered(&self) -> usize {
        self.out.len() + self.gathered.len()
    }

    /// What waits for the socket.
    pub fn out(&mut self) -> &mut Output {
        &mut self.out
    }

    /// Makes this the last response of its connection, as far as that can
    /// still be told.
    pub fn forbid_keep_alive(&mut self) {
        if !self.is_fixed() {
            self.keep_alive = false;
            self.context.keep_alive = false;
        }
    }

    /// The fields, if they can still change.
    ///
    /// # Errors
    /// `HeadersSent`, or why the response failed.
    pub fn open_fields(&mut self) -> Result<(&mut Fields, FieldLimits), MessageError> {
        self.check_open()?;
        Ok((&mut self.fields, self.context.field_limits))
    }

    /// Fixes the head; see `write-head`.
    ///
    /// # Errors
    /// Those of `write-head`; then the head is as it was.
    pub fn write_head(
        &mut self,
        status: u16,
        reason: Option<String>,
        lines: Vec<Line>,
    ) -> Result<(), MessageError> {
        self.check_open()?;
        check_status(status)?;
        let mut fields = self.fields.clone();
        fields.overlay(lines, self.context.field_limits)?;
        let reason = reason.or_else(|| self.reason.clone());
        let plan = self.draft(status, reason.as_deref(), &fields).plan(None)?;
        // `get-header` shows what was set, not what went out with this call.
        let set = std::mem::replace(&mut self.fields, fields);
        self.status = status;
        self.reason = reason;
        self.fix(plan);
        self.fields = set;
        Ok(())
    }

    /// Fixes the head if need be, and puts it out; see `flush-headers`.
    ///
    /// # Errors
    /// Those of `flush-headers`.
    pub fn flush_headers(&mut self) -> Result<(), MessageError> {
        self.check_alive()?;
        if self.phase == Phase::Open {
            let plan = self.plan(None)?;
            self.fix(plan);
        }
        self.put_head();
        Ok(())
    }

    /// Appends a piece of body; see `write`. `bounded` refuses it when the
    /// buffer is at its bound, for callers that do not wait afterwards.
    ///
    /// # Errors
    /// Those of `write` and `try-write`; then nothing was appended.
    pub fn write(&mut self, piece: Vec<u8>, bounded: bool) -> Result<(), MessageError> {
        match &self.phase {
            Phase::Ended => return Err(MessageError::WriteAfterEnd),
            Phase::Failed(error) => return Err(error.clone()),
            Phase::Open | Phase::Fixed => {}
        }
        if bounded && self.buffered().saturating_add(piece.len()) > self.context.buffer_bytes_max {
            return Err(MessageError::LimitExceeded("response_buffer_bytes_max"));
        }
        if self.phase == Phase::Open {
            let plan = self.plan(None)?;
            self.check_body(plan.framing, piece.len(), false)?;
            self.fix(plan);
        } else {
            self.check_body(self.framing, piece.len(), false)?;
        }
        if self.framing == Framing::None {
            return Ok(());
        }
        self.body_bytes += piece.len() as u64;
        if self.corked == 0 {
            self.put_piece(piece);
        } else {
            self.gathered.extend_from_slice(&piece);
            if self.gathered.len() >= HIGH_WATER_MARK {
                self.put_gathered();
            }
        }
        Ok(())
    }

    /// Ends the response; see `end`.
    ///
    /// # Errors
    /// Those of `end`. A body that is not as long as declared fails the
    /// response if its head was fixed before.
    pub fn end(&mut self, piece: Option<Vec<u8>>) -> Result<(), MessageError> {
        match &self.phase {
            Phase::Ended if piece.is_some() => return Err(MessageError::WriteAfterEnd),
            Phase::Ended => return Err(MessageError::AlreadyFinished),
            Phase::Failed(error) => return Err(error.clone()),
            Phase::Open | Phase::Fixed => {}
        }
        let length = piece.as_ref().map_or(0, Vec::len);
        if self.phase == Phase::Open {
            let plan = self.plan(Some(length as u64))?;
            self.check_body(plan.framing, length, true)?;
            self.fix(plan);
        } else if let Err(error) = self.check_body(self.framing, length, true) {
            if matches!(error, MessageError::ContentLengthMismatch { .. }) {
                self.phase = Phase::Failed(error.clone());
            }
            return Err(error);
        }
        self.put_gathered();
        self.put_head();
        if let Some(piece) = piece.filter(|_| self.framing != Framing::None) {
            self.body_bytes += piece.len() as u64;
            self.put_piece(piece);
        }
        if self.framing == Framing::Chunked {
            self.put_last_chunk();
        }
        self.phase = Phase::Ended;
        Ok(())
    }

    /// Whether it has no body, whatever is written as one: an answer to HEAD,
    /// a 204, a 304.
    pub fn is_bodiless(&self) -> bool {
        match self.phase {
            Phase::Open => self.plan(None).is_ok_and(|plan| plan.framing == Framing::None),
            _ => self.framing == Framing::None,
        }
    }

    /// Takes over limits that have changed, for what is set and written from
    /// now on.
    pub fn set_limits(
        &mut self,
        fields: FieldLimits,
        buffer_bytes_max: usize,
        reject_body_not_allowed: bool,
    ) {
        self.context.field_limits = fields;
        self.context.buffer_bytes_max = buffer_bytes_max;
        self.context.reject_body_not_allowed = reject_body_not_allowed;
    }

    /// Has the head say the id of the request in this header, whatever answers,
    /// unless the guest says it otherwise. The name is a token.
    pub fn set_request_id(&mut self, name: Arc<str>, id: String) {
        self.context.request_id = Some((name, id));
    }

    /// Takes over a `keep_alive_timeout` that has changed.
    pub fn set_keep_alive_timeout(&mut self, timeout: Option<Duration>) {
        self.context.keep_alive_timeout = timeout;
    }

    /// Holds pieces back; see `cork`.
    pub fn cork(&mut self) {
        self.corked = self.corked.saturating_add(1);
    }

    /// Ends one [`Response::cork`].
    pub fn uncork(&mut self) {
        self.corked = self.corked.saturating_sub(1);
        if self.corked == 0 {
            self.put_gathered();
        }
    }

    /// Sets the trailers; see `add-trailers`.
    ///
    /// # Errors
    /// Those of `add-trailers`; then the earlier ones stay.
    pub fn add_trailers(&mut self, lines: Vec<Line>) -> Result<(), MessageError> {
        self.check_alive()?;
        if self.is_ended() {
            return Err(MessageError::AlreadyFinished);
        }
        check_lines(&lines, self.context.field_limits)?;
        if let Some((name, _)) = lines.iter().find(|(name, _)| !may_be_trailer(name)) {
            return Err(MessageError::TrailerInvalid(format!("{name} cannot be a trailer (RFC 9110 6.5.1)")));
        }
        self.trailers = lines;
        Ok(())
    }

    /// Puts out an interim response; see `write-information`.
    ///
    /// # Errors
    /// Those of `write-information`.
    pub fn write_information(&mut self, status: u16, lines: &[Line]) -> Result<(), MessageError> {
        self.check_open()?;
        // 101 hands the connection over; that is not this response's to do.
        if !matches!(status, 100 | 102..=199) {
            return Err(MessageError::InvalidStatusCode(status));
        }
        check_lines(lines, self.context.field_limits)?;
        if let Some((name, _)) = lines.iter().find(|(name, _)| is_framing(name)) {
            return Err(MessageError::InvalidHeaderValue(format!(
                "{name} has no place in an interim response"
            )));
        }
        if self.buffered() >= self.context.buffer_bytes_max {
            return Err(MessageError::LimitExceeded("response_buffer_bytes_max"));
        }
        // RFC 9110 15.2: an HTTP/1.0 client does not know them.
        if self.context.version_1_1 {
            self.context.awaits_continue &= status != 100;
            let mut head = BytesMut::new();
            put_status_line(&mut head, status, status::reason(status));
            lines.iter().for_each(|(name, value)| put_line(&mut head, name, value));
            head.extend_from_slice(b"\r\n");
            self.interim += head.len();
            self.out.put(&head);
        }
        Ok(())
    }

    /// Gives the response up: nothing more can be written. What was put out
    /// and not sent is forgotten if `discard`.
    pub fn fail(&mut self, error: MessageError, discard: bool) {
        if discard {
            self.out.clear();
        }
        if !matches!(self.phase, Phase::Failed(_)) {
            self.phase = Phase::Failed(error);
        }
    }

    /// Why the response failed, if it did.
    pub fn failure(&self) -> Option<&MessageError> {
        match &self.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    fn check_open(&self) -> Result<(), MessageError> {
        self.check_alive()?;
        if self.is_fixed() { Err(MessageError::HeadersSent) } else { Ok(()) }
    }

    fn check_alive(&self) -> Result<(), MessageError> {
        self.failure().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Whether `length` more bytes fit the framing, as the last ones if `last`.
    fn check_body(&self, framing: Framing, length: usize, last: bool) -> Result<(), MessageError> {
        let actual = self.body_bytes + length as u64;
        match framing {
            Framing::None if self.context.reject_body_not_allowed && length > 0 => {
                Err(MessageError::BodyNotAllowed)
            }
            Framing::Length(declared) if actual > declared || (last && actual != declared) => {
                Err(MessageError::ContentLengthMismatch { declared, actual })
            }
            _ => Ok(()),
        }
    }

    /// The head as it would be with these parts.
    fn draft<'a>(&'a self, status: u16, reason: Option<&'a str>, fields: &'a Fields) -> Draft<'a> {
        Draft {
            context: &self.context,
            status,
            reason,
            fields,
            keep_alive: self.keep_alive && !self.context.awaits_continue,
            send_date: self.send_date,
        }
    }

    /// Plans the head as it is set.
    fn plan(&self, known: Option<u64>) -> Result<Plan, MessageError> {
        self.draft(self.status, self.reason.as_deref(), &self.fields).plan(known)
    }

    fn fix(&mut self, plan: Plan) {
        let mut head = std::mem::take(&mut self.head);
        self.draft(self.status, self.reason.as_deref(), &self.fields).render(&plan, &mut head);
        self.head = head;
        self.framing = plan.framing;
        self.keep_alive = !plan.closes;
        self.phase = Phase::Fixed;
    }

    fn put_head(&mut self) {
        if !self.head.is_empty() {
            let head = std::mem::take(&mut self.head);
            self.queued += head.len();
            self.out.put_buffer(head);
        }
    }

    fn put_gathered(&mut self) {
        if !self.gathered.is_empty() {
            let gathered = std::mem::take(&mut self.gathered);
            self.put_piece(gathered);
        }
    }

    fn put_piece(&mut self, piece: Vec<u8>) {
        self.put_head();
        if piece.is_empty() {
            return;
        }
        let chunked = self.framing == Framing::Chunked;
        self.queuing(|out| if chunked { out.put_chunk(piece) } else { out.put_owned(piece) });
    }

    fn put_last_chunk(&mut self) {
        let trailers = std::mem::take(&mut self.trailers);
        self.queuing(|out| out.put_last_chunk(&trailers));
    }

    /// Counts what `put` puts out.
    fn queuing(&mut self, put: impl FnOnce(&mut Output)) {
        let before = self.out.len();
        put(&mut self.out);
        self.queued += self.out.len() - before;
    }
}

/// Whether a field may be a trailer: not if it frames a message or decides
/// where it goes (RFC 9110 6.5.1).
pub fn may_be_trailer(name: &str) -> bool {
    !is_framing(name)
        && !["connection", "host", "keep-alive", "trailer", "upgrade", "te", "date", "set-cookie", "cookie"]
            .iter()
            .chain(&[
                "authorization",
                "www-authenticate",
                "content-encoding",
                "content-type",
                "content-range",
            ])
            .any(|other| name.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests;
