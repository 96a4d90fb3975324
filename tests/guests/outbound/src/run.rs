//! A script that runs: the requests and agents that it has by name, and the
//! lines that it tells.

use std::collections::BTreeMap;
use std::fmt::Display;

use innkeeper_guest::client::Agent;
use innkeeper_guest::{Error, ErrorCode, IncomingMessage, Result, ServerResponse};

use crate::asked::Asked;
use crate::{agents, answer, asked, body, tunnel, waiting};

pub struct Run<'a> {
    pub req: &'a IncomingMessage,
    pub res: &'a ServerResponse,
    pub requests: BTreeMap<String, Asked>,
    pub agents: BTreeMap<String, Agent>,
}

impl<'a> Run<'a> {
    pub fn new(req: &'a IncomingMessage, res: &'a ServerResponse) -> Self {
        Self { req, res, requests: BTreeMap::new(), agents: BTreeMap::new() }
    }

    /// Carries out one call.
    pub fn call(&mut self, call: &str) -> Result<()> {
        let (name, rest) = split(call);
        if let Some(made) = rest.strip_prefix("= ") {
            return match split(made) {
                ("agent", options) => agents::open(self, name, options),
                ("global", _) => agents::global(self, name),
                (method, options) => asked::make(self, name, method, options),
            };
        }
        match name {
            "sleep" => return waiting::sleep(self, rest),
            "own" => return waiting::read_own_byte(self),
            "first" => return waiting::wait_for_first(self, rest),
            "compute" => return waiting::compute_for_ever(),
            "tell" => return self.line("tell", rest),
            _ => {}
        }
        let (what, argument) = split(rest);
        if what == "drop" {
            self.agents.remove(name);
            self.requests.remove(name);
            return Ok(());
        }
        if let Some(agent) = self.agents.get(name) {
            return match what {
                "stats" => agents::tell_stats(self, name, agent),
                _ => agents::destroy(agent),
            };
        }
        let Some(asked) = self.requests.get(name) else {
            return Err(Error::msg(format!("nothing is called {name}")));
        };
        if matches!(what, "body" | "count" | "piece" | "trailing") && asked.response.is_none() {
            return self.line(name, format!("{what} of no response"));
        }
        match what {
            "header" | "append" | "remove" | "names" => {
                asked::change_header(self, name, asked, what, argument)
            }
            "timeout" | "destroy" | "reused" | "sent" => asked::other(self, name, asked, what, argument),

            "flush" | "write" | "end" | "trailers" => body::send(self, name, asked, what, argument),
            "write-pattern" => body::write_pattern(self, name, asked, argument),
            "try-pattern" => body::try_write_pattern(self, name, asked, argument),

            "continue" | "information" => answer::wait_for_interim(self, name, asked, what),
            "response" => answer::wait_for_response(self, name),
            "body" => answer::read_body(self, name, asked),
            "count" => answer::count_body(self, name, asked),
            "echo-pattern" => answer::echo_pattern(self, name, asked, argument),
            "piece" => answer::read_piece(self, name, asked, argument),
            "trailing" => answer::tell_trailers(self, name, asked),

            "upgraded" | "connected" => tunnel::wait_for_tunnel(self, name, what),
            "tunnel-echo" => tunnel::echo(self, name, asked),
            "send" | "finish" | "receive" | "close" => tunnel::use_tunnel(self, name, asked, what, argument),
            _ => Err(Error::msg(format!("a request has no call {what}"))),
        }
    }

    /// Tells what came of a call: the value, or the error by code and text.
    pub fn tell<T: Told>(
        &self,
        name: &str,
        what: &str,
        result: &std::result::Result<T, ErrorCode>,
    ) -> Result<()> {
        match result {
            Ok(value) => self.line(name, format!("{what} {}", value.told()).trim_end()),
            Err(error) => self.line(name, format!("{what} failed: {}: {error}", error.code())),
        }
    }

    /// Tells something.
    pub fn line(&self, name: &str, text: impl Display) -> Result<()> {
        Ok(self.res.write(format!("{name} {text}\n"))?)
    }
}

/// What can be told in a word.
pub trait Told {
    fn told(&self) -> String;
}

impl Told for () {
    fn told(&self) -> String {
        "ok".to_owned()
    }
}

impl Told for bool {
    fn told(&self) -> String {
        self.to_string()
    }
}

/// The first word, and the rest.
pub fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

/// A name and a value of a header.
pub fn header(text: &str) -> Result<(&str, &str)> {
    text.split_once(": ").ok_or_else(|| Error::msg("a header is `Name: value`"))
}

/// A number that has to be there.
pub fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::msg(format!("{text:?} is no number")))
}
