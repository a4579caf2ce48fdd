//! Formats of HAProxy 3 whose items have names.

use super::*;

/// What the manual of 3.0 says of `json`: items with a name, numbers bare, nothing as `null`.
#[test]
fn an_encoding_is_read_by_its_names() {
    let format = compile(
        "capture request header Mcp-Session-Id len 64\nlog-format \"%{+json}o %(client)ci %(port:sint)cp [%(at)tr] %b/%(srv)s %(took:sint)Ta %(code)ST %(why)tsc %(line){+Q}r %(sid)[capture.req.hdr(0)] %(ua)[req.hdr(User-Agent)] %HQ\"",
    );
    let line = |why: &str| {
        format!(
            r#"<134>Nov 20 10:15:04 lb haproxy[1]: {{"client": "10.0.0.9", "port": 32931, "at": "20/Nov/2026:10:15:03.339", "srv": "mcp-1", "took": 1411, "code": 200, "why": "{why}", "line": "GET /mcp?a=\"b HTTP/1.1", "sid": "the id", "ua": null}}"#
        )
    };
    let expected = Record {
        verdict: Some(Reason::ServerCut),
        started: without_zone(1_795_169_703_339),
        ended: without_zone(1_795_169_704_750),
        duration: Some(Duration::from_millis(1411)),
        method: Some(b"GET"),
        path: Some(b"/mcp"),
        query: Some(br#"a=\"b"#),
        status: Some(200),
        upstream: Some(b"mcp-1"),
        client: Some(b"10.0.0.9"),
        session_sent: Some(b"the id"),
        ..Record::default()
    };
    assert_eq!(parse(&format, &line("SD--")), expected);
    // Names prove HAProxy 3, which calls its own time-out so.
    let cut = parse(&format, &line("CD--")).verdict;
    assert_eq!(cut, Some(Reason::Unknown));
    let notice =
        "<132>Nov 20 10:16:30 haproxy[1]: Proxy f stopped (cumulated conns: FE: 0, BE: 0).";
    assert!(parse(&format, notice).no_request);
}
