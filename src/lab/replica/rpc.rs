//! What a replica says to one JSON-RPC message: pure, without sessions or transport.
//!
//! Knows `initialize`, `ping` and `tools/list`, which is all that a heartbeat monitor asks for.

use serde_json::{Value, json};

/// Versions that a replica speaks, newest first; any other request gets the newest
/// (spec 2025-06-18, basic/lifecycle, "Version Negotiation").
const VERSIONS: [&str; 3] = ["2025-06-18", "2025-03-26", "2024-11-05"];

/// What one message calls for.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// A JSON-RPC response, result or error.
    Answer(Value),
    /// A notification or a response of the client: nothing to say.
    Accepted,
}

/// Whether this message opens a session.
pub(super) fn is_initialize(message: &Value) -> bool {
    method(message) == Some("initialize") && message.get("id").is_some()
}

/// What a replica says to `message`.
pub(super) fn reply(message: &Value) -> Reply {
    let (Some(method), Some(id)) = (method(message), message.get("id")) else {
        return Reply::Accepted;
    };
    let result = match method {
        "initialize" => initialized(message),
        "ping" => json!({}),
        "tools/list" => json!({ "tools": [] }),
        _ => return Reply::Answer(error(id, -32601, "Method not found")),
    };
    Reply::Answer(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

/// A JSON-RPC error object; `id` is null where the request had none or could not be read.
pub(super) fn error(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

fn method(message: &Value) -> Option<&str> {
    message.get("method").and_then(Value::as_str)
}

fn initialized(message: &Value) -> Value {
    let asked = message
        .pointer("/params/protocolVersion")
        .and_then(Value::as_str);
    let [newest, ..] = VERSIONS;
    let version = VERSIONS
        .into_iter()
        .find(|known| Some(*known) == asked)
        .unwrap_or(newest);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "holter-lab", "version": env!("CARGO_PKG_VERSION") },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: Value, expected: Value) {
        assert_eq!(reply(&message), Reply::Answer(expected), "{message}");
    }

    #[test]
    fn requests_are_answered_under_their_id() {
        check(
            json!({"id": 7, "method": "ping"}),
            json!({"jsonrpc": "2.0", "id": 7, "result": {}}),
        );
        check(
            json!({"id": "a", "method": "tools/list"}),
            json!({"jsonrpc": "2.0", "id": "a", "result": {"tools": []}}),
        );
        check(
            json!({"id": 1, "method": "no/such"}),
            error(&json!(1), -32601, "Method not found"),
        );
    }

    #[test]
    fn what_wants_no_answer_gets_none() {
        for message in [
            json!({"method": "notifications/initialized"}),
            json!({"id": 3, "result": {}}),
            json!([]),
            json!("text"),
            json!({"id": 1, "method": 5}),
        ] {
            assert_eq!(reply(&message), Reply::Accepted, "{message}");
        }
    }

    #[test]
    fn the_version_is_negotiated() {
        for (asked, spoken) in [
            ("2024-11-05", "2024-11-05"),
            ("2025-03-26", "2025-03-26"),
            ("2025-06-18", "2025-06-18"),
            ("1999-01-01", "2025-06-18"),
        ] {
            let message =
                json!({"id": 1, "method": "initialize", "params": {"protocolVersion": asked}});
            assert!(is_initialize(&message));
            let Reply::Answer(answer) = reply(&message) else {
                panic!("no answer")
            };
            assert_eq!(
                answer.pointer("/result/protocolVersion"),
                Some(&json!(spoken)),
                "{asked}"
            );
        }
    }
}
