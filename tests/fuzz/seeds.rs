//! Seeds that no golden file holds: format strings as operators paste them, and lines of formats whose
//! logs are not in the corpus. It does not know what is done with them.

pub(super) const SSE_SEEDS: [&str; 2] = [
    "3: ping\n\nevent: endpoint\ndata: /messages?session_id=1\n\n",
    "1\u{feff}id: 1\r\nretry: 3000\r\ndata: {\"jsonrpc\":\"2.0\"}\r\n\r\n:\r\r",
];

pub(super) const NGINX_DIRECTIVE: &str =
    "log_format x escape=json '{\"t\":$msec,' \"\\\"r\\\":\\\"${request}\\\"}\"; # end\n";

pub(super) const NGINX_SEEDS: [&str; 4] = [
    "$request_method $uri $args $upstream_addr $msec\nPOST /m sessionId=s a:1, b:1 : c:1 1.5\n",
    "3\n{\"msec\":1795168781.541,\"connection\":23,\"request_method\":\"GET\",\"request_uri\":\"/mcp\",\"status\":502,\"request_completion\":\"OK\",\"request_time\":0.000,\"upstream_addr\":\"a:1\",\"upstream_header_time\":\"-\",\"mcp_session_id\":\"e4\",\"upstream_mcp_session_id\":\"\",\"http_user_agent\":\"no\\\"de\"}\n",
    "2\n1.1.1.1 - - [20/Nov/2026:09:59:41 +0000] \"GET /mcp HTTP/1.1\" 200 1 \"-\" \"node\" conn=1 completion=\"\" rt=147.081 upstream=\"10.42.1.9:8080\" us_status=\"200\" uht=\"0.004\" sid=\"17\" up_sid=\"-\" mcp=\"-\" ct=\"text/event-stream\" uct=\"0.000\"\n",
    "$msec \"$request\" $status $upstream_addr $upstream_header_time $http_mcp_session_id $sent_http_mcp_session_id $http_user_agent\n1.5 \"POST /mcp HTTP/1.1\" 200 a:1 0.1 - s node\n1.5 \"POST /mcp HTTP/1.1\" 404 b:1 0.1 s - node\n1.5 \"GET / HTTP/1.1\" 200 b:1, a:1 -, 0.1 - - node\n1.5 \"POST /mcp HTTP/1.1\" 200 a:1 0.1 s - node\n",
];

pub(super) const APACHE_DIRECTIVE: &str = "LogFormat \"%h %{%d/%b/%Y:%T}t.%{usec_frac}t \\\"%r\\\" %>s %{ms}T %{sessionId}C%%\" mcp # end\n";

pub(super) const APACHE_SEEDS: [&str; 2] = [
    "1\ntime=2026-11-20T10:00:51.391+0000 client=127.0.2.13 cport=33767 method=POST uri=\"/mcp?x=1\" status=200 us=1198 conn=+ worker=\"-\" sid=\"-\" up_sid=\"69a4\" logid=\"-\" ua=\"claude-code/1.0.43\"\n",
    "%a \"%r\" %>s %X %{us}T\n::1 \"GET /sse HTTP/1.1\" 200 X 60003001\n",
];

pub(super) const TRAEFIK_SEEDS: [&str; 2] = [
    "0\n10.0.0.9 - - [20/Nov/2026:09:59:41 +0000] \"GET /mcp?x=1 HTTP/1.1\" 200 13 \"-\" \"claude \\\"code\\\"\" 7 \"mcp@docker\" \"http://10.0.0.1:8080\" 30012ms\n",
    "1\n{\"ClientAddr\":\"10.0.0.9:4321\",\"ClientHost\":\"10.0.0.9\",\"ClientPort\":\"4321\",\"DownstreamStatus\":200,\"Duration\":30012000000,\"RequestMethod\":\"GET\",\"RequestPath\":\"/mcp?x=1\",\"RetryAttempts\":0,\"ServiceURL\":\"http://10.0.0.1:8080\",\"StartUTC\":\"2026-11-20T09:59:41.000000001Z\",\"request_Mcp-Session-Id\":\"s\",\"downstream_Content-Type\":\"text/event-stream\",\"level\":\"info\",\"msg\":\"\"}\n",
];

pub(super) const HAPROXY_SETUP: &str = "HAProxy version 3.0.11\nfrontend f\n  capture request header Mcp-Session-Id len 64\n  capture response header Mcp-Session-Id len 64\n  option httplog\n";

pub(super) const HAPROXY_SEEDS: [&str; 1] = [
    "1\n<134>Nov 20 10:15:03 haproxy[1]: {\"time\":\"20/Nov/2026:10:15:03.340\",\"ci\":\"127.0.34.97\",\"cp\":58837,\"fe\":\"f\",\"srv\":\"mcp-1\",\"srv_addr\":\"127.0.0.1:20211\",\"Ta\":1,\"status\":200,\"term\":\"sD--\",\"retries\":\"+1\",\"method\":\"GET\",\"path\":\"/mcp\",\"query\":\"?a=1\",\"sid\":\"-\",\"up_sid\":\"f6\"}\n",
];

pub(super) const ENVOY_TEXT: &str = "[%START_TIME(%s.%3f)%] %REQ(:METHOD)% %REQ(X?:PATH):10% %RESPONSE_CODE% %RESPONSE_FLAGS% %DURATION% %UPSTREAM_HOST% %REQ(MCP-SESSION-ID)%\n";

pub(super) const ENVOY_YAML: &str = "json_format:\n  m: \"%REQ(:METHOD)%\"\n  p: \"%REQ(:PATH)%\"\n  at: { ts: \"%START_TIME%\" }\n";
pub(super) const ENVOY_JSON: &str = r#"{"method":"%REQ(:METHOD)%","path":"%REQ(:PATH)%","code":"%RESPONSE_CODE%","flags":"%RESPONSE_FLAGS%"}"#;

pub(super) const RULES_SEEDS: [&str; 2] = [
    "-\nFailed to send keep-alive ping to session abc: Stream unavailable for session abc\nSSE connection opened session=abcdefgh\nSSE connection cancelled session=abcdefgh\n",
    "-\nworker quit with reason: IdleTimeout(\nClosing idle session: abc\nheartbeat sent\nASGI callable returned without completing response\n",
];
