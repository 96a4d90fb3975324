//! What of the cases this version of Innkeeper can play: the one table. A
//! case that needs more is skipped, with the reason that is given here.

use serde_json::Value;

use super::script::Case;

/// The export that the guest `node-case` always has.
const ALWAYS: &str = "request";

/// The exports that a guest can have. Those beside [`ALWAYS`] are features of
/// the guest, of the same names.
const EXPORTS: &[&str] =
    &[ALWAYS, "upgrade", "connect", "check-continue", "check-expectation", "client-error"];

/// The ops that the guest `node-case` knows.
const OPS: &[&str] = &[
    // The head of the response.
    "set-status",
    "set-header",
    "append-header",
    "remove-header",
    "write-head",
    "flush-headers",
    "keep-alive",
    "send-date",
    // Looking at it.
    "get-header",
    "has-header",
    "header-names",
    "headers-sent",
    // Interim responses.
    "write-continue",
    "write-processing",
    "write-early-hints",
    // The body.
    "write",
    "end",
    "end-with",
    "add-trailers",
    "cork",
    "uncork",
    "destroy",
    "report",
    // The body of the request.
    "read-body",
    "echo-body",
    // The connection, once it is a tunnel.
    "tunnel-write",
    "tunnel-read",
    "tunnel-echo",
    "tunnel-end",
    // Requests of the guest's own.
    "request",
    "client-set-header",
    "client-append-header",
    "client-remove-header",
    "client-get-header",
    "client-has-header",
    "client-header-names",
    "client-headers-sent",
    "client-flush-headers",
    "client-write",
    "client-end",
    "client-add-trailers",
    "client-set-timeout",
    "client-set-no-delay",
    "client-set-keep-alive",
    "client-destroy",
    "reused-socket",
    // What is answered to them.
    "await-response",
    "await-continue",
    "await-informational",
    "await-tunnel",
    "read-response",
    "destroy-response",
    "log-response",
    "client-tunnel-read",
    "client-tunnel-write",
    "client-tunnel-echo",
    "client-tunnel-end",
    // What keeps their connections.
    "agent",
    "agent-stats",
    "agent-destroy",
    // The answer to what is no good request.
    "raw-response",
    // The server itself.
    "get-connections",
    "server-close",
    "close-idle-connections",
    "close-all-connections",
    // Control.
    "log",
    "sleep-ms",
    "repeat",
    "trap",
    "return",
    "try",
];

/// The features that the guest has to be built with for a case.
#[must_use]
pub fn features(case: &Case) -> Vec<&str> {
    case.on.keys().map(String::as_str).filter(|export| *export != ALWAYS).collect()
}

/// Why a case cannot be played; none if it can.
#[must_use]
pub fn missing(case: &Case) -> Option<String> {
    if let Some(export) = case.on.keys().find(|export| !EXPORTS.contains(&export.as_str())) {
        return Some(format!("needs the export `{export}`"));
    }
    let mut ops = Vec::new();
    for part in case.on.values() {
        match part {
            Value::Object(targets) => targets.values().for_each(|list| collect(list, &mut ops)),
            list => collect(list, &mut ops),
        }
    }
    let unknown = ops.into_iter().find(|op| !OPS.contains(op))?;
    Some(format!("needs the op `{unknown}`"))
}

/// The names of the ops of a list, and of the ops inside them.
fn collect<'a>(list: &'a Value, ops: &mut Vec<&'a str>) {
    list.as_array().into_iter().flatten().for_each(|op| collect_op(op, ops));
}

fn collect_op<'a>(op: &'a Value, ops: &mut Vec<&'a str>) {
    let Some([Value::String(name), arguments @ ..]) = op.as_array().map(Vec::as_slice) else {
        return;
    };
    ops.push(name);
    match (name.as_str(), arguments) {
        ("try", inner) => inner.iter().for_each(|op| collect_op(op, ops)),
        ("repeat", [_, inner]) => collect(inner, ops),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(on: Value) -> Case {
        let case = serde_json::json!({
            "id": "x", "area": "x", "title": "x", "source": "probe", "verdict": "node",
            "on": on, "connections": [], "expect": {}
        });
        serde_json::from_value(case).expect("a case")
    }

    #[test]
    fn what_is_missing_is_told() {
        let known =
            serde_json::json!({"request": {"/": [["try", ["end"]], ["repeat", 2, [["write", "a"]]]]}});
        assert_eq!(missing(&case(known)), None);
        let op = serde_json::json!({"request": [["try", ["no-such-op", "r"]]]});
        assert_eq!(missing(&case(op)).as_deref(), Some("needs the op `no-such-op`"));
        let export = serde_json::json!({"no-such-export": []});
        assert_eq!(missing(&case(export)).as_deref(), Some("needs the export `no-such-export`"));
    }
}
