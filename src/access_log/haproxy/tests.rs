//! Formats as people paste them, lines as HAProxy writes them, and what must hold for any of both.

use proptest::prelude::*;

use super::*;
use crate::reason::Reason;

mod limits;
mod named;

const LINE: &str = r#"10.0.0.9:32931 [20/Nov/2026:10:15:03.339] fe be/mcp-1 0/0/0/1/1411 200 227 - - SD-- 75/13/35/35/+1 0/0 {c99979e9-41be-4a2a-9c7f-66bf835ba2ee|ab12|node} {8c8aeac1-9a39-41e0-b639-32be96c41a7c} "GET /mcp?a=b HTTP/1.1""#;

fn compile(text: &str) -> Format {
    Format::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn parse<'a>(format: &Format, line: &'a str) -> Record<'a> {
    let record = format.parse(line.as_bytes());
    record.unwrap_or_else(|kind| panic!("{kind}: {line}"))
}

fn without_zone(unix_ms: i64) -> Option<Stamp> {
    Some(Stamp {
        unix_ms,
        utc_offset: None,
    })
}

#[test]
fn an_httplog_line_gives_its_fields() {
    let expected = Record {
        verdict: Some(Reason::ServerCut),
        started: without_zone(1_795_169_703_339),
        ended: without_zone(1_795_169_704_750),
        duration: Some(Duration::from_millis(1411)),
        after_headers: Some(Duration::from_millis(1410)),
        client: Some(b"10.0.0.9"),
        method: Some(b"GET"),
        path: Some(b"/mcp"),
        query: Some(b"a=b"),
        status: Some(200),
        upstream: Some(b"be/mcp-1"),
        retried: true,
        session_sent: Some(b"c99979e9-41be-4a2a-9c7f-66bf835ba2ee"),
        session_minted: Some(b"8c8aeac1-9a39-41e0-b639-32be96c41a7c"),
        ..Record::default()
    };
    assert_eq!(parse(&compile("httplog"), LINE), expected);
    let prefixed = format!("<134>Nov 20 10:15:04 lb haproxy[1]: {LINE}");
    assert_eq!(parse(&compile("option httplog"), &prefixed), expected);
    assert_eq!(expected.upstream_address(), Some(&b"be/mcp-1"[..]));
}

#[test]
fn what_came_after_the_headers_is_counted() {
    let after = |format: &str, line: &str| {
        let format = compile(&format!("{format} %ST %HM %HU"));
        parse(&format, &format!("{line} 200 GET /mcp")).after_headers
    };
    let some = |ms| Some(Duration::from_millis(ms));
    assert_eq!(after("%TR/%Tw/%Tc/%Tr/%Ta", "1/2/3/4/1010"), some(1000));
    assert_eq!(
        after("%TR/%Tw/%Tc/%Tr/%Td/%Ta", "1/2/3/4/900/1010"),
        some(900)
    );
    assert_eq!(after("%TR/%Tw/%Tc/%Tr/%Ta", "1/2/-1/-1/1010"), None);
    assert_eq!(after("%Tr/%Ta", "4/1010"), None);
    assert_eq!(after("%TR/%Tw/%Tc/%Tr", "1/2/3/4"), None);
}

#[test]
fn the_client_is_told_with_and_without_its_port() {
    for (format, line, expected) in [
        ("%ci:%cp", "10.0.0.9:32931", "10.0.0.9"),
        ("%ci:%cp", "2001:db8::7:32931", "2001:db8::7"),
        ("%ci", "2001:db8::7", "2001:db8::7"),
    ] {
        let format = compile(&format!("{format} %ST %HM %HU"));
        let line = format!("{line} 200 GET /mcp");
        assert_eq!(
            parse(&format, &line).client,
            Some(expected.as_bytes()),
            "{line}"
        );
    }
}

#[test]
fn declared_captures_are_read_by_their_order() {
    let declared = "# edge\n  capture request header X-Request-Id len 40\n\n  capture request header Mcp-Session-Id len 64\n  http-request capture req.hdr(User-Agent) len 128\n  capture response header Content-Type len 32\n  option httplog";
    let format = compile(declared);
    let groups = |groups: &str| {
        let (start, rest) = LINE.split_once(" {").unwrap();
        let (_, request) = rest.split_once("} \"").unwrap();
        format!("{start} {groups}\"{request}")
    };
    let line = groups("{ab12|the id|Mozilla/5.0 (X11)} {text/event-stream} ");
    let record = parse(&format, &line);
    assert_eq!(record.session_sent, Some(&b"the id"[..]));
    assert_eq!(record.user_agent, Some(&b"Mozilla/5.0 (X11)"[..]));
    assert_eq!(record.content_type, Some(&b"text/event-stream"[..]));
    assert_eq!(record.session_minted, None);
    let line = groups("{||} {} ");
    let record = parse(&format, &line);
    assert_eq!((record.session_sent, record.user_agent), (None, None));
    let answers = compile("capture response header Mcp-Session-Id len 64\noption httplog");
    let line = groups("{minted} ");
    let record = parse(&answers, &line);
    assert_eq!(
        (record.session_sent, record.session_minted),
        (None, Some(&b"minted"[..]))
    );
}

#[test]
fn undeclared_captures_are_read_with_care() {
    let format = compile("httplog");
    for (group, session, agent) in [
        ("c99979e9-41be-4a2a", Some("c99979e9-41be-4a2a"), None),
        ("mcp.example.com", None, None),
        ("localhost", None, None),
        ("|c99979e9-41be-4a2a", None, None),
        ("|holter/0.1.0", None, Some("holter/0.1.0")),
        ("Mozilla/5.0 (X11) Gecko", None, None),
    ] {
        let (start, rest) = LINE.split_once('{').unwrap();
        let (_, rest) = rest.split_once('}').unwrap();
        let line = format!("{start}{{{group}}}{rest}");
        let record = parse(&format, &line);
        assert_eq!(record.session_sent, session.map(str::as_bytes), "{group}");
        assert_eq!(record.user_agent, agent.map(str::as_bytes), "{group}");
    }
}

#[test]
fn any_quoting_of_a_format_is_undone() {
    let line = "a b \"GET /mcp HTTP/1.1\" 200";
    for text in [
        r#"a b %{+Q}r %ST"#,
        r#"a b "%r" %ST"#,
        r#"a\ b\ \"%r\"\ %ST"#,
        r#""a b \"%r\" %ST""#,
        r#"'a b "%r" %ST'"#,
        r#"log-format 'a b "%r" %ST' # edge"#,
        r#"   log-format a\ b\ %{+Q}r\ %ST"#,
        r#"log-format "a b %{+Q}r %ST""#,
        "a  b   %{+Q}r %ST  ",
        "%{+Q}oa b %r %ST",
        "a b %(request){+Q}r %(status)ST",
    ] {
        let format = compile(text);
        let record = parse(&format, line);
        assert_eq!(
            (record.path, record.status),
            (Some(&b"/mcp"[..]), Some(200)),
            "{text}"
        );
    }
}

/// What a format gives for a line, each behind a method and a path.
fn check(text: &str, line: &str, field: fn(&Record<'_>) -> Option<Vec<u8>>, expected: &str) {
    let format = compile(&format!("%HM %HU {text}"));
    let line = format!("GET /mcp {line}");
    let got = field(&parse(&format, &line)).map(|raw| String::from_utf8(raw).unwrap());
    let expected = Some(expected).filter(|text| !text.is_empty());
    assert_eq!(got.as_deref(), expected, "{text} {line}");
}

#[test]
fn the_upstream_is_the_most_exact_name() {
    let upstream = |record: &Record<'_>| record.upstream.map(<[u8]>::to_vec);
    check("%si:%sp", "::1:80", upstream, "::1:80");
    check("%s %si:%sp", "mcp-1 10.0.0.1:80", upstream, "10.0.0.1:80");
    check("%si:%sp %b/%s", "-:- be/<NOSRV>", upstream, "");
    check("%b/%s|%ci:%cp", "be/a|::1:80", upstream, "be/a");
    check("[%s]", "[mcp-1]", upstream, "mcp-1");
}

#[test]
fn headers_are_found_by_name_or_label() {
    let sent = |record: &Record<'_>| record.session_sent.map(<[u8]>::to_vec);
    check("%[req.hdr(Mcp-Session-Id)]", "id", sent, "id");
    check("%[req.hdr(Host)]", "id", sent, "");
    check(
        "sid=%[capture.req.hdr(3),json(utf8s)]",
        "sid=id",
        sent,
        "id",
    );
    check("host=%[capture.req.hdr(0)]", "host=id", sent, "");
    check(
        "\"mcp_session_id\":\"%[var(txn.a)]\"",
        "\"mcp_session_id\":\"id\"",
        sent,
        "id",
    );
    check("%[var(txn.mcp_sid)]", "-", sent, "");
    let minted = |record: &Record<'_>| record.session_minted.map(<[u8]>::to_vec);
    check("%[res.hdr(mcp-session-id)]", "id", minted, "id");
    check(
        "resp_session=%[var(txn.b)]",
        "resp_session=id",
        minted,
        "id",
    );
    let agent = |record: &Record<'_>| record.user_agent.map(<[u8]>::to_vec);
    check(
        "\"ua\":\"%[capture.req.hdr(2)]\"",
        "\"ua\":\"a b\"",
        agent,
        "a b",
    );
    check("%%%[req.fhdr(user-agent),lower]", "%a b", agent, "a b");
}

#[test]
fn times_are_read_in_any_spelling() {
    let ended = |record: &Record<'_>| {
        record
            .ended
            .map(|ended| ended.unix_ms.to_string().into_bytes())
    };
    check(
        "%T %Ta",
        "20/Nov/2026:10:15:03 +0100 1000",
        ended,
        "1795166104000",
    );
    check("%Ts %Tt", "1795169703 1000", ended, "1795169704000");
    check(
        "%t %Tt %Ta",
        "20/Nov/2026:10:15:03.339 9000 1000",
        ended,
        "1795169704339",
    );
}

#[test]
fn paths_are_read_in_any_form() {
    for (format, line, query) in [
        ("%HM %HP %ST", "GET /mcp 200", None),
        ("%HM %HP%HQ %ST", "GET /mcp?a=b 200", Some("a=b")),
        ("%HM %HP %HQ %ST", "GET /mcp 200", None),
        ("%HM %HP %HQ %ST", "GET /mcp ?a=b 200", Some("a=b")),
        ("%HM %HP [%HQ] %ST", "GET /mcp [] 200", None),
        ("%HM %HU %ST", "GET http://h/mcp?a=b 200", Some("a=b")),
        ("%HM %[path] %[query] %ST", "GET /mcp a=b 200", Some("a=b")),
        ("%r %ST", "GET https://h:1/mcp HTTP/2.0 200", None),
    ] {
        let format_ = compile(format);
        let record = parse(&format_, line);
        assert_eq!(record.path, Some(&b"/mcp"[..]), "{format}");
        assert_eq!(record.query, query.map(str::as_bytes), "{format}");
        assert_eq!(record.status, Some(200), "{format}");
    }
}

#[test]
fn a_line_before_the_end_and_absent_numbers_are_no_damage() {
    let format = compile("%r %Ta %ST %tsc");
    let early = parse(&format, "GET /mcp HTTP/1.1 +12 200 ----");
    assert_eq!(early.verdict, Some(Reason::Unknown));
    assert_eq!(early.duration, Some(Duration::from_millis(12)));
    let absent = parse(&format, "<BADREQ> -1 -1 CR--");
    assert_eq!(
        (absent.duration, absent.status, absent.method),
        (None, None, None)
    );
    assert_eq!(absent.verdict, Some(Reason::ClientClose));
}

#[test]
fn other_lines_have_their_kind() {
    let format = compile("httplog");
    let notice = parse(
        &format,
        "<132>Nov 20 10:16:30 haproxy[1]: Proxy f stopped (cumulated conns: FE: 0, BE: 0).",
    );
    assert!(notice.no_request);
    assert!(!parse(&format, LINE).no_request);
    let wrong_status = LINE.replace(" 200 ", " 2x0 ");
    let long = format!("{LINE}{}", "x".repeat(crate::access_log::MAX_LINE));
    for (line, expected) in [
        ("", UnparsedKind::Empty),
        ("a\0b", UnparsedKind::Binary),
        ("a b", UnparsedKind::Format),
        (&*wrong_status, UnparsedKind::Number),
        (&*long, UnparsedKind::TooLong),
    ] {
        assert_eq!(format.parse(line.as_bytes()), Err(expected), "{line:.40}");
    }
}

#[test]
fn bad_formats_are_pointed_at() {
    for (text, line, column, problem) in [
        (" ", 1, 1, "empty"),
        ("%ST %r %", 1, 8, "without a name"),
        ("%r %[path", 1, 4, "not closed"),
        ("%r %{+Q", 1, 4, "not closed"),
        ("%{+cbor}o %(r)r", 1, 1, "encoding"),
        ("%{+json}o %r", 1, 1, "no request"),
        ("%ST%r", 1, 4, "nothing between"),
        ("%ST", 1, 1, "no request"),
        ("option httplog\nbind :80", 2, 1, "not understood"),
        ("option httplog\n  log-format \"%r", 2, 14, "not closed"),
        ("log-format %r %ST", 1, 15, "text after"),
    ] {
        let error = Format::compile(text).unwrap_err();
        let at = (error.line, error.column);
        assert_eq!(at, (line, column), "{text}: {error}");
        assert!(
            error.problem.contains(problem) && error.problem.contains("expected"),
            "{text}: {error}"
        );
    }
    let long = "%r".repeat(10_000);
    assert!(
        Format::compile(&long)
            .unwrap_err()
            .problem
            .contains("too long")
    );
}

#[test]
fn the_version_is_the_major_one() {
    for (text, expected) in [
        ("httplog", None),
        ("%(line)r %ST", Some(3)),
        ("%{+json}o %(line)r", Some(3)),
        (
            "HAProxy version 3.0.11-1+deb13u2 2026/01/01 - https://haproxy.org/\noption httplog",
            Some(3),
        ),
        (
            "HA-Proxy version 2.6.12 2023/03/28\noption httplog",
            Some(2),
        ),
    ] {
        assert_eq!(compile(text).major, expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(line: Vec<u8>, cut in 0..300usize, byte: u8) {
        for text in ["httplog", "httpslog", "%{+Q}o %r|%hr%%%si:%sp %HQ %[capture.req.hdr(0)]", "%{+json}o %(a)r %(b)hr"] {
            let format = compile(text);
            format.parse(&line).ok();
            let mut damaged = LINE.as_bytes().to_vec();
            if let Some(at) = damaged.get_mut(cut) {
                *at = byte;
            }
            format.parse(&damaged).ok();
            damaged.truncate(cut);
            format.parse(&damaged).ok();
        }
    }

    #[test]
    fn any_text_is_compiled_without_a_panic(text: String, pieces in "([%{}\\[\\]()+Qo\"'\\\\ \n]|log-format |capture request header |%r|ST){0,12}") {
        for text in [&text, &pieces, &format!("log-format {pieces}")] {
            if let Ok(format) = Format::compile(text) {
                format.parse(LINE.as_bytes()).ok();
                format.limits();
            }
        }
    }
}
