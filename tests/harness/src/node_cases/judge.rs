//! Compares what was seen with what a case expects. Knows nothing of sockets:
//! everything it looks at is a value.

use serde_json::Value;

use super::peer::{Seen, State};
use super::script::{Expect, ExpectConnection, ExpectMessage, ExpectState};
use crate::bytes::{find, mask_date, show, to_text};
use crate::message::{self, Message, Stream};

/// What was seen of a case.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The client's connections.
    pub connections: Vec<Seen>,
    /// The upstream's connections.
    pub upstream: Vec<Seen>,
    /// The port of the upstream, if there is one.
    pub upstream_port: Option<u16>,
    /// The guest's log.
    pub guest_log: Vec<String>,
}

impl Observed {
    /// For a human.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = String::new();
        for (name, connections) in [("connection", &self.connections), ("upstream", &self.upstream)] {
            for (index, seen) in connections.iter().enumerate() {
                text.push_str(&format!(
                    "  {name} {index}: {:?}, {} reads, {} bytes\n{}\n",
                    seen.state,
                    seen.segments,
                    seen.received.len(),
                    show(&mask_date(&seen.received)),
                ));
            }
        }
        text.push_str(&format!("  guest log: {:?}", self.guest_log));
        text
    }

    fn mask(&self, bytes: &[u8]) -> Vec<u8> {
        let masked = mask_date(bytes);
        let Some(port) = self.upstream_port.map(|port| format!(":{port}")) else {
            return masked;
        };
        let mut out = Vec::with_capacity(masked.len());
        let mut rest = masked.as_slice();
        while let Some(at) = find(rest, port.as_bytes()) {
            let (before, after) = rest.split_at(at);
            out.extend_from_slice(before);
            out.extend_from_slice(b":<PORT>");
            rest = after.get(port.len()..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out
    }
}

/// What does not hold; nothing if the case passes.
#[must_use]
pub fn judge(expect: &Expect, observed: &Observed) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, expected, seen) in [
        ("connection", &expect.connections, &observed.connections),
        ("upstream", &expect.upstream, &observed.upstream),
    ] {
        for (index, expected) in expected.iter().enumerate() {
            match seen.get(index) {
                Some(seen) => {
                    let own = Judged::new(seen, observed, name == "upstream").against(expected);
                    faults.extend(own.into_iter().map(|fault| format!("{name} {index}: {fault}")));
                }
                None => faults.push(format!("{name} {index}: there is none")),
            }
        }
    }
    if let Some(wanted) = expect.upstream_connections
        && wanted != observed.upstream.len()
    {
        faults.push(format!("{} upstream connections, expected {wanted}", observed.upstream.len()));
    }
    faults.extend(judge_log(expect, &observed.guest_log));
    faults
}

fn judge_log(expect: &Expect, log: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(wanted) = &expect.guest_log
        && wanted != log
    {
        faults.push(format!("guest log is {log:?}, expected {wanted:?}"));
    }
    let mut rest = log.iter();
    for wanted in &expect.guest_log_has {
        if !rest.any(|entry| entry.starts_with(wanted)) {
            faults.push(format!("guest log {log:?} has no {wanted:?}, or not in this order"));
            break;
        }
    }
    for unwanted in &expect.guest_log_lacks {
        if log.iter().any(|entry| entry.starts_with(unwanted)) {
            faults.push(format!("guest log {log:?} has {unwanted:?}"));
        }
    }
    if let Some(wanted) = &expect.guest_log_one_of
        && !wanted.iter().any(|wanted| log.iter().any(|entry| entry.starts_with(wanted)))
    {
        faults.push(format!("guest log {log:?} has none of {wanted:?}"));
    }
    faults
}

/// A connection with its bytes masked and its messages read.
struct Judged<'a> {
    seen: &'a Seen,
    bytes: Vec<u8>,
    stream: Stream,
}

impl<'a> Judged<'a> {
    fn new(seen: &'a Seen, observed: &Observed, upstream: bool) -> Self {
        let bytes = observed.mask(&seen.received);
        let stream = if upstream {
            message::requests(&bytes)
        } else {
            let methods: Vec<_> = message::requests(&seen.sent)
                .messages
                .iter()
                .map(|request| request.method().to_owned())
                .collect();
            message::responses(&bytes, &methods, seen.state == State::Closed)
        };
        Self { seen, bytes, stream }
    }

    fn against(&self, expected: &ExpectConnection) -> Vec<String> {
        let mut faults = self.bytes_against(expected);
        faults.extend(self.end_against(expected));
        for wanted in [&expected.responses, &expected.requests].into_iter().flatten() {
            faults.extend(self.messages_against(wanted));
        }
        for wanted in [&expected.first_response, &expected.first_request].into_iter().flatten() {
            match self.stream.messages.first() {
                Some(message) => faults.extend(judge_message(wanted, message)),
                None => faults.push("no message".to_owned()),
            }
        }
        if let Some(alternatives) = &expected.any_of {
            let each: Vec<_> = alternatives.iter().map(|expected| self.against(expected)).collect();
            if !each.iter().any(Vec::is_empty) {
                let each: Vec<_> = each.iter().map(|faults| faults.join(", ")).collect();
                faults.push(format!("no alternative holds: {}", each.join("; or ")));
            }
        }
        faults
    }

    fn bytes_against(&self, expected: &ExpectConnection) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(wanted) = &expected.exact
            && wanted.0 != self.bytes
        {
            faults.push(format!("received\n{}\n  expected\n{}", show(&self.bytes), show(&wanted.0)));
        }
        for wanted in &expected.contains {
            if find(&self.bytes, &wanted.0).is_none() {
                faults.push(format!("did not receive `{}`", wanted.0.escape_ascii()));
            }
        }
        for unwanted in &expected.lacks {
            if find(&self.bytes, &unwanted.0).is_some() {
                faults.push(format!("received `{}`", unwanted.0.escape_ascii()));
            }
        }
        faults
    }

    fn end_against(&self, expected: &ExpectConnection) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(wanted) = expected.state
            && !matches!(
                (wanted, self.seen.state),
                (ExpectState::Open, State::Open)
                    | (ExpectState::Closed | ExpectState::Ended, State::Closed)
                    | (ExpectState::Reset | ExpectState::Ended, State::Reset)
                    | (ExpectState::Refused, State::Refused)
            )
        {
            faults.push(format!("is {:?}, expected {wanted:?}", self.seen.state));
        }
        if let Some(wanted) = expected.segments
            && wanted != self.seen.segments
        {
            faults.push(format!("came in {} reads, expected {wanted}", self.seen.segments));
        }
        if let Some([least, most]) = expected.closed_after_ms {
            match self.seen.ended_after.map(|after| after.as_millis()) {
                Some(after) if (u128::from(least)..=u128::from(most)).contains(&after) => {}
                Some(after) => faults.push(format!("ended after {after} ms, expected {least} to {most}")),
                None => faults.push(format!("did not end, expected that after {least} to {most} ms")),
            }
        }
        faults
    }

    fn messages_against(&self, wanted: &[ExpectMessage]) -> Vec<String> {
        let messages = &self.stream.messages;
        let mut faults = Vec::new();
        if let Some(error) = &self.stream.error {
            faults.push(error.clone());
        } else if !self.stream.rest.is_empty() {
            faults.push(format!("{} bytes that are no whole head", self.stream.rest.len()));
        }
        if messages.len() != wanted.len() {
            faults.push(format!("{} messages, expected {}", messages.len(), wanted.len()));
        }
        for (index, (wanted, message)) in wanted.iter().zip(messages).enumerate() {
            faults.extend(
                judge_message(wanted, message).into_iter().map(|fault| format!("message {index}: {fault}")),
            );
        }
        faults
    }
}

fn judge_message(expected: &ExpectMessage, message: &Message) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(wanted) = &expected.status
        && !message.status().is_some_and(|status| wanted.as_slice().contains(&status))
    {
        faults.push(format!("`{}`, expected status {:?}", message.line, wanted.as_slice()));
    }
    if let Some(wanted) = &expected.line
        && *wanted != message.line
    {
        faults.push(format!("`{}`, expected `{wanted}`", message.line));
    }
    for (name, wanted) in &expected.header {
        let wanted = wanted.as_ref().map(|values| values.as_slice()).unwrap_or_default();
        let values = message.values(name);
        if values != wanted {
            faults.push(format!("header {name} is {values:?}, expected {wanted:?}"));
        }
    }
    if let Some(wanted) = &expected.framing
        && !wanted.as_slice().contains(&message.framing)
    {
        faults.push(format!("framing is {:?}, expected {:?}", message.framing, wanted.as_slice()));
    }
    if let Some(wanted) = expected.complete
        && wanted != message.complete
    {
        faults.push(format!("complete is {}, expected {wanted}", message.complete));
    }
    faults.extend(judge_body(expected, message));
    faults
}

fn judge_body(expected: &ExpectMessage, message: &Message) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(wanted) = &expected.body
        && wanted.0 != message.body
    {
        faults.push(format!("body is {:?}, expected {:?}", to_text(&message.body), to_text(&wanted.0)));
    }
    if let Some(wanted) = expected.body_length
        && wanted != message.body.len()
    {
        faults.push(format!("body has {} bytes, expected {wanted}", message.body.len()));
    }
    if let Some(wanted) = &expected.body_json {
        match serde_json::from_slice::<Value>(&message.body) {
            Ok(body) if body == *wanted => {}
            Ok(body) => faults.push(format!("body is {body}, expected {wanted}")),
            Err(error) => faults.push(format!("body is no JSON: {error}")),
        }
    }
    faults
}

#[cfg(test)]
mod tests;
