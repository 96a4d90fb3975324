//! Traces (W3C Trace Context): what a client says of the trace that its
//! request is a part of, what the guest is told of it in turn, and the span of
//! the host between the two, which `trace::export` sends to a collector.

mod export;

use std::fmt;
use std::str::FromStr as _;

use opentelemetry::trace::{SpanId, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

pub use export::Traces;

use crate::wire::http1::head::{Overlay, RequestHead};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Bytes of `tracestate` that everybody has to pass on (Trace Context 3.3.1.5).
const STATE_BYTES_MAX: usize = 512;

/// Members of `tracestate` that there may be (Trace Context 3.3.1.1).
const STATE_MEMBERS_MAX: usize = 32;

/// A place in a trace: one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Whether whoever made the span may have recorded it.
    pub sampled: bool,
}

/// The trace of an exchange, with the host's own span in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The host's span.
    pub context: TraceContext,
    /// The client's span; none if the trace begins here.
    parent: Option<SpanId>,
    /// What the client says of the trace beside that; none if it says nothing,
    /// or something that is not to be passed on.
    state: Option<TraceState>,
    /// Whether a guest must not see the client's `tracestate`.
    hides_state: bool,
}

impl TraceContext {
    /// Reads a `traceparent` (Trace Context 3.2.2), of a later version as far
    /// as that is like this one; none if it is not valid.
    pub fn parse(value: &[u8]) -> Option<Self> {
        // `00-`, a trace of 32 digits, `-`, a span of 16, `-`, flags of 2.
        let (fixed, rest) = value.split_at_checked(55)?;
        let mut parts = str::from_utf8(fixed).ok()?.split('-');
        let mut part = |digits| parts.next().filter(|part| part.len() == digits && is_hex(part));
        let (version, trace_id, span_id, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let goes_on = match version {
            "ff" => return None,
            "00" => rest.is_empty(),
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let context = TraceContext {
            trace_id: TraceId::from_hex(trace_id).ok()?,
            span_id: SpanId::from_hex(span_id).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        let valid = context.trace_id != TraceId::INVALID && context.span_id != SpanId::INVALID;
        (goes_on && valid).then_some(context)
    }

    /// Goes on with the client's trace, or begins one that is sampled with a
    /// probability of `sample_ratio`; in both there is a new span, the host's.
    pub fn continue_or_begin(head: &RequestHead, sample_ratio: f64) -> Trace {
        let ids = RandomIdGenerator::default();
        let mut values = head.values(TRACEPARENT);
        // Two are as good as none: neither is known to be right.
        let parent = values.next().filter(|_| values.next().is_none()).and_then(TraceContext::parse);
        let state = state_of(head).filter(|_| parent.is_some());
        let (trace_id, sampled) = match parent {
            Some(parent) => (parent.trace_id, parent.sampled),
            None => {
                let trace_id = ids.new_trace_id();
                (trace_id, is_sampled(trace_id, sample_ratio))
            }
        };
        Trace {
            context: TraceContext { trace_id, span_id: ids.new_span_id(), sampled },
            parent: parent.map(|parent| parent.span_id),
            hides_state: state.is_none() && head.values(TRACESTATE).next().is_some(),
            state,
        }
    }
}

/// As `traceparent` has it.
impl fmt::Display for TraceContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

impl Trace {
    /// Has the guest see the host's span as its parent. The client's
    /// `tracestate` it sees as it came, or not at all.
    pub fn lay_over(&self, overlay: &mut Overlay) {
        overlay.set.push((TRACEPARENT.to_owned(), self.context.to_string().into_bytes()));
        if self.hides_state {
            overlay.removed.push(TRACESTATE);
        }
    }
}

/// `from_hex` takes fewer digits, capitals and a sign, too.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The same answer for the same trace, so that all of it is there or nothing.
fn is_sampled(trace_id: TraceId, ratio: f64) -> bool {
    let [.., a, b, c, d] = trace_id.to_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) < ratio * (f64::from(u32::MAX) + 1.0)
}

/// The client's `tracestate` lines taken together, if they are valid and not
/// too long.
fn state_of(head: &RequestHead) -> Option<TraceState> {
    let lines: Vec<_> = head.values(TRACESTATE).collect();
    let text = lines.join(&b","[..]);
    if lines.is_empty() || text.len() > STATE_BYTES_MAX {
        return None;
    }
    let text = str::from_utf8(&text).ok()?;
    let members = text.split(',').filter(|member| !member.trim().is_empty()).count();
    // It would leave out what is too many.
    if members > STATE_MEMBERS_MAX { None } else { TraceState::from_str(text).ok() }
}

#[cfg(test)]
mod tests;
