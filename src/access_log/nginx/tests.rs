//! Formats as people paste them, lines as nginx writes them, and what must hold for any of both.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::access_log::{Stamp, unescape};

fn compile(text: &str) -> Format {
    Format::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_combined_line_gives_its_fields() {
    let line = br#"10.0.0.9 - al ice [20/Nov/2026:09:59:41 +0000] "GET /mcp?a=b HTTP/1.1" 502 559 "-" "a\x22b""#;
    let record = compile("combined").parse(line).unwrap();
    let expected = Record {
        ended: Some(Stamp {
            unix_ms: 1_795_168_781_000,
            utc_offset: Some(0),
        }),
        method: Some(b"GET"),
        path: Some(b"/mcp"),
        query: Some(b"a=b"),
        status: Some(502),
        client: Some(b"10.0.0.9"),
        user_agent: Some(br"a\x22b"),
        ..Record::default()
    };
    assert_eq!(record, expected);
}

#[test]
fn ingress_lists_are_read_without_quotes() {
    let line = br#"10.0.0.9 - - [20/Nov/2026:09:59:41 +0000] "POST /m?x=1&sessionId=s HTTP/2.0" 200 559 "-" "node" 301 1.250 [ns-mcp-80] [] 10.0.0.1:80, 10.0.0.2:80 : [::1]:80 0, 0 : 9 0.000, 0.001 : 0.2 502, 502 : 200 0878fe"#;
    let record = compile("upstreaminfo").parse(line).unwrap();
    assert_eq!(record.upstream, Some(&b"[::1]:80"[..]));
    assert!(record.retried);
    assert_eq!(record.duration, Some(Duration::from_millis(1250)));
    assert_eq!(record.session_query, Some(&b"s"[..]));
}

#[test]
fn what_came_after_the_last_upstreams_headers_is_counted() {
    let format = compile("$request|$upstream_header_time|$upstream_response_time");
    for (times, expected) in [
        ("0.003|1.141", Some(1138)),
        ("-, 0.003|2.000, 1.141", Some(1138)),
        ("0.003 : 0.100|2.000 : 1.141", Some(1041)),
        ("-|1.141", None),
        ("0.003|-", None),
        ("2.000|1.000", None),
    ] {
        let line = format!("POST /mcp HTTP/1.1|{times}");
        let got = format.parse(line.as_bytes()).unwrap().after_headers;
        assert_eq!(got, expected.map(Duration::from_millis), "{times}");
    }
}

#[test]
fn all_ways_to_paste_a_format_agree() {
    let bare = "$msec \"$request\" $status";
    for pasted in [
        "log_format x '$msec \"$request\" $status';",
        "log_format x escape=default '$msec '  # a comment; with '\n  '\"$request\" '\n\t'$status' ; # the end\n",
        "log_format x escape=none \"$msec \\\"$request\\\" \" \"${status}\"",
        "  log_format\n  main '$msec \"${request}\" $status';  ",
        "escape=json '$msec \"$request\" $status';",
        "'$msec ' '\"$request\" $status'",
    ] {
        assert_eq!(compile(pasted), compile(bare), "{pasted}");
    }
}

#[test]
fn a_bad_format_is_pointed_at() {
    for (text, expected) in [
        (
            "",
            "line 1, column 1: empty; expected `combined`, a format string, or a whole log_format directive",
        ),
        (
            "combind",
            "line 1, column 1: no variable; expected `combined` or text with variables such as $status",
        ),
        (
            "$request $status$msec",
            "line 1, column 17: nothing between two variables; expected text that separates their values",
        ),
        (
            "log_format x '$request '\n  '$status';\n  '$';",
            "line 3, column 3: text after the directive's `;`; expected one log_format directive and nothing else",
        ),
        (
            "log_format x '$request '\n  '$-';",
            "line 2, column 4: a `$` without a name; expected a variable such as $status",
        ),
        (
            "$request $",
            "line 1, column 10: a `$` without a name; expected a variable such as $status",
        ),
        (
            "${request $status",
            "line 1, column 1: `${` is not closed; expected `}` after the variable's name",
        ),
        (
            "log_format x '$request",
            "line 1, column 14: the quote is not closed; expected the same quote before the end",
        ),
        (
            "log_format x '$request'$status;",
            "line 1, column 24: text after a closing quote; expected a space, a line end or `;`",
        ),
        (
            "log_format x escape=html '$request';",
            "line 1, column 14: unknown escaping; expected escape=default, escape=json or escape=none",
        ),
        (
            "log_format main;",
            "line 1, column 1: the directive is incomplete; expected log_format NAME 'FORMAT';",
        ),
        (
            "log_format",
            "line 1, column 1: the directive is incomplete; expected log_format NAME 'FORMAT';",
        ),
        (
            "$msec $status",
            "line 1, column 1: no request in the format; expected $request, or $request_method with $request_uri: without them no stream can be recognised",
        ),
    ] {
        assert_eq!(Format::compile(text).unwrap_err().to_string(), expected);
    }
    let long = Format::compile(&"$a ".repeat(6000)).unwrap_err();
    assert_eq!(long.problem, Problem::TooLong);
}

#[test]
fn a_format_says_what_it_cannot_tell() {
    use Missing::*;
    let combined = [
        Connection,
        Completion,
        Duration,
        Upstream,
        SessionSent,
        SessionMinted,
        PostStreams,
        UpstreamTimes,
    ];
    assert_eq!(compile("combined").missing(), combined);
    let all = "$time_local $request $connection $request_completion $request_time $upstream_addr \
        $http_mcp_session_id $sent_http_mcp_session_id $http_user_agent $upstream_header_time";
    assert_eq!(compile(all).missing(), [PostStreams, UpstreamTimes]);
    for kind in ["$http_mcp_method", "$sent_http_content_type"] {
        let all = format!("{all} $upstream_connect_time {kind}");
        assert_eq!(compile(&all).missing(), [], "{kind}");
    }
}

#[test]
fn damage_is_named() {
    let format = compile("$msec \"$request\" $status $connection");
    for (line, expected) in [
        (&b""[..], UnparsedKind::Empty),
        (b"hello", UnparsedKind::Format),
        (b"1.0 \"GET / HTTP/1.1\"", UnparsedKind::Format),
        (b"\0\0\0\0", UnparsedKind::Binary),
        (b"x \"GET / HTTP/1.1\" 200 1", UnparsedKind::Number),
        (b"1.0 \"GET / HTTP/1.1\" 99999 1", UnparsedKind::Number),
        (b"1.0 \"GET / HTTP/1.1\" 200 1x", UnparsedKind::Number),
    ] {
        assert_eq!(format.parse(line), Err(expected));
    }
    assert_eq!(
        format.parse(&vec![b'x'; MAX_LINE + 1]),
        Err(UnparsedKind::TooLong)
    );
}

#[test]
fn an_object_is_read_by_its_keys() {
    let format = compile(
        r#"{"m":"$request_method","at":$msec,"u":{"r":"$request_uri","c":"a$connection-"},"s":$status,"ua":"$http_user_agent"}"#,
    );
    let expected = format.parse(
        br#"{"m":"GET","at":1795168781.360,"u":{"r":"/mcp?a=\",b","c":"a7-"},"s":200,"ua":"x\"}"}"#,
    );
    let record = expected.as_ref().unwrap();
    assert_eq!((record.status, record.connection), (Some(200), Some(7)));
    assert_eq!(record.query, Some(&br#"a=\",b"#[..]));
    for line in [
        r#"{"ua":"x\"}","s":200,"u":{"c":"a7-","r":"/mcp?a=\",b"},"at":1795168781.36,"m":"GET"}"#,
        r#"{"m":"GET","zone":"a","at":1795168781.360,"u":{"r":"/mcp?a=\",b","c":"a7-"},"s":200,"ua":"x\"}"}"#,
        r#"{"m":"GET","at":1795168781.360,"u":{"r":"/mcp?a=\",b","c":"a7-"},"s":200,"ua":"x\"}","z":"a"}"#,
        r#" {"m" : "GET" ,"at":1795168781.360 , "u":{ "r":"/mcp?a=\",b","c":"a7-" }, "s": 200,"ua":"x\"}" } "#,
        r#"{"m":"GET","zone":"a","at":1795168781.360,"bytes":1,"u":{"r":"/mcp?a=\",b","x":"","c":"a7-"},"s":"200","r":"/x","ua":"x\"}","c":null}"#,
        r#"{"s":null,"m":"GET","at":1795168781.360,"u":{"r":"/mcp?a=\",b","c":"a7-"},"ua":"x\"}","s":200}"#,
    ] {
        assert_eq!(format.parse(line.as_bytes()), expected, "{line}");
    }
    for line in [
        r#"{"s":200,"at":1.000}"#,
        r#"{"m":"GET","s":2"#,
        r#"{"m":"GET" "s":200}"#,
    ] {
        assert_eq!(
            format.parse(line.as_bytes()),
            Err(UnparsedKind::Format),
            "{line}"
        );
    }
}

#[test]
fn of_a_variable_that_stands_twice_what_it_says_counts() {
    let format = compile("$request $upstream_http_mcp_session_id $sent_http_mcp_session_id");
    for (ids, expected) in [("a -", "a"), ("- b", "b"), ("a b", "b")] {
        let line = format!("GET / HTTP/1.1 {ids}");
        let record = format.parse(line.as_bytes()).unwrap();
        assert_eq!(record.session_minted, Some(expected.as_bytes()), "{ids}");
    }
}

#[test]
fn a_request_that_is_none_is_still_a_line() {
    for request in ["-", "", r"\x16\x03\x01", "GET /"] {
        let line = format!("1.0 \"{request}\" 400");
        let format = compile("$msec \"$request\" $status");
        let record = format.parse(line.as_bytes()).unwrap();
        assert_eq!(
            (record.method, record.path, record.status),
            (None, None, Some(400))
        );
    }
}

#[test]
fn the_most_exact_of_several_variables_wins() {
    let ended = Stamp {
        unix_ms: 1_795_168_781_360,
        utc_offset: Some(3600),
    };
    for (text, line) in [
        (
            "$time_iso8601 $msec $request_method $uri $request_uri \"$request\"",
            r#"2026-11-20T10:59:41+01:00 1795168781.360 GET /in /mcp?x=1 "GET /mcp?x=1 HTTP/1.1""#,
        ),
        (
            "$msec [$time_local] \"$request\" $uri $args",
            r#"1795168781.360 [20/Nov/2026:10:59:41 +0100] "GET /mcp?x=1 HTTP/1.1" /in y=2"#,
        ),
    ] {
        let format = compile(text);
        let record = format.parse(line.as_bytes()).unwrap();
        assert_eq!(record.ended, Some(ended), "{text}");
        let target = (record.path, record.query);
        assert_eq!(target, (Some(&b"/mcp"[..]), Some(&b"x=1"[..])), "{text}");
    }
}

#[test]
fn path_and_query_can_come_from_their_own_variables() {
    let format = compile("$request_method $uri $args");
    let record = format.parse(b"POST /m sessionId=s").unwrap();
    assert_eq!(
        (record.method, record.path),
        (Some(&b"POST"[..]), Some(&b"/m"[..]))
    );
    assert_eq!(record.session_query, Some(&b"s"[..]));
}

const JSON: &str = r#"{"msec":$msec,"method":"$request_method","uri":"$request_uri","status":$status,"ok":"$request_completion","took":$request_time,"up":"$upstream_addr","conn":$connection,"sid":"$http_mcp_session_id","new":"$upstream_http_mcp_session_id","ua":"$http_user_agent"}"#;
const PLAIN: &str = "$msec|$request_method $request_uri $status [$request_completion] $request_time $upstream_addr $connection $http_mcp_session_id $upstream_http_mcp_session_id \"$http_user_agent\"";

/// Writes a text as nginx does under `escape=json` or `escape=default`.
fn escape(text: &str, json: bool) -> String {
    let one = |char: char| match (char, json) {
        ('"' | '\\', true) => format!("\\{char}"),
        ('\n', true) => r"\n".to_owned(),
        (char, true) if char < ' ' => format!("\\u{:04X}", u32::from(char)),
        (char, true) => char.to_string(),
        ('"' | '\\' | '\0'..'\x20' | '\x7f'.., false) => {
            let mut bytes = [0; 4];
            (char.encode_utf8(&mut bytes).bytes())
                .map(|byte| format!("\\x{byte:02X}"))
                .collect()
        }
        (char, false) => char.to_string(),
    };
    text.chars().map(one).collect()
}

/// The format with each variable replaced by its value.
fn render(format: &str, values: &[(&str, &str)]) -> String {
    let mut values = values.to_vec();
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut line = String::new();
    for (at, piece) in format.split('$').enumerate() {
        let found = values
            .iter()
            .find(|(name, _)| at > 0 && piece.starts_with(name));
        let (name, value) = found.unwrap_or(&("", ""));
        line.push_str(value);
        line.push_str(piece.strip_prefix(name).unwrap());
    }
    line
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(line: Vec<u8>, at in 0..3usize) {
        let text = ["combined", "upstreaminfo", JSON][at];
        compile(text).parse(&line).ok();
        error::parse(&line).ok();
    }

    #[test]
    fn any_damage_to_a_line_is_read_without_a_panic(cut in 0..200usize, byte: u8, at in 0..200usize) {
        let mut line = br#"1.5|GET /mcp?session_id=x 200 [OK] 1.250 1.1.1.1:80, 2.2.2.2:80 42 - - "node""#.to_vec();
        if let Some(place) = line.get_mut(at) { *place = byte; }
        line.truncate(cut);
        compile(PLAIN).parse(&line).ok();
        let mut line = b"2026/11/20 09:59:41 [error] 7#7: *42 recv() failed (104: x) while reading upstream, client: a, request: \"GET / HTTP/1.1\"".to_vec();
        if let Some(place) = line.get_mut(at) { *place = byte; }
        line.truncate(cut);
        error::parse(&line).ok();
    }

    #[test]
    fn any_text_is_compiled_without_a_panic(text: String, head in 0..4usize) {
        let heads = ["", "log_format x ", "log_format x escape=json '", "'$request "];
        Format::compile(&format!("{}{text}", heads[head])).ok();
    }

    #[test]
    fn any_directive_is_compiled_without_a_panic(text in "log_format [$'\"{};\\\\# a_=\n]{0,40}") {
        Format::compile(&text).ok();
    }

    #[test]
    fn a_rendered_line_reads_back(
        json: bool, millis in 0..9_999_999_999_999u64, took in 0..99_999_999u64,
        path in "/[a-z/]{0,9}", query in prop::option::of("[a-z=&]{1,9}"), status in 100..600u16,
        upstreams in prop::collection::vec("[0-9]{1,3}\\.1:[0-9]{1,5}", 1..4), connection: u64,
        session in "[!#-,.-\\[\\]-~]{1,40}", agent in "\\PC{1,20}|[\"\\\\,:}]{2,9}",
    ) {
        let target = query.as_ref().map_or(path.clone(), |query| format!("{path}?{query}"));
        let seconds = |millis: u64| format!("{}.{:03}", millis / 1000, millis % 1000);
        let line = render(if json { JSON } else { PLAIN }, &[
            ("msec", &seconds(millis)), ("request_method", "GET"), ("request_uri", &target),
            ("status", &status.to_string()), ("request_completion", "OK"),
            ("request_time", &seconds(took)), ("upstream_addr", &upstreams.join(", ")),
            ("connection", &connection.to_string()), ("http_mcp_session_id", &session),
            ("upstream_http_mcp_session_id", if json { "" } else { "-" }),
            ("http_user_agent", &escape(&agent, json)),
        ]);
        let format = compile(if json { JSON } else { PLAIN });
        let record = format.parse(line.as_bytes()).unwrap();
        prop_assert_eq!(record.ended.unwrap().unix_ms, i64::try_from(millis).unwrap());
        prop_assert_eq!(record.duration, Some(Duration::from_millis(took)));
        prop_assert_eq!(record.path, Some(path.as_bytes()));
        prop_assert_eq!(record.query, query.as_ref().map(String::as_bytes));
        prop_assert_eq!(record.status, Some(status));
        prop_assert_eq!(record.completed, Some(true));
        prop_assert_eq!(record.upstream, upstreams.last().map(String::as_bytes));
        prop_assert_eq!(record.connection, Some(connection));
        prop_assert_eq!(record.session_sent, Some(session.as_bytes()));
        prop_assert_eq!(record.session_minted, None);
        let agent = if agent == "-" { None } else { Some(agent.into_bytes()) };
        prop_assert_eq!(record.user_agent.map(|raw| unescape(raw).into_owned()), agent);
    }
}
