//! Formats as people paste them, lines as Envoy writes them, and what must hold for any of both.

use proptest::prelude::*;

use super::*;
use crate::access_log::MAX_LINE;
use crate::reason::Reason;

const LINE: &str = r#"[2026-11-20T10:04:37.789Z] "GET /mcp?a=b HTTP/1.1" 200 UPE 96 137 1001 0 "10.0.0.9" "node" "7aa9" "mcp.example.com" "10.0.0.1:80""#;

const JSON: &str = r#"{"duration":1001,"mcp_session_id":null,"method":"GET","path":"/mcp?a=b","resp_mcp_session_id":"bbdc","response_code":200,"response_code_details":"via_upstream","response_flags":"-","start_time":"2026-11-20T10:04:37.789Z","upstream_host":"10.0.0.1:80","upstream_request_attempt_count":2,"user_agent":"node"}"#;

fn compile(text: &str) -> Format {
    Format::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn parse<'a>(format: &Format, line: &'a str) -> Record<'a> {
    let record = format.parse(line.as_bytes());
    record.unwrap_or_else(|kind| panic!("{kind}: {line}"))
}

fn utc(unix_ms: i64) -> Option<Stamp> {
    Some(Stamp {
        unix_ms,
        utc_offset: Some(0),
    })
}

/// What both lines say.
fn common() -> Record<'static> {
    Record {
        started: utc(1_795_169_077_789),
        ended: utc(1_795_169_078_790),
        duration: Some(Duration::from_millis(1001)),
        method: Some(b"GET"),
        path: Some(b"/mcp"),
        query: Some(b"a=b"),
        status: Some(200),
        upstream: Some(b"10.0.0.1:80"),
        user_agent: Some(b"node"),
        ..Record::default()
    }
}

#[test]
fn what_came_after_the_headers_is_counted() {
    let after = |format: &str, line: &str| {
        let format = compile(&format!("%REQ(:METHOD)% %REQ(:PATH)% {format}"));
        parse(&format, &format!("GET /mcp {line}")).after_headers
    };
    let some = |ms| Some(Duration::from_millis(ms));
    assert_eq!(
        after("%DURATION% %RESPONSE_DURATION%", "1001 201"),
        some(800)
    );
    assert_eq!(after("%DURATION% %RESPONSE_DURATION%", "1001 -"), None);
    assert_eq!(
        after("%DURATION% %RESPONSE_TX_DURATION%", "1001 700"),
        some(700)
    );
    let header = "%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%";
    assert_eq!(after(header, "1001 1"), some(1000));
    // The upstream's own header, where Envoy writes none.
    assert_eq!(after(header, "1001 soon"), None);
    assert_eq!(after("%RESPONSE_DURATION%", "201"), None);
}

#[test]
fn the_client_is_told_with_and_without_its_port() {
    for (operator, written, expected) in [
        ("%DOWNSTREAM_REMOTE_ADDRESS%", "10.0.0.9:3", "10.0.0.9"),
        (
            "%DOWNSTREAM_REMOTE_ADDRESS%",
            "[2001:db8::7]:3",
            "[2001:db8::7]",
        ),
        (
            "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
            "2001:db8::7",
            "2001:db8::7",
        ),
    ] {
        let format = compile(&format!("%REQ(:METHOD)% %REQ(:PATH)% {operator}"));
        let line = format!("GET /mcp {written}");
        assert_eq!(
            parse(&format, &line).client,
            Some(expected.as_bytes()),
            "{line}"
        );
    }
}

#[test]
fn a_default_line_gives_its_fields() {
    let expected = Record {
        verdict: Some(Reason::ServerCut),
        after_headers: Some(Duration::from_millis(1001)),
        ..common()
    };
    assert_eq!(parse(&compile("default"), LINE), expected);
    let pasted = format!("{DEFAULT}\\n");
    assert_eq!(parse(&compile(&pasted), LINE), expected);
}

#[test]
fn a_json_line_gives_its_fields() {
    let expected = Record {
        verdict: Some(Reason::ServerClose),
        session_minted: Some(b"bbdc"),
        retried: true,
        ..common()
    };
    assert_eq!(parse(&compile("json"), JSON), expected);
}

#[test]
fn a_pasted_json_format_names_its_keys() {
    let format = compile(
        r#"{"m": "%REQ(:METHOD)%", "p": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH):256%", "v": 1,
            "end": {"why": "%RESPONSE_CODE_DETAILS%", "s": "%REQ(mcp-session-id)%"}, "x": "a %DURATION%"}"#,
    );
    let record = parse(
        &format,
        r#"{"end":{"s":"id","why":"stream_idle_timeout"},"m":"GET","p":"/mcp","v":1,"x":"a 1"}"#,
    );
    let expected = Record {
        verdict: Some(Reason::IdleTimeout),
        method: Some(b"GET"),
        path: Some(b"/mcp"),
        session_sent: Some(b"id"),
        duration: Some(Duration::from_millis(1)),
        ..Record::default()
    };
    assert_eq!(record, expected);
}

#[test]
fn a_map_of_yaml_is_the_map_of_json() {
    let flat = "ts: \"%START_TIME%\"\nm: '%REQ(:METHOD)%'\np: \"%REQ(:PATH)%\"\ncode: \"%RESPONSE_CODE%\"\nn: 1\nend:\n  why: \"%RESPONSE_CODE_DETAILS%\"\n";
    let json = r#"{"ts":"%START_TIME%","m":"%REQ(:METHOD)%","p":"%REQ(:PATH)%","code":"%RESPONSE_CODE%","n":1,"end":{"why":"%RESPONSE_CODE_DETAILS%"}}"#;
    let indented: String = flat.lines().map(|line| format!("      {line}\n")).collect();
    for text in [
        flat,
        &*indented,
        &format!("log_format:\n  json_format:\n{indented}"),
    ] {
        assert_eq!(compile(text), compile(json), "{text}");
    }
    let line = r#"{"code":200,"end":{"why":"via_upstream"},"m":"GET","n":1,"p":"/mcp","ts":"2026-11-20T10:04:37.789Z"}"#;
    let format = compile(flat);
    let record = parse(&format, line);
    assert_eq!(record.verdict, Some(Reason::ServerClose));
    assert_eq!(
        (record.path, record.started),
        (Some(&b"/mcp"[..]), common().started)
    );
    let text = format!("text_format_source:\n  inline_string: '{DEFAULT}\\n'\n");
    assert_eq!(compile(&text), compile("default"));
}

#[test]
fn a_text_format_that_draws_an_object_is_read_by_key() {
    let format = compile(
        r#"{"m":"%REQ(:METHOD)%","p":"%REQ(:PATH)%","s":%RESPONSE_CODE%,"t":%DURATION%}\n"#,
    );
    let record = parse(
        &format,
        r#"{"t": 1001, "s": 404, "p": "/mcp?a=b", "m": "GET"}"#,
    );
    assert_eq!(
        (record.status, record.duration, record.query),
        (Some(404), common().duration, common().query)
    );
}

#[test]
fn operators_fill_fields() {
    let check = |text: &str,
                 line: &str,
                 field: fn(&Record<'_>) -> Option<Vec<u8>>,
                 expected: Option<&str>| {
        let format = compile(&format!("%REQ(:METHOD)% %REQ(:PATH)% {text}"));
        let line = format!("GET /mcp {line}");
        let got = field(&parse(&format, &line)).map(|raw| String::from_utf8(raw).unwrap());
        assert_eq!(got.as_deref(), expected, "{text} {line}");
    };
    let sent = |record: &Record<'_>| record.session_sent.map(<[u8]>::to_vec);
    check("%REQ(MCP-SESSION-ID):64%", "id", sent, Some("id"));
    check(
        "%REQUEST_HEADER(x-a?mcp-session-id)%",
        "id",
        sent,
        Some("id"),
    );
    check("%REQ(x-a)%", "id", sent, None);
    check("%REQ(MCP-SESSION-ID)%", "-", sent, None);
    let minted = |record: &Record<'_>| record.session_minted.map(<[u8]>::to_vec);
    check("%RESP(Mcp-Session-Id)%", "id", minted, Some("id"));
    check(
        "100%% %RESPONSE_HEADER(MCP-SESSION-ID)%",
        "100% id",
        minted,
        Some("id"),
    );
    let kind = |record: &Record<'_>| record.content_type.map(<[u8]>::to_vec);
    check(
        "%RESP(CONTENT-TYPE)%",
        "text/event-stream",
        kind,
        Some("text/event-stream"),
    );
    let started =
        |record: &Record<'_>| record.started.map(|at| at.unix_ms.to_string().into_bytes());
    check(
        "%START_TIME(%s.%3f)%",
        "1795169077.789",
        started,
        Some("1795169077789"),
    );
    check("[%START_TIME(%Y/%m/%d)%]", "[2026/11/20]", started, None);
    check(
        "%START_TIME%",
        "2026-11-20T10:04:37.789Z",
        started,
        Some("1795169077789"),
    );
    let status = |record: &Record<'_>| record.status.map(|status| status.to_string().into_bytes());
    check("%RESPONSE_CODE%", "0", status, None);
    check("%RESPONSE_CODE%", "404", status, Some("404"));
}

#[test]
fn quotes_in_a_user_agent_forge_no_upstream() {
    let forged = LINE.replace("\"node\"", r#""x" "y" "z" "10.9.9.9:9""#);
    assert_eq!(
        compile("default").parse(forged.as_bytes()),
        Err(UnparsedKind::Format)
    );
}

#[test]
fn other_lines_have_their_kind() {
    let (text, json) = (compile("default"), compile("json"));
    for line in [
        "[2026-11-20 10:04:37.726][31323][info][main] [source/server/server.cc:463] initializing epoch 0",
        "2026-11-20T10:04:37.726Z\tinfo\tversion 1.2",
    ] {
        assert!(
            parse(&text, line).no_request && parse(&json, line).no_request,
            "{line}"
        );
    }
    let wrong = JSON.replace("200", "\"2x0\"");
    let long = format!("{JSON}{}", " ".repeat(MAX_LINE));
    for (format, line, expected) in [
        (&text, "", UnparsedKind::Empty),
        (&json, "", UnparsedKind::Empty),
        (&text, JSON, UnparsedKind::Format),
        (&json, LINE, UnparsedKind::Format),
        (&json, "{\"a\":1\0}", UnparsedKind::Binary),
        (&json, &*wrong, UnparsedKind::Number),
        (&json, &*long, UnparsedKind::TooLong),
    ] {
        assert_eq!(format.parse(line.as_bytes()), Err(expected), "{line:.40}");
    }
}

#[test]
fn bad_formats_are_pointed_at() {
    for (text, line, column, problem) in [
        ("", 1, 1, "empty"),
        ("%REQ(:METHOD)%\n%REQ(:PATH)% %x%", 2, 14, "not an operator"),
        ("%REQ(:PATH", 1, 1, "not an operator"),
        ("%REQ(:PATH)", 1, 1, "not an operator"),
        ("a %", 1, 3, "not an operator"),
        ("%REQ(:METHOD)%%REQ(:PATH)%", 1, 15, "nothing between"),
        ("%REQ(:METHOD)%\n%REQ(:PATH)%", 1, 15, "a line break"),
        (
            "m: \"%REQ(:METHOD)%\"\n  p: \"%REQ(:PATH)%\"",
            1,
            20,
            "a line break",
        ),
        ("%RESPONSE_CODE%", 1, 1, "no request"),
        ("{\"a\":\"%RESPONSE_CODE%\"}", 1, 1, "no request"),
    ] {
        let error = Format::compile(text).unwrap_err();
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{text}: {error}"
        );
        assert!(
            error.problem.contains(problem) && error.problem.contains("expected"),
            "{text}: {error}"
        );
    }
    assert!(
        Format::compile(&"a".repeat(20_000))
            .unwrap_err()
            .problem
            .contains("too long")
    );
}

#[test]
fn limits_name_what_is_missing() {
    let sessions = "%REQ(MCP-SESSION-ID)%";
    for (text, expected) in [
        ("json", &[][..]),
        (
            "istio",
            &[
                sessions,
                "%RESP(MCP-SESSION-ID)%",
                "%RESP(CONTENT-TYPE)% or",
            ],
        ),
        (
            "default",
            &[
                "%RESPONSE_CODE_DETAILS%",
                sessions,
                "%RESP(MCP-SESSION-ID)%",
                "%RESP(CONTENT-TYPE)% or",
            ],
        ),
    ] {
        let limits = compile(text).limits();
        assert_eq!(limits.len(), expected.len(), "{text}: {limits:?}");
        for (limit, word) in limits.iter().zip(expected) {
            assert!(limit.starts_with(word), "{text}: {limit}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(line: Vec<u8>, cut in 0..400usize, byte: u8) {
        for (text, whole) in [("default", LINE), ("istio", LINE), ("json", JSON)] {
            let format = compile(text);
            format.parse(&line).ok();
            let mut damaged = whole.as_bytes().to_vec();
            if let Some(at) = damaged.get_mut(cut) {
                *at = byte;
            }
            format.parse(&damaged).ok();
            damaged.truncate(cut);
            format.parse(&damaged).ok();
        }
    }

    #[test]
    fn any_text_is_compiled_without_a_panic(text: String, pieces in "([%{}():?\"\\\\ \n]|%REQ\\(:PATH\\)%|%REQ\\(:METHOD\\)%|DURATION){0,12}") {
        for text in [&text, &pieces] {
            if let Ok(format) = Format::compile(text) {
                format.parse(LINE.as_bytes()).ok();
                format.parse(JSON.as_bytes()).ok();
                format.limits();
            }
        }
    }
}
