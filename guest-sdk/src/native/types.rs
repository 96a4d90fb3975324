//! `innkeeper:http/types`: the handles that the SDK's types wrap.

use std::sync::{Arc, Mutex};

use super::connection::Connection;
use super::incoming::Incoming;
use super::joined::{distinct, header, joined};
use super::lock;
use super::poll::Pollable;
use super::response::Response;
use super::world;
use crate::{ErrorCode as Refused, Field};

/// What the bindings do with a handle. There is none, and nobody who calls
/// this, but they compile with it.
macro_rules! handles {
    () => {
        #[doc(hidden)]
        #[allow(unsafe_code, clippy::missing_safety_doc, reason = "the signature is that of the bindings")]
        pub unsafe fn from_handle(_handle: u32) -> Self {
            unreachable!("only a host has handles")
        }

        #[doc(hidden)]
        pub fn take_handle(&self) -> u32 {
            unreachable!("only a host has handles")
        }

        #[doc(hidden)]
        pub fn handle(&self) -> u32 {
            unreachable!("only a host has handles")
        }
    };
}
pub(super) use handles;

/// `joined-value`.
#[derive(Clone, Debug)]
pub enum JoinedValue {
    /// The only value, the first of several, or several joined.
    Single(Vec<u8>),
    /// `set-cookie`, which is never joined.
    Multiple(Vec<Vec<u8>>),
}

/// `length-mismatch`.
#[derive(Clone, Copy, Debug)]
pub struct LengthMismatch {
    pub declared: u64,
    pub actual: u64,
}

macro_rules! error_code {
    ($($plain:ident)*; $($text:ident)*) => {
        /// `error-code`.
        #[derive(Clone, Debug)]
        pub enum ErrorCode {
            $($plain,)*
            $($text(String),)*
            InvalidStatusCode(u16),
            ContentLengthMismatch(LengthMismatch),
        }

        impl From<Refused> for ErrorCode {
            fn from(code: Refused) -> Self {
                match code {
                    $(Refused::$plain => Self::$plain,)*
                    $(Refused::$text(text) => Self::$text(text),)*
                    Refused::InvalidStatusCode(status) => Self::InvalidStatusCode(status),
                    Refused::ContentLengthMismatch { declared, actual } => {
                        Self::ContentLengthMismatch(LengthMismatch { declared, actual })
                    }
                }
            }
        }
    };
}

error_code! {
    HeadersSent BodyNotAllowed WriteAfterEnd AlreadyFinished Destroyed ConnectionReset Aborted ServerClosing
    ServerNotRunning;
    InvalidHeaderName InvalidHeaderValue InvalidChar TrailerInvalid InvalidArg Timeout Parse LimitExceeded
    Denied UnescapedPath InvalidProtocol Dns Connect Tls
}

type Done<T = ()> = Result<T, ErrorCode>;

/// What a host gives at most with one `read`.
const READ_BYTES_MAX: usize = 64 * 1024;

/// How much `read` gives at most, of a guest's wish.
pub(super) fn read_size(max: u32) -> Done<usize> {
    match max {
        0 => Err(ErrorCode::InvalidArg("read of at most 0 bytes; ask for at least 1".to_owned())),
        max => Ok((max as usize).min(READ_BYTES_MAX)),
    }
}

/// `incoming-message`.
#[derive(Clone, Debug)]
pub struct IncomingMessage {
    pub(crate) incoming: Arc<Mutex<Incoming>>,
    pub(crate) connection: Arc<Connection>,
    /// The response to it, if it is a request: a client that goes is gone for
    /// both.
    pub(crate) response: Option<Arc<Mutex<Response>>>,
}

impl IncomingMessage {
    pub fn method(&self) -> String {
        lock(&self.incoming).head.method.clone()
    }

    pub fn url(&self) -> String {
        lock(&self.incoming).head.url.clone()
    }

    pub fn http_version(&self) -> String {
        lock(&self.incoming).head.version.to_owned()
    }

    pub fn status_code(&self) -> Option<u16> {
        lock(&self.incoming).head.status.as_ref().map(|(status, _)| *status)
    }

    pub fn status_message(&self) -> Option<String> {
        lock(&self.incoming).head.status.as_ref().map(|(_, reason)| reason.clone())
    }

    pub fn headers(&self) -> Vec<(String, JoinedValue)> {
        joined(&lock(&self.incoming).head.lines)
    }

    pub fn header(&self, name: &str) -> Option<Vec<u8>> {
        header(&lock(&self.incoming).head.lines, name)
    }

    pub fn headers_distinct(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        distinct(&lock(&self.incoming).head.lines)
    }

    pub fn raw_headers(&self) -> Vec<Field> {
        lock(&self.incoming).head.lines.clone()
    }

    pub fn trailers(&self) -> Vec<(String, JoinedValue)> {
        joined(lock(&self.incoming).trailers())
    }

    pub fn trailers_distinct(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        distinct(lock(&self.incoming).trailers())
    }

    pub fn raw_trailers(&self) -> Vec<Field> {
        lock(&self.incoming).trailers().to_vec()
    }

    pub fn complete(&self) -> bool {
        lock(&self.incoming).is_complete()
    }

    pub fn read(&self, max: u32) -> Done<Option<Vec<u8>>> {
        let max = read_size(max)?;
        Ok(self.next(max)?)
    }

    pub fn read_all(&self, limit: u64) -> Done<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(piece) = self.next(usize::MAX)? {
            body.extend_from_slice(&piece);
            if body.len() as u64 > limit {
                return Err(ErrorCode::LimitExceeded("the limit given to read-all".to_owned()));
            }
        }
        Ok(body)
    }

    fn next(&self, max: usize) -> Result<Option<Vec<u8>>, Refused> {
        if lock(&self.incoming).would_wait() {
            world::wait();
        }
        if self.connection.is_destroyed() {
            return Err(Refused::Destroyed);
        }
        let read = lock(&self.incoming).read(max);
        if let (Err(Refused::ConnectionReset), Some(response)) = (&read, &self.response) {
            lock(response).fail(Refused::ConnectionReset);
        }
        read
    }

    pub fn subscribe(&self) -> Pollable {
        Pollable::ready()
    }

    pub fn socket(&self) -> Socket {
        Socket(self.connection.clone())
    }

    pub fn destroy(&self) {
        self.connection.destroy();
    }

    handles!();
}

/// `server-response`.
#[derive(Debug)]
pub struct ServerResponse {
    pub(crate) response: Arc<Mutex<Response>>,
    pub(crate) connection: Arc<Connection>,
}

fn owned(values: &[&[u8]]) -> Vec<Vec<u8>> {
    values.iter().map(|value| value.to_vec()).collect()
}

pub(super) fn lines(fields: &[(&str, &[u8])]) -> Vec<Field> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect()
}

impl ServerResponse {
    fn with<T>(&self, work: impl FnOnce(&mut Response) -> T) -> T {
        let mut response = lock(&self.response);
        if self.connection.is_destroyed() {
            response.fail(Refused::Destroyed);
        }
        work(&mut response)
    }

    /// Does `work`, and sends what it puts out.
    fn send(&self, work: impl FnOnce(&mut Response) -> Result<(), Refused>) -> Done {
        self.with(|response| {
            work(response)?;
            response.flush();
            Ok(())
        })
    }

    pub fn status_code(&self) -> u16 {
        self.with(|response| response.status)
    }

    pub fn set_status_code(&self, code: u16) {
        self.with(|response| {
            if !response.is_fixed() {
                response.status = code;
            }
        });
    }

    pub fn status_message(&self) -> Option<String> {
        self.with(|response| response.reason.clone())
    }

    pub fn set_status_message(&self, message: Option<&str>) {
        self.with(|response| {
            if !response.is_fixed() {
                response.reason = message.map(str::to_owned);
            }
        });
    }

    pub fn set_header(&self, name: &str, values: &[&[u8]]) -> Done {
        Ok(self.with(|response| response.open_fields()?.set(name, owned(values)))?)
    }

    pub fn append_header(&self, name: &str, values: &[&[u8]]) -> Done {
        Ok(self.with(|response| response.open_fields()?.append(name, owned(values)))?)
    }

    pub fn get_header(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        self.with(|response| response.fields.get(name).map(<[_]>::to_vec))
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.with(|response| response.fields.has(name))
    }

    pub fn header_names(&self) -> Vec<String> {
        self.with(|response| response.fields.names())
    }

    pub fn remove_header(&self, name: &str) -> Done {
        self.with(|response| {
            response.open_fields()?.remove(name);
            Ok(())
        })
    }

    pub fn write_head(&self, status: u16, reason: Option<&str>, headers: &[(&str, &[u8])]) -> Done {
        Ok(self.with(|response| response.write_head(status, reason.map(str::to_owned), lines(headers)))?)
    }

    pub fn flush_headers(&self) -> Done {
        self.send(Response::flush_headers)
    }

    pub fn write(&self, chunk: &[u8]) -> Done {
        Ok(self.with(|response| response.write(chunk))?)
    }

    pub fn try_write(&self, chunk: &[u8]) -> Done<bool> {
        self.write(chunk)?;
        // The client takes everything at once.
        Ok(false)
    }

    pub fn end(&self, chunk: Option<&[u8]>) -> Done {
        self.send(|response| response.end(chunk))
    }

    pub fn finished(&self) -> Done {
        world::wait();
        self.with(|response| match response.failure() {
            Some(error) => Err(error.clone().into()),
            None if response.is_ended() => Ok(()),
            None => Err(ErrorCode::InvalidArg("finished before end; call end first".to_owned())),
        })
    }

    pub fn add_trailers(&self, trailers: &[(&str, &[u8])]) -> Done {
        Ok(self.with(|response| response.add_trailers(lines(trailers)))?)
    }

    pub fn cork(&self) {
        self.with(Response::cork);
    }

    pub fn uncork(&self) {
        self.with(Response::uncork);
    }

    pub fn headers_sent(&self) -> bool {
        self.with(|response| response.is_fixed())
    }

    pub fn writable_ended(&self) -> bool {
        self.with(|response| response.is_ended())
    }

    pub fn writable_finished(&self) -> bool {
        self.with(|response| response.is_ended() && response.buffered() == 0)
    }

    pub fn writable_length(&self) -> u64 {
        self.with(|response| response.buffered() as u64)
    }

    pub fn send_date(&self) -> bool {
        self.with(|response| response.send_date)
    }

    pub fn set_send_date(&self, send: bool) {
        self.with(|response| response.send_date = send);
    }

    pub fn should_keep_alive(&self) -> bool {
        self.with(|response| response.keep_alive)
    }

    pub fn set_should_keep_alive(&self, keep: bool) {
        self.with(|response| {
            if !response.is_fixed() {
                response.keep_alive = keep;
            }
        });
    }

    pub fn set_timeout(&self, _milliseconds: u32) {}

    pub fn write_information(&self, status: u16, headers: &[(&str, &[u8])]) -> Done {
        self.send(|response| response.write_information(status, lines(headers)))
    }

    pub fn write_continue(&self) -> Done {
        self.write_information(100, &[])
    }

    pub fn write_processing(&self) -> Done {
        self.write_information(102, &[])
    }

    pub fn write_early_hints(&self, links: &[&str], headers: &[(&str, &[u8])]) -> Done {
        if let Some(bad) = links.iter().find(|link| !is_link(link)) {
            return Err(ErrorCode::InvalidArg(format!("{bad:?} is no link; write it as <uri>; rel=preload")));
        }
        if links.is_empty() {
            return Ok(());
        }
        let link = links.join(", ");
        let mut all = vec![("Link", link.as_bytes())];
        all.extend(headers);
        self.write_information(103, &all)
    }

    pub fn destroy(&self) {
        self.connection.destroy();
    }

    pub fn subscribe(&self) -> Pollable {
        Pollable::ready()
    }

    handles!();
}

/// `<uri>`, then parameters (RFC 8288 3), as Node checks it.
fn is_link(link: &str) -> bool {
    let Some((_, params)) = link.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
        return false;
    };
    let mut params = params.split(';').map(str::trim);
    params.next() == Some("")
        && params.all(|param| {
            let name = param.split_once('=').map_or(param, |(name, _)| name);
            !name.is_empty() && !name.contains(char::is_whitespace)
        })
}

/// `socket`.
#[derive(Debug)]
pub struct Socket(pub(crate) Arc<Connection>);

impl Socket {
    pub fn remote_address(&self) -> String {
        "127.0.0.1".to_owned()
    }

    pub fn remote_port(&self) -> u16 {
        50_000
    }

    pub fn local_address(&self) -> String {
        "127.0.0.1".to_owned()
    }

    pub fn local_port(&self) -> u16 {
        8080
    }

    pub fn encrypted(&self) -> bool {
        false
    }

    pub fn bytes_read(&self) -> u64 {
        0
    }

    pub fn bytes_written(&self) -> u64 {
        self.0.with_tunnel(|tunnel| Ok(tunnel.written.len() as u64)).unwrap_or_default()
    }

    pub fn exchanges(&self) -> u64 {
        1
    }

    pub fn set_timeout(&self, _milliseconds: u32) {}

    pub fn set_no_delay(&self, _enable: bool) -> Done {
        self.alive()
    }

    pub fn set_keep_alive(&self, _enable: bool, _initial_delay_milliseconds: u32) -> Done {
        self.alive()
    }

    fn alive(&self) -> Done {
        if self.0.is_destroyed() { Err(ErrorCode::Destroyed) } else { Ok(()) }
    }

    pub fn read(&self, max: u32) -> Done<Option<Vec<u8>>> {
        let max = read_size(max)?;
        Ok(self.0.with_tunnel(|tunnel| tunnel.read(max))?)
    }

    pub fn write(&self, bytes: &[u8]) -> Done {
        Ok(self.0.with_tunnel(|tunnel| tunnel.write(bytes))?)
    }

    pub fn try_write(&self, bytes: &[u8]) -> Done<bool> {
        self.write(bytes)?;
        Ok(false)
    }

    pub fn flush(&self) -> Done {
        Ok(self.0.with_tunnel(|_| Ok(()))?)
    }

    pub fn end(&self, bytes: Option<&[u8]>) -> Done {
        Ok(self.0.with_tunnel(|tunnel| match bytes {
            None if tunnel.ended => Err(Refused::AlreadyFinished),
            bytes => {
                tunnel.write(bytes.unwrap_or_default())?;
                tunnel.ended = true;
                Ok(())
            }
        })?)
    }

    pub fn subscribe(&self) -> Pollable {
        Pollable::ready()
    }

    pub fn subscribe_writable(&self) -> Pollable {
        Pollable::ready()
    }

    pub fn destroy(&self) {
        self.0.destroy();
    }

    pub fn destroy_soon(&self, _grace_milliseconds: u32) {}

    handles!();
}
