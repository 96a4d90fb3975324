//! One request: made, written and waited for, in the way that a test asks for.

use std::collections::BTreeMap;

use innkeeper_guest::bindings::innkeeper::http::client::{
    Agent, AgentChoice, AgentOptions, ClientRequest, Protocol, RequestOptions, Scheduling,
};
use innkeeper_guest::bindings::innkeeper::http::types::ErrorCode;
use serde::Deserialize;

use crate::told::Told;

/// What a request is to be.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Call {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    headers: Vec<(String, String)>,
    auth: Option<String>,
    timeout: u32,
    max_header_size: Option<u32>,
    protocol: String,
    /// `global`, `none`, `new` for one without a name, or a name.
    agent: String,
    /// Connections to one origin at a time, for an agent that is not `global`.
    max_sockets: Option<u32>,
    /// The body, given to `end`.
    body: Option<String>,
    /// Bytes that are written before that, in pieces.
    write: usize,
    /// Bytes that are given to `try-write` before that, in pieces.
    try_write: usize,
    /// Trailers, given before `end`.
    trailers: Vec<(String, String)>,
    /// What is sent through the tunnel that CONNECT gives.
    tunnel: Option<String>,
    /// How many redirects are followed.
    follow: u32,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            scheme: "http".to_owned(),
            authority: String::new(),
            path: "/".to_owned(),
            headers: Vec::new(),
            auth: None,
            timeout: 0,
            max_header_size: None,
            protocol: "http1".to_owned(),
            agent: "global".to_owned(),
            max_sockets: None,
            body: None,
            write: 0,
            try_write: 0,
            trailers: Vec::new(),
            tunnel: None,
            follow: 0,
        }
    }
}

/// The agents that calls have named.
#[derive(Default)]
pub struct Agents(BTreeMap<String, Agent>);

/// A request that was sent.
pub struct Begun(ClientRequest);

const PIECE: [u8; 16 * 1024] = [b'a'; 16 * 1024];

impl Agents {
    /// Makes a request and waits for what comes of it, and of as many others
    /// as its answers lead to.
    pub fn follow(&mut self, call: &Call) -> Told {
        let mut call = call.clone();
        loop {
            let told = match self.begin(&call) {
                Ok(begun) => begun.wait(&call),
                Err(told) => told,
            };
            let target = told.location().filter(|_| call.follow > 0).and_then(|url| parts(&url));
            let Some((scheme, authority, path)) = target else { return told };
            call.follow -= 1;
            (call.scheme, call.authority, call.path) = (scheme, authority, path);
        }
    }

    /// Makes a request and sends it.
    pub fn begin(&mut self, call: &Call) -> Result<Begun, Told> {
        let agent = self.agent(call).map_err(|error| Told::failed("agent", error))?;
        let lines: Vec<_> =
            call.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let options = RequestOptions {
            method: &call.method,
            scheme: &call.scheme,
            authority: &call.authority,
            path: &call.path,
            headers: &lines,
            auth: call.auth.as_ref().map(String::as_bytes),
            timeout: call.timeout,
            max_header_size: call.max_header_size,
            protocol: match call.protocol.as_str() {
                "negotiated" => Protocol::Negotiated,
                "http2" => Protocol::Http2,
                _ => Protocol::Http1,
            },
        };
        let request = ClientRequest::new(options, agent).map_err(|error| Told::failed("new", error))?;
        send(&request, call).map_err(|(at, error)| Told::failed(at, error))?;
        Ok(Begun(request))
    }

    fn agent(&mut self, call: &Call) -> Result<AgentChoice<'_>, ErrorCode> {
        let name = call.agent.as_str();
        if matches!(name, "global" | "none") {
            return Ok(if name == "none" { AgentChoice::None } else { AgentChoice::Global });
        }
        if !self.0.contains_key(name) {
            let options = AgentOptions {
                keep_alive: true,
                keep_alive_delay: 1_000,
                max_sockets: call.max_sockets,
                max_total_sockets: None,
                max_free_sockets: 256,
                scheduling: Scheduling::Lifo,
                free_socket_timeout: 0,
            };
            let agent = if name == "new" { Agent::new(options) } else { Agent::open(name, options) };
            self.0.insert(name.to_owned(), agent?);
        }
        Ok(self.0.get(name).map_or(AgentChoice::Global, AgentChoice::Agent))
    }
}

fn send(request: &ClientRequest, call: &Call) -> Result<(), (&'static str, ErrorCode)> {
    if !call.trailers.is_empty() {
        let lines: Vec<_> =
            call.trailers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        request.add_trailers(&lines).map_err(|error| ("trailers", error))?;
    }
    let mut left = call.write;
    while left > 0 {
        let piece = &PIECE[..left.min(PIECE.len())];
        request.write(piece).map_err(|error| ("write", error))?;
        left -= piece.len();
    }
    let mut left = call.try_write;
    while left > 0 {
        let piece = &PIECE[..left.min(PIECE.len())];
        request.try_write(piece).map_err(|error| ("try-write", error))?;
        left -= piece.len();
    }
    request.end(call.body.as_ref().map(String::as_bytes)).map_err(|error| ("end", error))
}

impl Begun {
    /// Waits for the answer, and for all of it.
    pub fn wait(self, call: &Call) -> Told {
        let failed = |error| Told::failed("response", error);
        if let Some(text) = &call.tunnel {
            match self.0.connected() {
                Ok(Some(tunnel)) => return Told::tunnel(&tunnel.response, &tunnel.socket, text),
                Ok(None) => {}
                Err(error) => return failed(error),
            }
        }
        match self.0.response() {
            Ok(response) => Told::answered(&response, self.0.reused_socket()),
            Err(error) => failed(error),
        }
    }
}

/// Scheme, authority and path of a URL, as somebody reads it who takes no care.
fn parts(url: &str) -> Option<(String, String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    Some((scheme.to_owned(), authority.to_owned(), path.to_owned()))
}
