use bytes::BytesMut;

use super::*;
use crate::wire::http1::head::{HeadLimits, HeadScanner};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn head(lines: &str) -> RequestHead {
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    let limits = HeadLimits { bytes_max: 8192, count_max: 16 };
    HeadScanner::default().advance(&mut BytesMut::from(request.as_bytes()), limits).unwrap().unwrap()
}

fn seen(head: &RequestHead, trace: &Trace) -> Vec<(String, String)> {
    let mut overlay = Overlay::default();
    trace.lay_over(&mut overlay);
    head.overlay(overlay);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    head.lines().skip(1).map(|(name, value)| (name.to_owned(), text(value))).collect()
}

#[test]
fn a_traceparent_is_read_strictly() {
    let context = TraceContext::parse(PARENT.as_bytes()).unwrap();
    assert_eq!(context.to_string(), PARENT);
    for (good, sampled) in [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", true),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what follows", true),
    ] {
        assert_eq!(
            TraceContext::parse(good.as_bytes()).map(|context| context.sampled),
            Some(sampled),
            "{good}"
        );
    }
    for bad in [
        "",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.x",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        assert_eq!(TraceContext::parse(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn the_guest_sees_the_span_of_the_host() {
    let head = head(&format!("Traceparent: {PARENT}\r\nTraceState: a=1\r\nX: y\r\ntracestate: b=2\r\n"));
    let trace = TraceContext::continue_or_begin(&head, 0.0);
    let parent = TraceContext::parse(PARENT.as_bytes()).unwrap();
    assert_eq!((trace.context.trace_id, trace.parent), (parent.trace_id, Some(parent.span_id)));
    assert!(trace.context.sampled && trace.context.span_id != parent.span_id);
    assert_eq!(trace.state.as_ref().map(TraceState::header).as_deref(), Some("a=1,b=2"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let own = trace.context.to_string();
    let lines =
        [pair("traceparent", &own), pair("TraceState", "a=1"), pair("X", "y"), pair("tracestate", "b=2")];
    assert_eq!(seen(&head, &trace), lines);
}

#[test]
fn what_is_not_valid_goes_no_further() {
    for lines in [
        "traceparent: 00-0-0-0\r\ntracestate: a=1\r\n".to_owned(),
        format!("traceparent: {PARENT}\r\ntraceparent: {PARENT}\r\ntracestate: a=1\r\n"),
        "tracestate: a=1\r\n".to_owned(),
    ] {
        let head = head(&lines);
        let trace = TraceContext::continue_or_begin(&head, 1.0);
        assert_eq!((trace.parent, &trace.state), (None, &None), "{lines}");
        assert!(trace.context.sampled);
        assert_eq!(seen(&head, &trace), [("traceparent".to_owned(), trace.context.to_string())], "{lines}");
    }
    let many = (0..33).map(|key| format!("k{key}=1")).collect::<Vec<_>>().join(",");
    for state in ["nothing".to_owned(), format!("a={}", "1".repeat(STATE_BYTES_MAX)), many] {
        let head = head(&format!("traceparent: {PARENT}\r\ntracestate: {state}\r\n"));
        let trace = TraceContext::continue_or_begin(&head, 0.0);
        assert!(trace.parent.is_some() && trace.state.is_none(), "{state}");
        assert_eq!(seen(&head, &trace).len(), 1, "{state}");
    }
}

#[test]
fn the_ratio_decides_of_new_traces_only() {
    let sampled = |ratio| {
        (0..1000).filter(|_| TraceContext::continue_or_begin(&head(""), ratio).context.sampled).count()
    };
    assert_eq!((sampled(0.0), sampled(1.0)), (0, 1000));
    let half = sampled(0.5);
    assert!((350..650).contains(&half), "{half}");
}
