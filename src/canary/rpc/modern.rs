//! What is said and read in protocol version 2026-07-28: every request stands for itself, no session, no ping.
//!
//! MCP specification 2026-07-28, `basic/index`, `server/discover` and `basic/utilities/subscriptions`.

use serde_json::{Map, Value, json};

/// The version, as it stands in the header, the body and the label.
pub const VERSION: &str = "2026-07-28";

/// Where an acknowledgement names the request that subscribed.
pub(super) const SUBSCRIPTION_ID: &str = "/params/_meta/io.modelcontextprotocol~1subscriptionId";

/// `HeaderMismatch`: only a server of this version knows it.
const HEADER_MISMATCH: i64 = -32020;
/// `MissingRequiredClientCapability`.
const MISSING_CAPABILITY: i64 = -32021;
/// `UnsupportedProtocolVersion`.
const UNSUPPORTED_VERSION: i64 = -32022;
/// JSON-RPC's "method not found": with it a server says that it offers no stream.
pub const METHOD_NOT_FOUND: i64 = -32601;

/// The changes that a server can tell of: those that a listener may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    tools: bool,
    prompts: bool,
    resources: bool,
}

impl Changes {
    /// Whether there is any; a server that acknowledges an empty list may end the stream at once.
    pub fn any(self) -> bool {
        self.tools || self.prompts || self.resources
    }

    fn of(capabilities: Option<&Value>) -> Self {
        let tells = |what: &str| {
            let flag = capabilities.and_then(|all| all.get(what)?.get("listChanged"));
            flag == Some(&Value::Bool(true))
        };
        Self {
            tools: tells("tools"),
            prompts: tells("prompts"),
            resources: tells("resources"),
        }
    }

    fn filter(self) -> Value {
        let all = [
            ("toolsListChanged", self.tools),
            ("promptsListChanged", self.prompts),
            ("resourcesListChanged", self.resources),
        ];
        let wanted = all.into_iter().filter(|(_, told)| *told);
        wanted
            .map(|(name, told)| (name.to_owned(), told.into()))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// What a server answered to `server/discover`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// It speaks this version.
    Speaks(Changes),
    /// It speaks modern versions, and refuses this request all the same.
    Refuses,
    /// Nothing in the answer is of a modern version: the older eras are asked next.
    Older,
}

/// The `server/discover` request.
pub fn discover(id: u64) -> String {
    let params = json!({ "_meta": meta() });
    json!({ "jsonrpc": "2.0", "id": id, "method": "server/discover", "params": params }).to_string()
}

/// The `subscriptions/listen` request, whose answer is the stream.
pub fn listen(id: &str, changes: Changes) -> String {
    let params = json!({ "notifications": changes.filter(), "_meta": meta() });
    json!({ "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params })
        .to_string()
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": { "name": "holter", "version": env!("CARGO_PKG_VERSION") },
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// Reads the messages of an answer to `server/discover`.
///
/// The error codes are those of `basic/index#error-codes`. `UnsupportedProtocolVersion` means a server
/// whose other versions may be older ones, so they are asked for. -32602 says nothing: older servers use
/// it for methods that they do not know.
pub fn discovered<'a>(messages: impl IntoIterator<Item = &'a String>) -> Discovery {
    for text in messages {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        let versions = message.pointer("/result/supportedVersions");
        if versions
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(|version| version == VERSION))
        {
            let capabilities = message.pointer("/result/capabilities");
            return Discovery::Speaks(Changes::of(capabilities));
        }
        let supported = message.pointer("/error/data/supported");
        let is_offered = supported
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(|version| version == VERSION));
        match message.pointer("/error/code").and_then(Value::as_i64) {
            Some(HEADER_MISMATCH | MISSING_CAPABILITY) => return Discovery::Refuses,
            Some(UNSUPPORTED_VERSION) if is_offered => return Discovery::Refuses,
            _ => {}
        }
    }
    Discovery::Older
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_asks_for_what_the_server_can_tell() {
        let capabilities =
            json!({ "tools": { "listChanged": true }, "prompts": {}, "logging": {} });
        let changes = Changes::of(Some(&capabilities));
        let request: Value = serde_json::from_str(&listen("l1", changes)).unwrap();
        assert_eq!(
            request["params"]["notifications"],
            json!({ "toolsListChanged": true })
        );
        assert!(changes.any() && !Changes::of(None).any());
    }

    #[test]
    fn every_request_says_its_version() {
        for text in [discover(1), listen("l1", Changes::default())] {
            let request: Value = serde_json::from_str(&text).unwrap();
            let meta = &request["params"]["_meta"];
            assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], VERSION);
            assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "holter");
        }
    }
}
