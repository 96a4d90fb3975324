//! [`Request`]: what a test asks, and of whom.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use super::{Answer, Call, Reply, Tunnelled};
use crate::client::url;
use crate::error::Chain;
use crate::glue::Outcome;
use crate::native::connection::Connection;
use crate::native::fields::{is_field_value, is_token};
use crate::native::framing::Context;
use crate::native::incoming::{Head, Incoming};
use crate::native::lock;
use crate::native::outgoing::origin;
use crate::native::response::Response;
use crate::native::types;
use crate::native::world::{World, within};
use crate::{ErrorCode, Field, HeaderValues, IncomingMessage, ServerResponse, Socket};

/// A request to a handler, as a client makes it. See [`request`](super::request()).
#[must_use = "nothing is asked before `send`"]
pub struct Request {
    method: String,
    url: String,
    http_1_0: bool,
    headers: Vec<Field>,
    pieces: VecDeque<Result<Vec<u8>, ErrorCode>>,
    streamed: bool,
    trailers: Vec<Field>,
    world: World,
}

/// What it says.
impl Request {
    pub(super) fn new(method: &str, url: &str) -> Self {
        assert!(is_token(method), "the method {method:?} is no token: a client could not send it");
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            http_1_0: false,
            headers: Vec::new(),
            pieces: VecDeque::new(),
            streamed: false,
            trailers: Vec::new(),
            world: World::default(),
        }
    }

    /// Adds a header, one line for each value. `Host: localhost` and what
    /// frames the body are added where they are not given.
    ///
    /// # Panics
    /// If a client could not send it.
    pub fn header(mut self, name: &str, values: impl HeaderValues) -> Self {
        self.headers.extend(lines(name, values));
        self
    }

    /// The body, which comes at once and with its `Content-Length`.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.pieces = VecDeque::from([Ok(body.into())]);
        self.streamed = false;
        self
    }

    /// Adds a piece of body. The first one is there when the handler begins,
    /// each further one, and the end, comes when the handler waits for it. The
    /// body is chunked.
    pub fn piece(mut self, piece: impl Into<Vec<u8>>) -> Self {
        self.pieces.push_back(Ok(piece.into()));
        self.streamed = true;
        self
    }

    /// Adds a trailer. The body is chunked.
    ///
    /// # Panics
    /// If a client could not send it.
    pub fn trailer(mut self, name: &str, values: impl HeaderValues) -> Self {
        self.trailers.extend(lines(name, values));
        self.streamed = true;
        self
    }

    /// Has the client go away in the middle of the body, after the pieces that
    /// were given: reading on is [`ErrorCode::ConnectionReset`], and so is all
    /// that is written after that.
    pub fn goes_away(self) -> Self {
        self.breaks(ErrorCode::ConnectionReset)
    }

    /// Has reading fail like this after the pieces that were given, such as
    /// with [`ErrorCode::LimitExceeded`] or [`ErrorCode::Timeout`].
    pub fn breaks(mut self, error: ErrorCode) -> Self {
        self.pieces.push_back(Err(error));
        self.streamed = true;
        self
    }

    /// Makes it a request of HTTP/1.0.
    pub fn http_1_0(mut self) -> Self {
        self.http_1_0 = true;
        self
    }
}

/// Where it goes.
impl Request {
    /// A server that the handler may call: `http://host` or `https://host`,
    /// with a port if it is not the usual one. Every request to it is handed to
    /// `answer` when the handler waits for the response. Requests to others
    /// are [`ErrorCode::Denied`].
    ///
    /// ```
    /// use innkeeper_guest::{IncomingMessage, Result, ServerResponse, client, handler, testing};
    ///
    /// #[handler]
    /// fn price(_req: IncomingMessage, res: ServerResponse) -> Result<()> {
    ///     let gold = client::get("http://prices.internal/gold")?.read_all(1024)?;
    ///     Ok(res.end(gold)?)
    /// }
    ///
    /// let answer = testing::get("/")
    ///     .upstream("http://prices.internal", |call| {
    ///         assert_eq!((call.method(), call.url()), ("GET", "/gold"));
    ///         "1984.23"
    ///     })
    ///     .send(price);
    /// assert_eq!(answer.text(), "1984.23");
    /// ```
    ///
    /// # Panics
    /// If it is no URL.
    pub fn upstream<R: Into<Reply>>(
        mut self,
        server: &str,
        mut answer: impl FnMut(&Call) -> R + 'static,
    ) -> Self {
        let known = url::parse(server).and_then(|url| origin(&url.scheme, &url.authority));
        let origin = known.unwrap_or_else(|error| panic!("{server:?} is no server: {error}"));
        self.world.upstreams.push((origin, Rc::new(RefCell::new(move |call: &Call| answer(call).into()))));
        self
    }

    /// Grants a bucket by this name; see [`testing::bucket`](super::bucket). Others
    /// are [`KeyValueError::NotGranted`](crate::keyvalue::KeyValueError::NotGranted).
    #[cfg(feature = "keyvalue")]
    pub fn bucket(mut self, name: &str, bucket: &crate::keyvalue::Bucket) -> Self {
        self.world.buckets.push((name.to_owned(), bucket.0.clone()));
        self
    }

    /// Gives a key of the configuration a value, for
    /// [`config`](crate::config).
    #[cfg(feature = "config")]
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.world.config.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Asks a [`handler`](macro@crate::handler) or a
    /// [`check_expectation_handler`](macro@crate::check_expectation_handler).
    /// With `Expect: 100-continue` it is told to go on first, as a host does.
    pub fn send<R: Outcome>(self, handler: impl FnOnce(IncomingMessage, ServerResponse) -> R) -> Answer {
        let expects = self.expects_continue();
        self.ask(handler, |response| {
            if expects {
                // Refused only if something was sent already.
                let _ = response.write_information(100, Vec::new());
                response.flush();
            }
        })
    }

    /// Asks a [`check_continue_handler`](macro@crate::check_continue_handler),
    /// with `Expect: 100-continue` added if it is not given.
    pub fn send_expecting<R: Outcome>(
        mut self,
        handler: impl FnOnce(IncomingMessage, ServerResponse) -> R,
    ) -> Answer {
        if !self.expects_continue() {
            self = self.header("Expect", "100-continue");
        }
        self.ask(handler, |_| {})
    }

    /// Has an [`upgrade_handler`](macro@crate::upgrade_handler) or a
    /// [`connect_handler`](macro@crate::connect_handler) take the connection
    /// over. The client sends these pieces, and then ends its side; a piece may
    /// also be an `Err`, such as [`ErrorCode::ServerClosing`].
    ///
    /// ```
    /// use innkeeper_guest::{IncomingMessage, Result, Socket, testing, upgrade_handler};
    ///
    /// #[upgrade_handler]
    /// fn echo(_req: IncomingMessage, socket: Socket, _head: Vec<u8>) -> Result<()> {
    ///     socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n")?;
    ///     while let Some(piece) = socket.read_piece(1024)? {
    ///         socket.write(piece)?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let tunnel = testing::get("/").header("Upgrade", "echo").take_over(echo, [Ok("ab"), Ok("cd")]);
    /// assert!(tunnel.text().ends_with("\r\n\r\nabcd"));
    /// assert_eq!(tunnel.error(), None);
    /// ```
    pub fn take_over<R: Outcome, P: Into<Vec<u8>>>(
        self,
        handler: impl FnOnce(IncomingMessage, Socket, Vec<u8>) -> R,
        pieces: impl IntoIterator<Item = Result<P, ErrorCode>>,
    ) -> Tunnelled {
        let script = pieces.into_iter().map(|piece| piece.map(Into::into)).collect();
        let connection = Arc::new(Connection::tunnel(script));
        let (world, incoming) = self.into_parts();
        let message = types::IncomingMessage { incoming, connection: connection.clone(), response: None };
        let socket = Socket(types::Socket(connection.clone()));
        let error = within(world, || failure(handler(message.into(), socket, Vec::new())));
        let destroyed = connection.is_destroyed();
        Tunnelled::new(connection.take_tunnel(), destroyed, error)
    }

    fn ask<R: Outcome>(
        self,
        handler: impl FnOnce(IncomingMessage, ServerResponse) -> R,
        before: impl FnOnce(&mut Response),
    ) -> Answer {
        let mut response = Response::new(self.context());
        before(&mut response);
        let response = Arc::new(Mutex::new(response));
        let connection = Arc::new(Connection::default());
        let (mut world, incoming) = self.into_parts();
        world.response = Some(response.clone());
        let req = types::IncomingMessage {
            incoming,
            connection: connection.clone(),
            response: Some(response.clone()),
        };
        let res = types::ServerResponse { response: response.clone(), connection: connection.clone() };
        let error = within(world, || failure(handler(req.into(), res.into())));
        let context = Context::default();
        let response = std::mem::replace(&mut *lock(&response), Response::new(context));
        let destroyed = connection.is_destroyed();
        Answer::new(response.conclude(destroyed), destroyed, error)
    }

    fn context(&self) -> Context {
        let says = |name: &str, word: &[u8]| {
            let of_name = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            let mut members = of_name.flat_map(|(_, value)| value.split(|byte| *byte == b','));
            members.any(|member| member.trim_ascii().eq_ignore_ascii_case(word))
        };
        Context {
            http_1_0: self.http_1_0,
            head_request: self.method == "HEAD",
            closes: says("connection", b"close") || (self.http_1_0 && !says("connection", b"keep-alive")),
            awaits_continue: self.expects_continue() && !self.http_1_0,
        }
    }

    fn expects_continue(&self) -> bool {
        self.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("expect") && value.eq_ignore_ascii_case(b"100-continue")
        })
    }

    fn into_parts(self) -> (World, Arc<Mutex<Incoming>>) {
        let mut lines = self.headers;
        let has =
            |lines: &[Field], name: &str| lines.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !has(&lines, "host") {
            lines.insert(0, ("Host".to_owned(), b"localhost".to_vec()));
        }
        let framed = has(&lines, "content-length") || has(&lines, "transfer-encoding");
        let chunked = self.streamed && !has(&lines, "content-length");
        if self.streamed && !framed {
            lines.push(("Transfer-Encoding".to_owned(), b"chunked".to_vec()));
        } else if let (Some(Ok(body)), false) = (self.pieces.front(), framed) {
            lines.push(("Content-Length".to_owned(), body.len().to_string().into()));
        }
        let mut pieces = self.pieces;
        // No body has a piece without a byte.
        pieces.retain(|piece| !matches!(piece, Ok(piece) if piece.is_empty()));
        let version = if self.http_1_0 { "1.0" } else { "1.1" };
        let head = Head { method: self.method, url: self.url, version, status: None, lines };
        (self.world, Arc::new(Incoming::new(head, pieces, chunked, self.trailers).into()))
    }
}

/// What the log would say of a failure.
fn failure(outcome: impl Outcome) -> Option<String> {
    outcome.failure().map(|error| Chain(&*error).to_string())
}

fn lines(name: &str, values: impl HeaderValues) -> Vec<Field> {
    assert!(is_token(name), "the header name {name:?} is no token: a client could not send it");
    values.with_values(|values| {
        let line = |value: &&[u8]| {
            assert!(
                is_field_value(value),
                "the value of {name} has a control character: a client could not send it"
            );
            (name.to_owned(), value.to_vec())
        };
        values.iter().map(line).collect()
    })
}
