//! Which servers there are, and what Holter is expected to say of each, with the reason why.
//!
//! The words are those of `/metrics`, put together by `reading`. A row that Holter gets wrong is a defect of
//! Holter or news about the server; it is not a row to bend.

/// A server in its folder under `tests/interop`.
pub(crate) struct Server {
    /// What its users call it.
    pub(crate) name: &'static str,
    pub(crate) folder: &'static str,
    /// The tool that `tests/interop/setup` needs for it.
    pub(crate) tool: &'static str,
    /// The manifest that pins its version, and what stands there before the version.
    pub(crate) pinned: (&'static str, &'static str),
    /// How to start it; the port follows.
    pub(crate) command: &'static [&'static str],
    pub(crate) paths: &'static [Expected],
}

/// What Holter is expected to say of one path.
pub(crate) struct Expected {
    pub(crate) path: &'static str,
    /// Transport and protocol version.
    pub(crate) found: &'static str,
    pub(crate) heartbeat: &'static str,
    pub(crate) sigterm: &'static str,
    pub(crate) sigkill: &'static str,
    pub(crate) affinity: &'static str,
    /// What of the server makes it so.
    pub(crate) why: &'static str,
}

const SESSIONS: &str = "streamable_http 2025-11-25";
const LISTEN: &str = "listen 2026-07-28";
const HTTP_SSE: &str = "http_sse 2024-11-05";

const COMMENTS: &str = "comment every 15 s";
const SILENT: &str = "silent";

/// The connection ended without the final chunk.
const CUT: &str = "server_cut (abnormal)";
/// The final chunk came.
const CLOSED: &str = "server_close (planned)";
const STAYS: &str = "stays open";

const MISSES: &str = "misses";
const STATELESS: &str = "not applicable";

const JAVA: &[&str] = &[
    "java",
    "-XX:TieredStopAtLevel=1",
    "-cp",
    "target/classes:target/dependency/*",
    "interop.Server",
];

pub(crate) const SERVERS: &[Server] = &[
    Server {
        name: "TypeScript SDK 1.x",
        folder: "typescript-v1",
        tool: "npm",
        pinned: ("package.json", "@modelcontextprotocol/sdk"),
        command: &["node", "server.mjs"],
        paths: &[
            Expected {
                path: "/mcp",
                found: SESSIONS,
                heartbeat: COMMENTS,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "the transport writes `: keepalive` every 15 s since 1.30. Node without a handler ends at \
                      once on SIGTERM, and says nothing to its streams.",
            },
            Expected {
                path: "/sse",
                found: HTTP_SSE,
                heartbeat: SILENT,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "the old transport never beats, so a proxy with an idle timeout cuts it. Each POST must \
                      reach the replica that holds the stream.",
            },
        ],
    },
    Server {
        name: "TypeScript SDK 2.x",
        folder: "typescript-v2",
        tool: "npm",
        pinned: ("package.json", "@modelcontextprotocol/server"),
        command: &["node", "server.mjs"],
        paths: &[
            Expected {
                path: "/mcp",
                found: LISTEN,
                heartbeat: COMMENTS,
                sigterm: CLOSED,
                sigkill: CUT,
                affinity: STATELESS,
                why: "`createMcpHandler` serves both eras without sessions. The server closes the handler on \
                      SIGTERM, so listeners get their result and the final chunk.",
            },
            Expected {
                path: "/stateful",
                found: SESSIONS,
                heartbeat: COMMENTS,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "`NodeStreamableHTTPServerTransport` with sessions, as in 1.x. Closing the other path's \
                      handler is no farewell to these streams.",
            },
        ],
    },
    Server {
        name: "Python SDK 1.x",
        folder: "python-v1",
        tool: "python3",
        pinned: ("requirements.txt", "mcp=="),
        command: &[".venv/bin/python", "server.py"],
        paths: &[
            Expected {
                path: "/mcp",
                found: SESSIONS,
                heartbeat: COMMENTS,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "sse-starlette writes `: ping` every 15 s. uvicorn drops open streams on SIGTERM without \
                      completing their responses.",
            },
            Expected {
                path: "/sse",
                found: HTTP_SSE,
                heartbeat: COMMENTS,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "as /mcp: the same library writes the stream.",
            },
        ],
    },
    Server {
        name: "Python SDK 2.x",
        folder: "python-v2",
        tool: "python3",
        pinned: ("requirements.txt", "mcp=="),
        command: &[".venv/bin/python", "server.py"],
        paths: &[
            Expected {
                path: "/mcp",
                found: LISTEN,
                heartbeat: COMMENTS,
                sigterm: STAYS,
                sigkill: CUT,
                affinity: STATELESS,
                why: "both eras on one path; `auto` finds the newer. On SIGTERM the server takes no more \
                      connections but waits for its listeners, beating on, until they leave or it is killed.",
            },
            Expected {
                path: "/sse",
                found: HTTP_SSE,
                heartbeat: COMMENTS,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "as in 1.x.",
            },
        ],
    },
    Server {
        name: "FastMCP",
        folder: "fastmcp",
        tool: "python3",
        pinned: ("requirements.txt", "fastmcp=="),
        command: &[".venv/bin/python", "server.py"],
        paths: &[
            Expected {
                path: "/mcp",
                found: SESSIONS,
                heartbeat: COMMENTS,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "it answers `server/discover` of 2026-07-28 but has no `subscriptions/listen` (404, -32601): \
                      the long stream is the one of 2025-11-25.",
            },
            Expected {
                path: "/sse",
                found: HTTP_SSE,
                heartbeat: COMMENTS,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "as in the Python SDK below it.",
            },
        ],
    },
    Server {
        name: "Rust SDK (rmcp)",
        folder: "rmcp",
        tool: "cargo",
        pinned: ("Cargo.toml", "rmcp = { version"),
        command: &["./target/debug/server"],
        paths: &[Expected {
            path: "/mcp",
            found: SESSIONS,
            heartbeat: COMMENTS,
            sigterm: CLOSED,
            sigkill: CUT,
            affinity: MISSES,
            why: "`subscriptions/listen` is not offered unless the handler implements it, so the long stream is \
                  the one of 2025-11-25. Cancelling the SDK's token on SIGTERM ends it with the final chunk.",
        }],
    },
    Server {
        name: "Go SDK",
        folder: "go",
        tool: "go",
        pinned: ("go.mod", "modelcontextprotocol/go-sdk"),
        command: &["./server"],
        paths: &[
            Expected {
                path: "/mcp",
                found: SESSIONS,
                heartbeat: SILENT,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "with sessions the SDK refuses 2026-07-28 (400, -32022, the older versions named). One \
                      comment opens the stream, then nothing: its keep-alive is off by default.",
            },
            Expected {
                path: "/stateless",
                found: LISTEN,
                heartbeat: SILENT,
                sigterm: CUT,
                sigkill: CUT,
                affinity: STATELESS,
                why: "`Stateless` serves 2026-07-28. The listen stream never beats.",
            },
            Expected {
                path: "/sse",
                found: HTTP_SSE,
                heartbeat: SILENT,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "no heartbeat in the old transport either.",
            },
        ],
    },
    Server {
        name: "Java SDK",
        folder: "java",
        tool: "mvn",
        pinned: ("pom.xml", "<mcp.version>"),
        command: JAVA,
        paths: &[
            Expected {
                path: "/mcp",
                found: SESSIONS,
                heartbeat: "ping every 15 s",
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "`keepAliveInterval(15 s)` sends JSON-RPC pings, which Holter answers. Without it the \
                      stream is silent. The JVM ends on SIGTERM without stopping Tomcat.",
            },
            Expected {
                path: "/sse",
                found: HTTP_SSE,
                heartbeat: SILENT,
                sigterm: CUT,
                sigkill: CUT,
                affinity: MISSES,
                why: "the default of the SDK: no keep-alive.",
            },
        ],
    },
    Server {
        name: "Spring WebFlux",
        folder: "spring-webflux",
        tool: "mvn",
        pinned: ("pom.xml", "<spring-boot.version>"),
        command: JAVA,
        paths: &[Expected {
            path: "/events",
            found: "sse none",
            heartbeat: "comment every 30 s",
            sigterm: CUT,
            sigkill: CUT,
            affinity: STATELESS,
            why: "no MCP: an event stream with a comment `heartbeat` every 30 s. The first brings the head of \
                  the answer with it: WebFlux keeps it back until there is something to send. Spring Boot waits \
                  30 s for open streams on SIGTERM and then cuts them; its log says `SSE connection cancelled`, as of a \
                  client that left.",
        }],
    },
];
