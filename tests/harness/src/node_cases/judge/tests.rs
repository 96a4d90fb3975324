use std::time::Duration;

use super::*;
use crate::node_cases::script::{Bytes, Case, Step, Verdict};
use crate::node_cases::{CASES, load};
use crate::workspace;

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\nhi";

fn seen(received: &[u8], state: State) -> Seen {
    let mut seen = Seen::with_state(state);
    seen.received = received.to_vec();
    seen.segments = 1;
    seen
}

fn observed(received: &[u8], state: State) -> Observed {
    Observed { connections: vec![seen(received, state)], ..Observed::default() }
}

fn faults(expect: &str, observed: &Observed) -> Vec<String> {
    judge(&serde_json::from_str(expect).expect("an expectation"), observed)
}

#[track_caller]
fn holds(expect: &str, observed: &Observed) {
    assert_eq!(faults(expect, observed), Vec::<String>::new());
}

#[track_caller]
fn fails(expect: &str, observed: &Observed, with: &str) {
    let faults = faults(expect, observed);
    assert!(faults.iter().any(|fault| fault.contains(with)), "{faults:?}");
}

#[test]
fn exact_bytes_with_the_date_masked() {
    let hello = observed(HELLO, State::Open);
    holds(
        r#"{"connections":[{"exact":"HTTP/1.1 200 OK\r\nDate: <DATE>\r\nContent-Length: 2\r\n\r\nhi","segments":1}]}"#,
        &hello,
    );
    fails(r#"{"connections":[{"exact":"HTTP/1.1 200 OK\r\n"}]}"#, &hello, "connection 0: received");
    fails(r#"{"connections":[{"segments":2}]}"#, &hello, "1 reads, expected 2");
    fails(r#"{"connections":[{}, {}]}"#, &hello, "connection 1: there is none");
}

#[test]
fn parts_of_the_bytes() {
    let hello = observed(HELLO, State::Open);
    holds(r#"{"connections":[{"contains":["hi"],"lacks":["ho"]}]}"#, &hello);
    fails(r#"{"connections":[{"contains":["ho"]}]}"#, &hello, "did not receive `ho`");
    fails(r#"{"connections":[{"lacks":["hi"]}]}"#, &hello, "received `hi`");
}

#[test]
fn states() {
    for (state, met, unmet) in [
        (State::Open, ["open", "open"], ["closed", "ended"]),
        (State::Closed, ["closed", "ended"], ["open", "reset"]),
        (State::Reset, ["reset", "ended"], ["closed", "open"]),
        (State::Refused, ["refused", "refused"], ["ended", "open"]),
    ] {
        let observed = observed(b"", state);
        for wanted in met {
            holds(&format!(r#"{{"connections":[{{"state":"{wanted}"}}]}}"#), &observed);
        }
        for wanted in unmet {
            fails(&format!(r#"{{"connections":[{{"state":"{wanted}"}}]}}"#), &observed, "expected");
        }
    }
}

#[test]
fn the_time_of_the_end() {
    let mut observed = observed(b"", State::Closed);
    observed.connections[0].ended_after = Some(Duration::from_millis(150));
    holds(r#"{"connections":[{"closed-after-ms":[100,200]}]}"#, &observed);
    fails(r#"{"connections":[{"closed-after-ms":[160,200]}]}"#, &observed, "after 150 ms");
    observed.connections[0].ended_after = None;
    fails(r#"{"connections":[{"closed-after-ms":[100,200]}]}"#, &observed, "did not end");
}

#[test]
fn responses_are_all_there_is() {
    let hello = observed(HELLO, State::Open);
    holds(
        r#"{"connections":[{"responses":[{"status":[200,204],"header":{"content-LENGTH":"2","x":null},"framing":["length","chunked"],"body":"hi","body-length":2,"complete":true}]}]}"#,
        &hello,
    );
    fails(r#"{"connections":[{"responses":[]}]}"#, &hello, "1 messages, expected 0");
    for (wanted, why) in [
        (r#""status":404"#, "expected status"),
        (r#""header":{"content-length":null}"#, "header content-length"),
        (r#""header":{"content-length":["2","2"]}"#, "header content-length"),
        (r#""framing":"chunked""#, "framing is Length"),
        (r#""body":"ho""#, "body is"),
        (r#""body-length":3"#, "2 bytes, expected 3"),
        (r#""complete":false"#, "complete is true"),
        (r#""body-json":{}"#, "no JSON"),
    ] {
        fails(&format!(r#"{{"connections":[{{"responses":[{{{wanted}}}]}}]}}"#), &hello, why);
    }
    let more = observed(&[HELLO, b"HTTP/1.1 200"].concat(), State::Open);
    fails(r#"{"connections":[{"responses":[{"status":200}]}]}"#, &more, "no whole head");
    holds(r#"{"connections":[{"first-response":{"status":200}}]}"#, &more);
}

#[test]
fn a_body_as_json_in_any_order() {
    let json = observed(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"b\":1,\"a\":2}", State::Open);
    holds(r#"{"connections":[{"responses":[{"body-json":{"a":2,"b":1}}]}]}"#, &json);
    fails(r#"{"connections":[{"responses":[{"body-json":{"a":2}}]}]}"#, &json, "body is");
}

#[test]
fn the_response_to_a_head_has_no_body() {
    let mut head = observed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", State::Open);
    head.connections[0].sent = b"HEAD / HTTP/1.1\r\n\r\n".to_vec();
    holds(r#"{"connections":[{"responses":[{"framing":"none","complete":true}]}]}"#, &head);
}

#[test]
fn a_body_to_the_close_needs_a_fin() {
    let bytes = b"HTTP/1.1 200 OK\r\n\r\nhi";
    let expect = r#"{"connections":[{"first-response":{"framing":"close","complete":true}}]}"#;
    holds(expect, &observed(bytes, State::Closed));
    fails(expect, &observed(bytes, State::Reset), "complete is false");
}

#[test]
fn alternatives() {
    let hello = observed(HELLO, State::Open);
    holds(r#"{"connections":[{"any-of":[{"state":"closed"},{"state":"open"}]}]}"#, &hello);
    fails(
        r#"{"connections":[{"any-of":[{"state":"closed"},{"exact":""}]}]}"#,
        &hello,
        "no alternative holds",
    );
}

#[test]
fn the_guests_log() {
    let observed =
        Observed { guest_log: vec!["start".into(), "end failed: x".into()], ..Observed::default() };
    holds(
        r#"{"guest-log":["start","end failed: x"],"guest-log-has":["start","end"],"guest-log-lacks":["x"],"guest-log-one-of":["y","end failed"]}"#,
        &observed,
    );
    fails(r#"{"guest-log":["start"]}"#, &observed, "expected");
    fails(r#"{"guest-log-has":["end","start"]}"#, &observed, "order");
    fails(r#"{"guest-log-lacks":["end failed"]}"#, &observed, "has");
    fails(r#"{"guest-log-one-of":["y"]}"#, &observed, "none of");
}

#[test]
fn the_upstream() {
    let request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n";
    let observed = Observed {
        upstream: vec![seen(request, State::Open)],
        upstream_port: Some(4711),
        ..Observed::default()
    };
    holds(
        r#"{"upstream":[{"requests":[{"line":"GET / HTTP/1.1","header":{"host":"127.0.0.1:<PORT>"},"framing":"none"}]}],"upstream-connections":1}"#,
        &observed,
    );
    fails(r#"{"upstream-connections":0}"#, &observed, "1 upstream connections");
    fails(r#"{"upstream":[{"requests":[{"line":"GET /x HTTP/1.1"}]}]}"#, &observed, "upstream 0: message 0");
}

/// The cases come with what Node showed. Judged by the same judge, Node must
/// pass where the verdict says so, and must not where it does not.
#[test]
fn the_verdicts_fit_what_node_showed() {
    let cases = load(&workspace::root().join(CASES)).expect("the cases are read");
    let mut wrong = Vec::new();
    for mut case in cases {
        // What was written down of Node has no times and no reads.
        let expect = &mut case.expect;
        for expected in expect.connections.iter_mut().chain(&mut expect.upstream) {
            expected.segments = None;
            expected.closed_after_ms = None;
        }
        let faults = judge(&case.expect, &node_observed(&case));
        if faults.is_empty() != (case.verdict == Verdict::Node) {
            wrong.push(format!("{}: {faults:?}", case.id));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

fn node_observed(case: &Case) -> Observed {
    let connections = |name: &str| {
        let list = case.node_observed.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        list.into_iter()
            .enumerate()
            .map(|(index, one)| {
                let state = match one.get("state").and_then(Value::as_str) {
                    Some("open") => State::Open,
                    Some("closed") => State::Closed,
                    Some("refused") => State::Refused,
                    _ => State::Reset,
                };
                let bytes = one.get("bytes").cloned().unwrap_or_default();
                let mut seen = seen(&serde_json::from_value::<Bytes>(bytes).unwrap_or_default().0, state);
                seen.sent = sent(case, index);
                seen
            })
            .collect::<Vec<_>>()
    };
    let log = case.node_observed.get("guest-log").cloned().unwrap_or_default();
    Observed {
        connections: connections("connections"),
        upstream: connections("upstream"),
        upstream_port: None,
        guest_log: serde_json::from_value(log).unwrap_or_default(),
    }
}

fn sent(case: &Case, connection: usize) -> Vec<u8> {
    let mut next = 0;
    let mut sent = Vec::new();
    for block in &case.connections {
        let index = block.again.unwrap_or(next);
        next = next.max(index + 1);
        for step in block.steps.iter().filter(|_| index == connection) {
            if let Step::Send(bytes) = step {
                sent.extend_from_slice(&bytes.0);
            }
        }
    }
    sent
}
