//! What a format cannot tell is named.

use super::*;

#[test]
fn limits_name_what_is_missing() {
    let all = "HAProxy version 2.6\ncapture request header Mcp-Session-Id len 64\ncapture request header User-Agent len 64\ncapture response header Mcp-Session-Id len 64\noption httplog";
    let asked = all.replace(
        "request header User",
        "request header Mcp-Method len 64\ncapture request header User",
    );
    let answered = all.replace(
        "response header Mcp",
        "response header Content-Type len 64\ncapture response header Mcp",
    );
    for (text, expected) in [
        (&*asked, &[][..]),
        (&answered, &[]),
        (all, &["not all streams that a POST opens"]),
        (
            "httplog",
            &["not all streams that a POST opens", "declared", "version"],
        ),
        (
            "HA-Proxy version 3.0\n log-format '%r %ST'",
            &[
                "%tsc",
                "%Ta",
                "%b/%s",
                "Mcp-Session-Id",
                "User-Agent",
                "a POST",
            ],
        ),
    ] {
        let limits = compile(text).limits();
        assert_eq!(limits.len(), expected.len(), "{text}: {limits:?}");
        for (limit, word) in limits.iter().zip(expected) {
            assert!(limit.contains(word), "{text}: {limit}");
        }
    }
}
