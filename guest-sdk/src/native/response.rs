//! A response as its handler writes it: what is set, when the head is fixed,
//! what of the body may be written. What has gone out is `Sent`.

use super::fields::{Fields, check_lines, is_framing};
use super::framing::{Context, Draft, Fixed, Framing, check_status, reason_of};
use crate::{ErrorCode, Field};

/// A buffer this full goes out by itself. Node's, since version 22.
const HIGH_WATER_MARK: usize = 64 * 1024;

/// One response (Node: `http.ServerResponse`).
#[derive(Debug)]
pub struct Response {
    context: Context,
    pub status: u16,
    pub reason: Option<String>,
    pub fields: Fields,
    pub send_date: bool,
    pub keep_alive: bool,
    phase: Phase,
    /// The fixed head.
    head: Option<Fixed>,
    corked: u32,
    gathered: Vec<u8>,
    trailers: Vec<Field>,
    body_bytes: u64,
    /// What was put out and has not left.
    out: Vec<Piece>,
    sent: Sent,
}

/// How far the response is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Open,
    Fixed,
    Ended,
    Failed(ErrorCode),
}

/// What a client would have received.
#[derive(Debug, Default)]
pub struct Sent {
    pub interim: Vec<(u16, Vec<Field>)>,
    pub head: Option<(u16, String, Vec<Field>)>,
    pub pieces: Vec<Vec<u8>>,
    pub trailers: Vec<Field>,
    /// Whether the end came.
    pub ended: bool,
}

#[derive(Debug)]
enum Piece {
    Interim(u16, Vec<Field>),
    Head(u16, String, Vec<Field>),
    Body(Vec<u8>),
    End(Vec<Field>),
}

impl Response {
    /// A response of which nothing is set.
    pub fn new(context: Context) -> Self {
        Self {
            keep_alive: !context.closes,
            context,
            status: 200,
            reason: None,
            fields: Fields::default(),
            send_date: true,
            phase: Phase::Open,
            head: None,
            corked: 0,
            gathered: Vec::new(),
            trailers: Vec::new(),
            body_bytes: 0,
            out: Vec::new(),
            sent: Sent::default(),
        }
    }

    pub fn is_fixed(&self) -> bool {
        self.phase != Phase::Open
    }

    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Why the response failed, if it did.
    pub fn failure(&self) -> Option<&ErrorCode> {
        match &self.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Bytes written that have not left.
    pub fn buffered(&self) -> usize {
        self.out.iter().map(Piece::size).sum::<usize>() + self.gathered.len()
    }

    /// Sends what was put out: the client takes everything.
    pub fn flush(&mut self) {
        for piece in self.out.drain(..) {
            match piece {
                Piece::Interim(status, lines) => self.sent.interim.push((status, lines)),
                Piece::Head(status, reason, lines) => self.sent.head = Some((status, reason, lines)),
                Piece::Body(piece) => self.sent.pieces.push(piece),
                Piece::End(trailers) => {
                    self.sent.trailers = trailers;
                    self.sent.ended = true;
                }
            }
        }
    }

    /// The fields, if they can still change.
    ///
    /// # Errors
    /// `HeadersSent`, or why the response failed.
    pub fn open_fields(&mut self) -> Result<&mut Fields, ErrorCode> {
        self.check_open()?;
        Ok(&mut self.fields)
    }

    /// Fixes the head; see `write-head`.
    ///
    /// # Errors
    /// Those of `write-head`; then the head is as it was.
    pub fn write_head(
        &mut self,
        status: u16,
        reason: Option<String>,
        lines: Vec<Field>,
    ) -> Result<(), ErrorCode> {
        self.check_open()?;
        check_status(status)?;
        let mut fields = self.fields.clone();
        fields.overlay(lines)?;
        let reason = reason.or_else(|| self.reason.clone());
        let head = self.draft(status, reason.as_deref(), &fields, None).fix()?;
        // `get-header` shows what was set, not what went out with this call.
        self.status = status;
        self.reason = reason;
        self.fix(head);
        Ok(())
    }

    /// Fixes the head if need be, and puts it out; see `flush-headers`.
    ///
    /// # Errors
    /// Those of `flush-headers`.
    pub fn flush_headers(&mut self) -> Result<(), ErrorCode> {
        self.check_alive()?;
        if self.phase == Phase::Open {
            let head = self.plan(None)?;
            self.fix(head);
        }
        self.put_head();
        Ok(())
    }

    /// Appends a piece of body; see `write`.
    ///
    /// # Errors
    /// Those of `write`; then nothing was appended.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), ErrorCode> {
        match &self.phase {
            Phase::Ended => return Err(ErrorCode::WriteAfterEnd),
            Phase::Failed(error) => return Err(error.clone()),
            Phase::Open => {
                let head = self.plan(None)?;
                self.check_body(head.framing, piece.len(), false)?;
                self.fix(head);
            }
            Phase::Fixed => self.check_body(self.framing(), piece.len(), false)?,
        }
        if self.framing() == Framing::None {
            return Ok(());
        }
        self.body_bytes += piece.len() as u64;
        if self.corked == 0 {
            self.put_piece(piece.to_vec());
        } else {
            self.gathered.extend_from_slice(piece);
            if self.gathered.len() >= HIGH_WATER_MARK {
                self.put_gathered();
            }
        }
        if self.buffered() >= HIGH_WATER_MARK {
            self.flush();
        }
        Ok(())
    }

    /// Ends the response; see `end`.
    ///
    /// # Errors
    /// Those of `end`. A body that is not as long as declared fails the
    /// response if its head was fixed before.
    pub fn end(&mut self, piece: Option<&[u8]>) -> Result<(), ErrorCode> {
        let length = piece.map_or(0, <[u8]>::len);
        match &self.phase {
            Phase::Ended if piece.is_some() => return Err(ErrorCode::WriteAfterEnd),
            Phase::Ended => return Err(ErrorCode::AlreadyFinished),
            Phase::Failed(error) => return Err(error.clone()),
            Phase::Open => {
                let head = self.plan(Some(length as u64))?;
                self.check_body(head.framing, length, true)?;
                self.fix(head);
            }
            Phase::Fixed => {
                if let Err(error) = self.check_body(self.framing(), length, true) {
                    self.phase = Phase::Failed(error.clone());
                    return Err(error);
                }
            }
        }
        self.put_gathered();
        self.put_head();
        if let Some(piece) = piece.filter(|_| self.framing() != Framing::None) {
            self.body_bytes += piece.len() as u64;
            self.put_piece(piece.to_vec());
        }
        let trailers = std::mem::take(&mut self.trailers);
        let sent = if self.framing() == Framing::Chunked { trailers } else { Vec::new() };
        self.out.push(Piece::End(sent));
        self.phase = Phase::Ended;
        Ok(())
    }

    pub fn cork(&mut self) {
        self.corked = self.corked.saturating_add(1);
    }

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
    pub fn add_trailers(&mut self, lines: Vec<Field>) -> Result<(), ErrorCode> {
        self.check_alive()?;
        if self.is_ended() {
            return Err(ErrorCode::AlreadyFinished);
        }
        check_lines(&lines)?;
        if let Some((name, _)) = lines.iter().find(|(name, _)| !may_be_trailer(name)) {
            return Err(ErrorCode::TrailerInvalid(format!("{name} cannot be a trailer (RFC 9110 6.5.1)")));
        }
        self.trailers = lines;
        Ok(())
    }

    /// Puts out an interim response; see `write-information`.
    ///
    /// # Errors
    /// Those of `write-information`.
    pub fn write_information(&mut self, status: u16, lines: Vec<Field>) -> Result<(), ErrorCode> {
        self.check_open()?;
        // 101 hands the connection over; that is not this response's to do.
        if !matches!(status, 100 | 102..=199) {
            return Err(ErrorCode::InvalidStatusCode(status));
        }
        check_lines(&lines)?;
        if let Some((name, _)) = lines.iter().find(|(name, _)| is_framing(name)) {
            return Err(ErrorCode::InvalidHeaderValue(format!("{name} has no place in an interim response")));
        }
        // RFC 9110 15.2: an HTTP/1.0 client does not know them.
        if !self.context.http_1_0 {
            self.context.awaits_continue &= status != 100;
            self.out.push(Piece::Interim(status, lines));
        }
        Ok(())
    }

    /// Gives the response up: nothing more can be written, and what has not
    /// left is forgotten.
    pub fn fail(&mut self, error: ErrorCode) {
        if !matches!(self.phase, Phase::Failed(_)) {
            self.out.clear();
            self.phase = Phase::Failed(error);
        }
    }

    /// The handler has returned, and this is what the client has: if it has
    /// neither the end nor anything else, the host answers in its own words.
    pub fn conclude(mut self, destroyed: bool) -> Sent {
        let gone = destroyed || self.failure() == Some(&ErrorCode::ConnectionReset);
        if gone {
            // What was ended has left with that.
            self.out.clear();
        } else if !self.is_ended() && self.sent.head.is_none() {
            self.replace(500);
        }
        self.flush();
        self.sent
    }

    fn replace(&mut self, status: u16) {
        let mut answer = Self::new(self.context.clone());
        answer.sent = std::mem::take(&mut self.sent);
        answer.status = status;
        let set = answer.fields.set("Content-Type", vec![b"text/plain; charset=utf-8".to_vec()]);
        let body = format!("{status} {}\n", reason_of(status));
        let ended = set.and_then(|()| answer.end(Some(body.as_bytes())));
        debug_assert_eq!(ended, Ok(()), "the host's own answer is well formed");
        *self = answer;
    }

    fn check_open(&self) -> Result<(), ErrorCode> {
        self.check_alive()?;
        if self.is_fixed() { Err(ErrorCode::HeadersSent) } else { Ok(()) }
    }

    fn check_alive(&self) -> Result<(), ErrorCode> {
        self.failure().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Whether `length` more bytes fit the framing, as the last ones if `last`.
    fn check_body(&self, framing: Framing, length: usize, last: bool) -> Result<(), ErrorCode> {
        let actual = self.body_bytes + length as u64;
        match framing {
            Framing::Length(declared) if actual > declared || (last && actual != declared) => {
                Err(ErrorCode::ContentLengthMismatch { declared, actual })
            }
            _ => Ok(()),
        }
    }

    fn framing(&self) -> Framing {
        self.head.as_ref().map_or(Framing::None, |head| head.framing)
    }

    fn draft<'a>(
        &'a self,
        status: u16,
        reason: Option<&'a str>,
        fields: &'a Fields,
        known: Option<u64>,
    ) -> Draft<'a> {
        let keep_alive = self.keep_alive && !self.context.awaits_continue;
        Draft { context: &self.context, status, reason, fields, keep_alive, known }
    }

    fn plan(&self, known: Option<u64>) -> Result<Fixed, ErrorCode> {
        self.draft(self.status, self.reason.as_deref(), &self.fields, known).fix()
    }

    fn fix(&mut self, head: Fixed) {
        self.keep_alive = !head.closes;
        self.head = Some(head);
        self.phase = Phase::Fixed;
    }

    /// Puts the head out, unless it is out already.
    fn put_head(&mut self) {
        if let Some(head) = &mut self.head
            && !head.put
        {
            head.put = true;
            let lines = std::mem::take(&mut head.lines);
            self.out.push(Piece::Head(head.status, head.reason.clone(), lines));
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
        if !piece.is_empty() {
            self.out.push(Piece::Body(piece));
        }
    }
}

impl Piece {
    /// Bytes that it takes, without the framing of a body.
    fn size(&self) -> usize {
        let lines = |lines: &[Field]| lines.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        match self {
            Self::Interim(status, fields) => reason_of(*status).len() + 17 + lines(fields),
            Self::Head(_, reason, fields) => reason.len() + 17 + lines(fields),
            Self::Body(piece) => piece.len(),
            Self::End(trailers) => lines(trailers),
        }
    }
}

/// Whether a field may be a trailer: not if it frames a message or decides
/// where it goes (RFC 9110 6.5.1).
pub fn may_be_trailer(name: &str) -> bool {
    const NEVER: [&str; 14] = [
        "connection",
        "host",
        "keep-alive",
        "trailer",
        "upgrade",
        "te",
        "date",
        "set-cookie",
        "cookie",
        "authorization",
        "www-authenticate",
        "content-encoding",
        "content-type",
        "content-range",
    ];
    !is_framing(name) && !NEVER.iter().any(|other| name.eq_ignore_ascii_case(other))
}
