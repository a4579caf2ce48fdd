//! What real servers answered, byte for byte (status, content type, session id or not, body), by SDK and
//! version. Bodies that no test reads are shortened to nothing.

use bytes::Bytes;
use holter::canary::protocol::Answer;

/// One answer of a server.
#[derive(Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) session: Option<&'static str>,
    pub(crate) body: &'static str,
}

pub(crate) const SSE: &str = "text/event-stream";
pub(crate) const JSON: &str = "application/json";

pub(crate) const fn reply(status: u16, content_type: &'static str, body: &'static str) -> Reply {
    Reply {
        status,
        content_type,
        session: None,
        body,
    }
}

impl Reply {
    /// The same with an `Mcp-Session-Id`.
    pub(crate) const fn minting(self, session: &'static str) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    pub(crate) fn answer(self) -> Answer {
        Answer {
            status: self.status,
            content_type: self.content_type.into(),
            session: self.session.map(str::to_owned),
            body: Bytes::from_static(self.body.as_bytes()),
            ..Answer::default()
        }
    }
}

pub(crate) const ACCEPTED: Reply = reply(202, "", "");
pub(crate) const NO_GET: Reply = reply(405, "", "Method Not Allowed");

/// TypeScript `@modelcontextprotocol/server` 2.4.0.
pub(crate) const TS2_DISCOVER: Reply = reply(
    200,
    JSON,
    r#"{"result":{"supportedVersions":["2026-07-28"],"capabilities":{"logging":{},"tools":{"listChanged":true}},"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"ts2","version":"2"}}},"jsonrpc":"2.0","id":1}"#,
);
/// Here the subscription's id is this canary's.
pub(crate) const TS2_LISTEN: Reply = reply(
    200,
    SSE,
    "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{\"toolsListChanged\":true},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"listen-1\"}}}\n\n",
);
pub(crate) const TS2_RESULT: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"listen-1\",\"result\":{\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"listen-1\",\"io.modelcontextprotocol/serverInfo\":{\"name\":\"ts2\",\"version\":\"2\"}}}}\n\n";
pub(crate) const TS2_LIMIT: Reply = reply(
    200,
    JSON,
    r#"{"jsonrpc":"2.0","error":{"code":-32603,"message":"Subscription limit reached"},"id":"listen-1"}"#,
);

/// Python `mcp` 2.3.0.
pub(crate) const PY2_DISCOVER: Reply = reply(
    200,
    JSON,
    r#"{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"private","capabilities":{"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"tools":{"listChanged":true}},"resultType":"complete","supportedVersions":["2026-07-28"],"ttlMs":0,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"py2","version":""}}}}"#,
);
pub(crate) const PY2_LISTEN: Reply = reply(
    200,
    SSE,
    "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"listen-1\"},\"notifications\":{\"toolsListChanged\":true}}}\r\n\r\n",
);

/// FastMCP 4.1.2.
pub(crate) const FM_DISCOVER: Reply = reply(
    200,
    JSON,
    r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fm","version":"4.1.2"}},"ttlMs":0,"cacheScope":"private","supportedVersions":["2026-07-28"],"capabilities":{"logging":{},"prompts":{"listChanged":false},"resources":{"subscribe":false,"listChanged":false},"tools":{"listChanged":false},"extensions":{"io.modelcontextprotocol/ui":{}}},"resultType":"complete"}}"#,
);
pub(crate) const METHOD_NOT_FOUND: Reply = reply(
    404,
    JSON,
    r#"{"jsonrpc":"2.0","id":"listen-1","error":{"code":-32601,"message":"Method not found","data":"subscriptions/listen"}}"#,
);

/// Rust `rmcp` 3.8.0.
pub(crate) const RMCP_DISCOVER: Reply = reply(
    200,
    SSE,
    "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2024-11-05\",\"2025-03-26\",\"2025-06-18\",\"2025-11-25\",\"2026-07-28\"],\"capabilities\":{\"tools\":{\"listChanged\":true}},\"ttlMs\":0,\"cacheScope\":\"private\",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"rmcp\",\"version\":\"3.8.0\"}}}}\n\n",
);
pub(crate) const RMCP_INITIALIZE: Reply = reply(
    200,
    SSE,
    "data: \nid: 0\nretry: 3000\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":true}},\"serverInfo\":{\"name\":\"rmcp\",\"version\":\"3.8.0\"}}}\n\n",
)
.minting("b0daf1dc-8bd6-4a47-b3d9-1877e285737d");
pub(crate) const RMCP_GET: Reply = reply(200, SSE, RMCP_PRIMING);
pub(crate) const RMCP_PRIMING: &str = "data: \nid: 0\nretry: 3000\n\n";
pub(crate) const RMCP_GONE: Reply = reply(404, "", "Not Found: Session not found");

/// The Go SDK with sessions: it knows the method, and leaves 2026-07-28 to its stateless handler.
pub(crate) const GO_DISCOVER: Reply = reply(
    200,
    SSE,
    "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"interop\",\"version\":\"1.0.0\"}},\"ttlMs\":0,\"cacheScope\":\"public\",\"supportedVersions\":[\"2025-11-25\",\"2025-06-18\",\"2025-03-26\",\"2024-11-05\"],\"capabilities\":{\"logging\":{},\"tools\":{\"listChanged\":true}}}}\n\n",
);

/// Without an event store it refuses any `Last-Event-ID`.
pub(crate) const GO_NO_EVENT_STORE: Reply = reply(400, "text/plain", "");

/// C#: a second GET of one session. The body is shortened.
pub(crate) const CS_SECOND_GET: Reply = reply(
    400,
    JSON,
    r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: This server does not support multiple GET requests."},"id":""}"#,
);

/// TypeScript `@modelcontextprotocol/sdk` 1.32.2.
pub(crate) const TS1_INITIALIZE: Reply = reply(
    200,
    SSE,
    "event: message\ndata: {\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"logging\":{},\"tools\":{\"listChanged\":true}},\"serverInfo\":{\"name\":\"ts1\",\"version\":\"1\"}},\"jsonrpc\":\"2.0\",\"id\":1}\n\n",
);
pub(crate) const TS1_NO_SESSION: Reply = reply(
    400,
    JSON,
    r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#,
);
pub(crate) const TS1_VERSION: Reply = reply(
    400,
    JSON,
    r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Unsupported protocol version: 2026-07-28 (supported versions: 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05, 2024-10-07)"},"id":null}"#,
);
pub(crate) const TS1_HOST: Reply = reply(
    403,
    JSON,
    r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Invalid Host: evil.example.com"},"id":null}"#,
);
pub(crate) const TS1_NO_POST: Reply = reply(404, "text/html", "<pre>Cannot POST /sse</pre>");
pub(crate) const TS1_ENDPOINT: Reply = reply(
    200,
    SSE,
    "event: endpoint\ndata: /messages?sessionId=d8d5b4c5-edd0-4065-b910-81fb551500f3\n\n",
);
pub(crate) const TS1_LEGACY_RESULT: &str = "event: message\ndata: {\"result\":{\"protocolVersion\":\"2024-11-05\",\"capabilities\":{\"logging\":{},\"tools\":{\"listChanged\":true}},\"serverInfo\":{\"name\":\"ts1\",\"version\":\"1\"}},\"jsonrpc\":\"2.0\",\"id\":1}\n\n";

/// Python `mcp` 1.30.0: its refusal carries a session id that is dead.
pub(crate) const PY1_DEAD_ID: Reply = reply(
    400,
    JSON,
    r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: Missing session ID"}}"#,
)
.minting("25cd4924d829423ebf021eb8949af569");
pub(crate) const PY1_VERSION: Reply = reply(
    400,
    JSON,
    r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: Unsupported protocol version: 2026-07-28. Supported versions: 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25"}}"#,
);
pub(crate) const PY1_INITIALIZE: Reply = reply(
    200,
    SSE,
    "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"experimental\":{},\"prompts\":{\"listChanged\":false},\"resources\":{\"subscribe\":false,\"listChanged\":false},\"tools\":{\"listChanged\":false}},\"serverInfo\":{\"name\":\"py1\",\"version\":\"1.30.0\"}}}\r\n\r\n",
);
pub(crate) const PY_HOST: Reply = reply(421, "text/plain", "Invalid Host header");
pub(crate) const PY_GET: Reply = reply(200, SSE, "");
pub(crate) const PY_NO_EVENT_STORE: Reply = reply(500, "text/plain", "Internal Server Error");
