//! The few JSON-RPC messages that a monitor says and reads.
//!
//! Shapes: MCP specification, `basic/lifecycle` and `basic/utilities/ping`, 2024-11-05 to 2025-11-25. What
//! 2026-07-28 says instead is in [`modern`].

pub mod modern;

use serde_json::{Value, json};

/// The protocol version that Holter asks for over Streamable HTTP.
pub const STREAMABLE_VERSION: &str = "2025-11-25";
/// The protocol version that Holter asks for over HTTP+SSE.
pub const HTTP_SSE_VERSION: &str = "2024-11-05";

/// The id of Holter's `initialize` request.
pub const INITIALIZE_ID: u64 = 1;

/// The version as a closed set, so that a server cannot mint label values.
pub fn known_version(version: &str) -> &'static str {
    [
        "2024-11-05",
        "2025-03-26",
        "2025-06-18",
        "2025-11-25",
        modern::VERSION,
    ]
    .into_iter()
    .find(|known| *known == version)
    .unwrap_or("other")
}

/// The `initialize` request.
pub fn initialize(version: &str) -> String {
    json!({
        "jsonrpc": "2.0",
        "id": INITIALIZE_ID,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": { "name": "holter", "version": env!("CARGO_PKG_VERSION") },
        },
    })
    .to_string()
}

/// The notification that ends the handshake.
pub fn initialized() -> String {
    json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string()
}

/// Our own `ping`; any request would do, this one has no effect.
pub fn ping(id: u64) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }).to_string()
}

/// A notification without effect: no request has this id. It is answered by a status alone, so that asking
/// over HTTP+SSE, where answers come on the stream, does not break the very silence that is watched.
pub fn cancelled(id: u64) -> String {
    let params = json!({ "requestId": format!("holter-{id}"), "reason": "no such request" });
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }).to_string()
}

/// The answer to the server's `ping`, which must be given promptly.
pub fn pong(id: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "result": {} }).to_string()
}

/// The answer to a server's request that a monitor does not serve (JSON-RPC 2.0, section 5.1).
pub fn method_not_found(id: &Value) -> String {
    let error = json!({ "code": -32601, "message": "Method not found" });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

/// One message from the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The answer to our `initialize`, with the version that the server chose.
    Initialized {
        /// From the closed set of [`known_version`].
        version: &'static str,
    },
    /// An error in answer to our `initialize`.
    InitializeFailed,
    /// A `ping` that waits for its answer.
    Ping(Value),
    /// Another request of the server.
    Request(Value),
    /// `notifications/subscriptions/acknowledged`, with the id of the request that subscribed.
    Acknowledged(Value),
    /// `notifications/cancelled`, with the id of the request that it is about.
    Cancelled(Value),
    /// The result of another request of ours, by its id.
    Done(Value),
    /// The error in answer to another request of ours.
    Failed {
        /// The request's id.
        id: Value,
        /// The error's code; 0 where it has none.
        code: i64,
    },
    /// Another notification.
    Other,
}

/// Reads a message; `None` where the text is no JSON-RPC message.
pub fn read(text: &str) -> Option<Incoming> {
    let value: Value = serde_json::from_str(text).ok()?;
    let message = value.as_object()?;
    if message.get("jsonrpc")?.as_str()? != "2.0" {
        return None;
    }
    let id = message.get("id").filter(|id| !id.is_null());
    let at = |pointer: &str| value.pointer(pointer).cloned().unwrap_or(Value::Null);
    Some(match (message.get("method").and_then(Value::as_str), id) {
        (Some("ping"), Some(id)) => Incoming::Ping(id.clone()),
        (Some(_), Some(id)) => Incoming::Request(id.clone()),
        (None, Some(id)) if id.as_u64() == Some(INITIALIZE_ID) => match message.get("result") {
            Some(result) => Incoming::Initialized {
                version: known_version(
                    result
                        .get("protocolVersion")
                        .and_then(Value::as_str)
                        .unwrap_or(""),
                ),
            },
            None => Incoming::InitializeFailed,
        },
        (None, Some(id)) if message.contains_key("result") => Incoming::Done(id.clone()),
        (None, Some(id)) => Incoming::Failed {
            id: id.clone(),
            code: at("/error/code").as_i64().unwrap_or(0),
        },
        (Some("notifications/subscriptions/acknowledged"), None) => {
            Incoming::Acknowledged(at(modern::SUBSCRIPTION_ID))
        }
        (Some("notifications/cancelled"), None) => Incoming::Cancelled(at("/params/requestId")),
        _ => Incoming::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Incoming>) {
        assert_eq!(read(text), expected, "{text}");
    }

    #[test]
    fn reads_what_servers_say() {
        let version = "2025-06-18";
        check(
            r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{}}}"#,
            Some(Incoming::Initialized { version }),
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"x\"}"}}"#,
            Some(Incoming::Initialized { version: "other" }),
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600}}"#,
            Some(Incoming::InitializeFailed),
        );
        check(
            r#"{"jsonrpc":"2.0","id":"p-1","method":"ping"}"#,
            Some(Incoming::Ping("p-1".into())),
        );
        check(
            r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#,
            Some(Incoming::Request(7.into())),
        );
        check(
            r#"{"jsonrpc":"2.0","method":"notifications/message"}"#,
            Some(Incoming::Other),
        );
        check(
            r#"{"jsonrpc":"2.0","id":2,"result":{}}"#,
            Some(Incoming::Done(2.into())),
        );
        check(
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"subscriptions/listen"}}"#,
            Some(Incoming::Failed {
                id: 7.into(),
                code: -32601,
            }),
        );
        check(
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"s"}}"#,
            Some(Incoming::Cancelled("s".into())),
        );
        check("ping", None);
        check("[]", None);
        check(r#"{"id":1}"#, None);
    }

    #[test]
    fn says_who_it_is() {
        let message: Value = serde_json::from_str(&initialize(STREAMABLE_VERSION)).unwrap();
        assert_eq!(message["params"]["clientInfo"]["name"], "holter");
        assert_eq!(message["params"]["protocolVersion"], "2025-11-25");
    }
}
