//! `client`: requests that the servers of a test answer. What leads to a
//! tunnel is not there.

use std::sync::Mutex;

use super::lock;
use super::outgoing::{Opening, Outgoing, origin};
use super::poll::Pollable;
use super::types::{ErrorCode, IncomingMessage, Socket, handles, lines};
use crate::ErrorCode as Refused;

type Done<T = ()> = Result<T, ErrorCode>;

/// `protocol`.
#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    Http1,
    Negotiated,
    Http2,
}

/// `request-options`.
pub struct RequestOptions<'a> {
    pub method: &'a str,
    pub scheme: &'a str,
    pub authority: &'a str,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a [u8])],
    pub auth: Option<&'a [u8]>,
    pub timeout: u32,
    pub max_header_size: Option<u32>,
    pub protocol: Protocol,
}

/// `scheduling`.
#[derive(Clone, Copy, Debug)]
pub enum Scheduling {
    Lifo,
    Fifo,
}

/// `agent-options`.
#[derive(Clone, Copy, Debug)]
pub struct AgentOptions {
    pub keep_alive: bool,
    pub keep_alive_delay: u32,
    pub max_sockets: Option<u32>,
    pub max_total_sockets: Option<u32>,
    pub max_free_sockets: u32,
    pub scheduling: Scheduling,
    pub free_socket_timeout: u32,
}

/// `origin-stats`.
#[derive(Clone, Debug)]
pub struct OriginStats {
    pub name: String,
    pub sockets: u32,
    pub free_sockets: u32,
    pub requests: u32,
}

/// `agent`: it keeps nothing.
#[derive(Debug)]
pub struct Agent(());

impl Agent {
    pub fn new(_options: AgentOptions) -> Done<Self> {
        Ok(Self(()))
    }

    pub fn open(_name: &str, _options: AgentOptions) -> Done<Self> {
        Ok(Self(()))
    }

    pub fn global() -> Done<Self> {
        Ok(Self(()))
    }

    pub fn get_name(scheme: &str, authority: &str) -> Done<String> {
        let origin = origin(scheme, authority)?;
        let name = origin.strip_prefix("http://").map(str::to_owned);
        let name = name.unwrap_or_else(|| origin.replacen("://", ":", 1));
        Ok(format!("{}:", name.replace(['[', ']'], "")))
    }

    pub fn stats(&self) -> Vec<OriginStats> {
        Vec::new()
    }

    pub fn destroy(&self) {}

    handles!();
}

/// `agent-choice`.
pub enum AgentChoice<'a> {
    Global,
    None,
    Agent(&'a Agent),
}

/// `information`.
#[derive(Clone, Debug)]
pub struct Information {
    pub status_code: u16,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// `tunnel`.
#[derive(Debug)]
pub struct Tunnel {
    pub response: IncomingMessage,
    pub socket: Socket,
    pub head: Vec<u8>,
}

/// `client-request`.
#[derive(Debug)]
pub struct ClientRequest(Mutex<Outgoing>);

fn owned(values: &[&[u8]]) -> Vec<Vec<u8>> {
    values.iter().map(|value| value.to_vec()).collect()
}

impl ClientRequest {
    pub fn new(options: RequestOptions<'_>, _agent: AgentChoice<'_>) -> Done<Self> {
        let outgoing = Outgoing::new(Opening {
            method: options.method,
            scheme: options.scheme,
            authority: options.authority,
            path: options.path,
            headers: lines(options.headers),
            authorization: options.auth.map(basic),
        });
        Ok(Self(outgoing?.into()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Outgoing) -> Result<T, Refused>) -> Done<T> {
        Ok(work(&mut lock(&self.0))?)
    }

    pub fn set_header(&self, name: &str, values: &[&[u8]]) -> Done {
        self.with(|request| request.open_fields()?.set(name, owned(values)))
    }

    pub fn append_header(&self, name: &str, values: &[&[u8]]) -> Done {
        self.with(|request| request.open_fields()?.append(name, owned(values)))
    }

    pub fn get_header(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        lock(&self.0).fields.get(name).map(<[_]>::to_vec)
    }

    pub fn has_header(&self, name: &str) -> bool {
        lock(&self.0).fields.has(name)
    }

    pub fn header_names(&self) -> Vec<String> {
        lock(&self.0).fields.names()
    }

    pub fn remove_header(&self, name: &str) -> Done {
        self.with(|request| {
            request.open_fields()?.remove(name);
            Ok(())
        })
    }

    pub fn headers_sent(&self) -> bool {
        lock(&self.0).is_fixed()
    }

    pub fn flush_headers(&self) -> Done {
        self.with(Outgoing::fix)
    }

    pub fn write(&self, chunk: &[u8]) -> Done {
        self.with(|request| request.write(chunk))
    }

    pub fn try_write(&self, chunk: &[u8]) -> Done<bool> {
        self.write(chunk)?;
        Ok(false)
    }

    pub fn end(&self, chunk: Option<&[u8]>) -> Done {
        self.with(|request| request.end(chunk))
    }

    pub fn add_trailers(&self, trailers: &[(&str, &[u8])]) -> Done {
        self.with(|request| request.add_trailers(lines(trailers)))
    }

    pub fn set_timeout(&self, _milliseconds: u32) {}

    pub fn set_no_delay(&self, _enable: bool) {}

    pub fn set_socket_keep_alive(&self, _enable: bool, _initial_delay: u32) {}

    pub fn reused_socket(&self) -> bool {
        false
    }

    pub fn response(&self) -> Done<IncomingMessage> {
        self.with(Outgoing::answer)
    }

    pub fn continue_(&self) -> Done<bool> {
        Ok(true)
    }

    pub fn information(&self) -> Done<Option<Information>> {
        Ok(None)
    }

    pub fn upgraded(&self) -> Done<Option<Tunnel>> {
        self.with(Outgoing::answer)?;
        Ok(None)
    }

    pub fn connected(&self) -> Done<Option<Tunnel>> {
        self.upgraded()
    }

    pub fn destroy(&self) {
        lock(&self.0).destroy();
    }

    pub fn subscribe(&self) -> Pollable {
        Pollable::ready()
    }

    pub fn subscribe_writable(&self) -> Pollable {
        Pollable::ready()
    }

    handles!();
}

/// `user:password` as `Authorization` has it (RFC 7617).
fn basic(auth: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = b"Basic ".to_vec();
    for bytes in auth.chunks(3) {
        let at = |place: usize| u32::from(bytes.get(place).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            value.push(if place > bytes.len() { b'=' } else { digit });
        }
    }
    value
}
